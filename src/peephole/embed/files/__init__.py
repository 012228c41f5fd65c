"""Vectors in word2vec's formats, read and written."""
