"""Sentences whose words carry labels: read from files, turned into numbers, and back.

The readers know files and nothing of numbers; the encoding knows numbers and nothing of files; `prepare` has both.
"""
