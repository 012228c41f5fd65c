"""Sequences of any length on disk, prepared once in parallel, and batches of them by length.

What a step or an answer means is the business of the packages beside this one: `tagging`, `classification`, `music`.
"""
