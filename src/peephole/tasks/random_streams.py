"""Streams of random numbers that a task draws from: whatever the seed, what is measured was not trained on."""

TRAINING, HELD_OUT, MEASURED, EXAMINED, PROBED = range(5)
