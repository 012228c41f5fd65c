"""Runs beside each other: what makes their numbers comparable, groups of seeds, significance, and trainings of a grid.

Reads run folders and makes new ones; which settings to try next is `tasks.sweeping`'s business.
"""
