"""What sounds next: chords of 88 notes, or one voice after another; and pieces that a net makes itself."""
