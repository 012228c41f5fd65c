"""Labelled sequences: time series, tables, texts and recordings, read item by item into arrays.

A reader (`time_series.py`, `tables.py`, `texts.py`, `recordings.py`) knows a format and yields items; `encoding.py`
knows what training found, and turns an item into numbers. Nothing here knows a net.
"""
