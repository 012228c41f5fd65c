"""Small problems that static nets cannot do: examples without end, made on the fly and the same for every seed.

A file a problem: its definition, its options and the examples. What lives elsewhere: how to train on them
(`tasks.problem`), nets whose weights are set by hand (`models.by_hand`).
"""
