"""Recordings of speech with what is said in them, and when is not known: files to samples and units of text.

Nets, and the search for words in what they say, live elsewhere.
"""
