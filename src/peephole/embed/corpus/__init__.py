"""Text files to a vocabulary and a file of word numbers, streamed; phrases."""
