"""What training makes of a sequence: within the limits asked for, and never the sequence itself."""

import numpy as np

from peephole.data.classification.changing import Changing

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(40, 6)).astype(np.float32)
TARGET = np.array([3])


def many(changing: Changing, inputs: np.ndarray = VALUES) -> list[np.ndarray]:
    found = []
    before = inputs.copy()
    for seed in range(60):
        changed, target = changing((inputs, TARGET), np.random.default_rng(seed))
        assert target is TARGET
        assert changed.dtype == inputs.dtype
        found.append(changed)
    assert (inputs == before).all()
    return found


def test_a_cut_is_a_window_of_the_sequence() -> None:
    whole = VALUES.tobytes()
    found = many(Changing(cut=0.5))
    assert {len(one) for one in found} <= set(range(20, 41))
    assert len({len(one) for one in found}) > 10
    assert all(one.tobytes() in whole for one in found)


def test_symbols_stay_as_they_are() -> None:
    symbols = np.arange(10)
    for one in many(Changing(cut=0.5, noise=1.0, stretch=0.5, hide_steps=0.5), symbols):
        assert one is symbols


def test_what_is_short_keeps_two_steps() -> None:
    assert {len(one) for one in many(Changing(cut=0.9, stretch=0.9), VALUES[:2])} <= {2, 3, 4, 5}
    assert {len(one) for one in many(Changing(cut=0.9), VALUES[:1])} == {1}


def test_time_is_stretched_on_lines() -> None:
    line = np.linspace(0, 1, 40, dtype=np.float32)[:, None]
    found = many(Changing(stretch=0.3), line)
    assert min(map(len, found)) < 33
    assert max(map(len, found)) > 47
    for one in found:
        assert np.abs(one[:, 0] - np.linspace(0, 1, len(one))).max() <= 1e-6


def test_hidden_steps_and_features_become_the_mean() -> None:
    found = many(Changing(hide_steps=0.25, hide_features=0.34))
    for one in found:
        assert ((one == 0) | (one == VALUES)).all()
    steps = [int((one == 0).all(axis=1).sum()) for one in found]
    features = [int((one == 0).all(axis=0).sum()) for one in found]
    assert 10 < max(steps) <= 20
    assert max(features) in (3, 4)


def test_noise_has_the_deviation_asked_for() -> None:
    apart = np.concatenate([one - VALUES for one in many(Changing(noise=0.3))])
    assert abs(float(apart.std()) - 0.3) <= 0.01
    assert not Changing().any
