"""What a trained model is asked: streams of one step at a time, sampling, surprisal. No training, no task."""
