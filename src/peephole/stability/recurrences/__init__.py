"""Recurrences given as numbers: one unit, a vector, a matrix; by activation. They know no modules."""
