"""Settings of decoding that cannot be."""

from pathlib import Path
from typing import Any

import pytest

from peephole.errors import InputError
from peephole.generate.ctc.config import SpeechDecoding


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beams": -1}, r"--beams is -1; expected 0 \(the best path\) or more"),
        ({"least": 1.0}, "--least is 1.0; expected a probability"),
        ({"least": float("nan")}, "--least is nan"),
        ({"language_weight": -0.1}, "--language-weight is -0.1; expected 0 or more"),
        ({"word_bonus": float("inf")}, "--word-bonus is inf; expected a number of nats"),
        ({"ngram_order": 9}, "--ngram-order is 9; expected 1 to 8"),
        ({"beams": 0, "language_model": Path("text")}, "--language-model came with --beams 0"),
    ],
)
def test_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpeechDecoding(**settings)
