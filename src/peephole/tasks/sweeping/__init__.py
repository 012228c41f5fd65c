"""Search over settings: Optuna chooses what to try, every trial is a run folder, and rows keep what came of each.

Optuna's own storage is not used: its study is made anew from the rows, so that nothing is kept twice.
"""
