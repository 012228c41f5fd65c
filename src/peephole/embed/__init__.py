"""Words as vectors: what a projection of one-hot vectors makes of them, and which of them lie near each other.

What lives here: vectors with their words, and measurements of them, which never change them. What does not: the nets
that learn them (`tasks`), and text (`data`).
"""
