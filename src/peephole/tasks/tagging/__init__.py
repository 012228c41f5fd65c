"""Labels for the words of sentences: parts of speech, names, or whatever a column of a file says of each word."""
