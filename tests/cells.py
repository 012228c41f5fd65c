"""The test matrix: every cell that the tests run, by name. A variant joins by a row here."""

from peephole.spec import VARIANTS, CellSpec, spec_of

PLAIN = {
    "rnn tanh": CellSpec("rnn"),
    "rnn relu": CellSpec("rnn", nonlinearity="relu"),
    "lstm": CellSpec("lstm"),
    "lstm projected": CellSpec("lstm", projected=True),
    "gru": CellSpec("gru"),
}
"""The cells that torch.nn has."""

MATRIX = PLAIN | {
    "rnn sigmoid": CellSpec("rnn", nonlinearity="sigmoid"),
    "rnn identity": CellSpec("rnn", nonlinearity="identity"),
    "rnn softmax": CellSpec("rnn", nonlinearity="softmax"),
    "rnn 3 taps": CellSpec("rnn", taps=3),
    "rnn residual input": CellSpec("rnn", residual="input"),
    "rnn residual full": CellSpec("rnn", residual="full"),
    "rnn 2 taps, residual, layer norm": CellSpec("rnn", taps=2, residual="full", layer_norm=True),
    "rnn without bias": CellSpec("rnn", bias=False),
    "rnn residual input without bias": CellSpec("rnn", residual="input", bias=False),
    **{f"lstm {name}": spec_of("lstm", name) for name in VARIANTS if name != "NP"},
    "lstm full peephole": CellSpec("lstm", peephole="full"),
    "lstm diagonal candidate peephole": CellSpec("lstm", peephole="diagonal", candidate_peephole=True),
    "lstm full candidate peephole": CellSpec("lstm", peephole="full", candidate_peephole=True),
    "lstm coupled": CellSpec("lstm", coupled=True),
    "lstm coupled, full candidate peephole, projected": CellSpec(
        "lstm", coupled=True, peephole="full", candidate_peephole=True, projected=True
    ),
    "lstm without gates": CellSpec("lstm", input_gate=False, forget_gate=False, output_gate=False),
    "lstm gates fed back, coupled, full peephole": CellSpec(
        "lstm", gate_recurrence=True, coupled=True, peephole="full"
    ),
    "lstm layer norm": CellSpec("lstm", layer_norm=True),
    "lstm layer norm, full candidate peephole": CellSpec(
        "lstm", layer_norm=True, peephole="full", candidate_peephole=True
    ),
    "lstm layer norm without bias": CellSpec("lstm", layer_norm=True, bias=False),
    "lstm without bias": CellSpec("lstm", bias=False),
    "lstm projected without bias": CellSpec("lstm", bias=False, projected=True),
    "gru before": CellSpec("gru", reset="before"),
    "gru without reset": CellSpec("gru", reset="none"),
    "gru writes": CellSpec("gru", update="writes"),
    "gru before, writes": CellSpec("gru", reset="before", update="writes"),
    "gru layer norm": CellSpec("gru", layer_norm=True),
    "gru before, layer norm": CellSpec("gru", reset="before", layer_norm=True),
    "gru without bias": CellSpec("gru", bias=False),
}
