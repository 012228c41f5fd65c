"""How fast the layers are, beside torch.nn, ONNX Runtime and a loop written by hand.

`cases` says what is measured, `peers` who takes part, `gate` compares results before anything is timed, `timing` lets
them run in turn, `measure` wires these; `results` are frozen and go to JSON, `table` and `plot` show them, `growth`
asks how time grows with one size. `streaming` and the `stream_` modules do the same for one step at a time, from
`stream_cases` to `stream_plot`. Nothing here prints, changes a layer of the user's, or is needed to run one; the
oracle is `peephole.reference`, never a copy of it.
"""
