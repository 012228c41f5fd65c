"""A label for a whole sequence: time series, texts, recordings."""
