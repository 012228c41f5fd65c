"""What may be wrong, a file a group of causes: functions of an `Examination` that return a `Finding` or None.

A rule says what it found as if it were the only one: how sure it is of its own evidence, and what that costs. Which
finding explains which is `ranking`'s. A rule whose evidence cannot be had returns None.
"""

from peephole.doctor.rules import (
    capacity,
    data,
    inside,
    numbers,
    pipeline,
    predicting,
    reach,
    recurrent,
    symptoms,
    training,
)

RULES = (
    numbers.not_a_number,
    numbers.bfloat16_loses,
    data.inputs_not_normalised,
    predicting.nothing_to_predict,
    data.data_in_both_splits,
    pipeline.targets_shifted,
    pipeline.padding_in_the_divergence,
    pipeline.batch_rows_that_leak,
    pipeline.state_carried_across_unrelated_sequences,
    training.rate_too_high,
    training.rate_too_low,
    training.clipping_always,
    training.exploding_gradient,
    recurrent.weights_that_blow_up,
    recurrent.weights_that_forget,
    recurrent.forget_bias_that_forgets,
    inside.gates_stuck,
    inside.saturated_activations,
    inside.dead_units,
    reach.dependency_beyond_horizon,
    reach.window_too_short,
    capacity.too_large,
    capacity.too_small,
    symptoms.stuck,
    symptoms.underfitting,
    symptoms.overfitting,
    symptoms.plateau,
    symptoms.oscillation,
)
