"""What is said in a recording: text in the right order, whose times nobody wrote down (CTC)."""
