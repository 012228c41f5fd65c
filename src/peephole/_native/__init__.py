"""The compiled kernels of `csrc/`: every cell of ours on the CPU, whole sequences, forward and backward.

`layer` offers `refusal`, `forward` and `backward` as the kernels of `_torch` do, `recomputing` the same with less
memory; `instructions` says which instruction set runs; `random` draws masks. Nothing here knows modules, autograd or
files.
"""
