"""Language models: text to a run that writes, answers and scores."""
