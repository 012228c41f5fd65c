"""Skip-gram and CBOW: settings, what counts decide, the loop with its checkpoints, the run."""
