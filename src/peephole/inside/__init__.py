"""See inside a net while it runs, and take a hand in it.

`trace` shows gates, states and their gradients, step by step, at the speed of the kernels; `clamp`, `scale`, `ablate`
and `swap` put other values in their place, and `effect` says what difference that makes. What does not live here:
measurements of what is seen (`stability`), and anything that stays changed when the block ends.
"""
