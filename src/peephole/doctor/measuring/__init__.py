"""What is measured of a case, a file a question: functions of an `Examination` that return frozen results.

Nothing here judges: thresholds and cures are the rules'. Nothing is changed: neither the model, its gradients and mode,
nor torch's random state.
"""
