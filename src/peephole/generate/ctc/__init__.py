"""What the outputs of a net trained with CTC say: labels, where they lie, how sure they are. No net, no sound, no task.

Everything here reads log-probabilities `[T, V]` in nats, numpy, one of whose symbols is the blank.
"""
