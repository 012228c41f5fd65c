"""Kernels that come with torch: oneDNN and cuDNN where they have the cell, else a loop of torch's own operations.

`onednn`, `cudnn` and `stepwise` each offer `refusal`, `forward` and `backward` with the same arguments, so that the
operators choose between them by name. Nothing here knows modules, autograd or files.
"""
