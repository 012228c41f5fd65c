"""Training: settings, the loop (back-propagation through time, full and truncated), history, checkpoints.

Knows models and run folders; knows no task, and prints nothing.
"""
