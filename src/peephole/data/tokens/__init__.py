"""Kinds of tokens: characters, words and byte-pairs, each as a `Coding`, which `data.tokenizer.Tokenizer` puts to use.

What is learnt from text to make a vocabulary (`learning`), and how words become text again (`joining`), is here too.
"""
