"""Series of numbers over time: tables to series, their clock, and windows cut from them. No nets."""
