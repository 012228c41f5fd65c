"""Sentences beside their translations, from two files a line each or a table of two columns, to arrays on disk.

What reads, cuts and numbers lives here; nets, scores and decoding do not.
"""
