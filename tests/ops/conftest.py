"""Fixtures of `problems`, by which the kernels of every back end are tested."""

from ..problems import answer, kernel, oracle, problem

__all__ = ["answer", "kernel", "oracle", "problem"]
