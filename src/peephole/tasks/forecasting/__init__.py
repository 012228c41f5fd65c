"""Forecasting: the steps that follow a window of a series, with how sure they are."""
