"""Whole models made of parts: input layer, recurrent stack, head; and the n-gram they are measured against.

No files and no optimiser in here.
"""
