"""Data on the way to a model: files -> text -> tokens on disk -> batches.

Nothing here may import a model, and only the files that make batches (`lanes.py`) may import torch, so that the command
line can name its settings, and refuse a bad file, without waiting for it.
"""
