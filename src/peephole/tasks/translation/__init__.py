"""Translation: a sentence in, its translation out, which is as long as it wants to be."""
