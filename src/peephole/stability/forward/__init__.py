"""What a net does with its states as time goes on: bounds reached, memory, timescales, exponents, fixed points."""
