"""The continuous cache against its definition, term by term."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel
from peephole.tasks.text import adapting
from peephole.tasks.text.adapting import CacheSettings, read_plainly
from peephole.tasks.text.cache import ContinuousCache, with_cache
from peephole.tasks.text.layout import Layout

SHARPNESS = (0.0, 0.4, 3.0)
NEAR = {"rtol": 1e-5, "atol": 1e-6, "equal_nan": True}


def by_hand(states: Tensor, targets: Sequence[int], begins: Sequence[bool], size: int, sharpness: float) -> list[float]:
    """p_cache of each target of one lane, NaN where there is nothing."""
    found: list[float] = []
    for step, target in enumerate(targets):
        begun = max((place for place in range(step + 1) if begins[place]), default=0)
        pairs = range(max(begun, step - size), step)
        weights = {place: math.exp(sharpness * float(states[step] @ states[place])) for place in pairs}
        right = sum(weight for place, weight in weights.items() if targets[place] == target)
        found.append(right / sum(weights.values()) if weights else math.nan)
    return found


@pytest.mark.parametrize("size", [1, 5, 40])
@pytest.mark.parametrize("block", [1, 7, 60])
def test_it_is_its_definition(size: int, block: int) -> None:
    torch.manual_seed(0)
    states, targets = torch.randn(60, 3, 4), torch.randint(0, 5, (60, 3))
    begins = torch.rand(60, 3) < 0.05
    begins[0] = True
    cache = ContinuousCache(size, SHARPNESS)
    blocks = (slice(first, first + block) for first in range(0, 60, block))
    got = torch.cat([cache.read(states[part], targets[part], begins[part]) for part in blocks], 1)
    for which, sharpness in enumerate(SHARPNESS):
        for lane in range(3):
            given = targets[:, lane].tolist(), begins[:, lane].tolist()
            want = by_hand(states[:, lane].double(), *given, size, sharpness)
            torch.testing.assert_close(got[which, :, lane].double(), torch.tensor(want).double(), **NEAR)


def test_large_states_overflow_nothing() -> None:
    states = 100 * torch.ones(20, 1, 8)
    cache = ContinuousCache(5, [10.0])
    got = cache.read(states, torch.zeros(20, 1, dtype=torch.int64), torch.zeros(20, 1, dtype=torch.bool))
    assert got[0, 0].isnan()
    assert got[0, 1:].eq(1).all()


def test_what_is_mixed_sums_to_one() -> None:
    """Over all words that could have come, in place of the one that did."""
    torch.manual_seed(1)
    states, past = torch.randn(9, 1, 4), torch.randint(0, 6, (9, 1))
    begins = torch.zeros(9, 1, dtype=torch.bool)
    model = torch.randn(6).log_softmax(0).double()
    total = 0.0
    for word in range(6):
        past[-1] = word
        given = ContinuousCache(20, [0.7]).read(states, past, begins)[0, -1].double()
        total += float((-with_cache(-model[word], given, 0.3)).exp())
    assert total == pytest.approx(1, abs=1e-6)
    nothing = torch.tensor([math.nan]).double()
    assert with_cache(-model[:1], nothing, 0.3).equal(-model[:1])


def test_lanes_pay_what_one_pass_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each lane is read from so early that state and cache are what they would be."""
    monkeypatch.setattr(adapting, "CONTEXT", 300)
    torch.manual_seed(2)
    net = LanguageModel(7, LanguageConfig(hidden_size=6, embedding_size=5, layers=1))
    tokens = np.random.default_rng(2).integers(1, 7, 2500).astype(np.uint8)
    tokens[0] = tokens[-1] = 0
    tokens[[500, 501, 1000]] = 0
    several = read_plainly(net, tokens, 0, 100, [0.5])
    single = _one_pass(net, tokens, 100, 0.5)
    torch.testing.assert_close(several.nats, single[0], rtol=1e-5, atol=1e-5)
    assert several.cached is not None
    torch.testing.assert_close(several.cached[0], single[1], rtol=1e-5, atol=1e-5, equal_nan=True)
    assert int(several.cached[0].isnan().sum()) == 4  # after the beginning and three ends of documents


def _one_pass(net: LanguageModel, tokens: NDArray[np.uint8], size: int, sharpness: float) -> tuple[Tensor, Tensor]:
    inputs, targets = (torch.from_numpy(each.astype(np.int64))[:, None] for each in (tokens[:-1], tokens[1:]))
    begins = inputs == 0
    states, _ = net.eval().features(inputs, None, begins)
    nats = net.surprisals(inputs, targets, None, begins)[0]
    cached = ContinuousCache(size, [sharpness]).read(states, targets, begins)
    return nats[:, 0].double(), cached[0, :, 0].double()


@pytest.mark.parametrize(("lanes", "context"), [(1, 9), (3, 0), (4, 5), (7, 100)])
def test_a_layout_has_every_target_once(lanes: int, context: int) -> None:
    tokens = np.arange(1, 30, dtype=np.uint8)
    layout = Layout.of(tokens, 0, lanes, context)
    scored = layout.places >= 0
    assert sorted(layout.places[scored].tolist()) == list(range(28))
    assert layout.targets[scored].tolist() == (layout.places[scored] + 2).tolist()
    assert layout.inputs[scored].tolist() == (layout.places[scored] + 1).tolist()
    whole = torch.cat([layout.inputs[block] for block in layout.blocks(4)])
    assert whole.equal(layout.inputs)
    assert layout.lanes == lanes
    before = layout.inputs[:-1][scored[1:]]  # what is read before a scored step is the token before it
    begun = layout.begins[1:][scored[1:]]
    assert (before[~begun] == layout.inputs[1:][scored[1:]][~begun] - 1).all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"size": 0}, "--cache is 0; expected at least 1"),
        ({"size": 5, "share": 0.0}, "--cache-share is 0.0; expected a share between 0 and 1"),
        ({"size": 5, "share": 1.0}, "--cache-share is 1.0"),
        ({"size": 5, "share": math.nan}, "--cache-share is nan"),
        ({"size": 5, "sharpness": -1.0}, "--cache-sharpness is -1.0; expected 0 or more"),
        ({"size": 5, "sharpness": math.inf}, "--cache-sharpness is inf"),
    ],
)
def test_settings_that_make_no_sense_are_refused(words: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        CacheSettings(**words)  # pyright: ignore[reportArgumentType]
