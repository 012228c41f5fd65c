"""Healthy trainings, and faults planted in them, to see whether the doctor finds them and to learn what they look like.

Nothing here is read by the rules: the doctor sees of a planted run what it sees of any other.
"""
