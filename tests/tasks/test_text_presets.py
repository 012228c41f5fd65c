"""The presets of language models: each number of the paper or its code is there, and each trains, goes on and writes.

The numbers below were read in the sources that the presets name, not in the presets.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel
from peephole.runs.folder import Run
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.tasks.text.presets import PRESETS, TextPreset, preset_named
from peephole.tasks.text.presets.preset import preset
from peephole.tasks.text.presets.tcn import ROWS
from peephole.train.config import TrainingConfig
from peephole.train.optimisation import learning_rate_share

# that differ from another by sizes alone, which a test of two steps takes away
ALIKE = ("zaremba-large", "awd-lstm-wikitext-2", "karpathy-characters-512", "tcn-lstm-text8")
PUBLISHED = [name for name in PRESETS if name not in ("laptop", "tdnn")]

# hidden, layers, steps, init scale, dropout, epochs at rate 1, what divides it then, epochs, longest gradient
ZAREMBA = {
    "small": (200, 2, 20, 0.1, 0.0, 4, 2, 13, 5),
    "medium": (650, 2, 35, 0.05, 0.5, 6, 1.2, 39, 5),
    "large": (1500, 2, 35, 0.04, 0.65, 14, 1.15, 55, 10),
}
# dropouth, dropouti, batch, epochs, seed of the README's commands; what they do not give is in the test
AWD = {"ptb": (0.25, 0.4, 20, 500, 141), "wikitext-2": (0.2, 0.65, 80, 750, 1882)}
# layers, hidden, embedding, dropout, longest gradient, forget bias, optimiser, rate; None where table 3 is silent
TCN = {
    "ptb-words": (3, 700, 700, 0.4, 0.3, 1.0, "sgd", 30.0),
    "ptb-characters": (2, 600, 120, 0.1, 0.5, None, None, None),
    "text8": (1, 1024, None, 0.15, 0.5, None, "adam", 1e-2),
}


def expect(found: TextPreset, **values: Any) -> None:
    """Each value is there, and has its reason beside it."""
    settings = found.settings()
    for name, value in values.items():
        assert settings[name] == value, (found.name, name)
        assert type(settings[name]) is type(value), (found.name, name)


@pytest.mark.parametrize("size", ZAREMBA)
def test_zaremba(size: str) -> None:
    hidden, layers, window, scale, dropout, flat, divided, epochs, clip = ZAREMBA[size]
    found = PRESETS[f"zaremba-{size}"]
    expect(
        found, hidden_size=hidden, embedding_size=hidden, layers=layers, window=window, initial_range=scale,
        init="uniform", dropout=dropout, input_dropout=dropout, output_dropout=dropout, locked_dropout=False,
        weight_drop=0.0, forget_bias=None, embedding_range=None, tied=False, softmax="full", cell="lstm", batch_size=20,
        carry=True, zipf_start=False, per="row", optimizer="sgd", momentum=0.0, weight_decay=0.0, learning_rate=1.0,
        schedule="epochs", flat_epochs=flat, decay=1 / divided, epochs=float(epochs), warmup=0, clip_norm=float(clip),
        clip_value=None, vocabulary=10_000, keep="last", evaluations_per_epoch=1, average_trigger=0,
    )  # fmt: skip
    rates = [learning_rate_share(found.training, epoch, epochs, 1) for epoch in range(epochs)]
    assert rates[:flat] == [1.0] * flat
    assert rates[-1] == pytest.approx(divided ** -(epochs - flat))


@pytest.mark.parametrize("corpus", AWD)
def test_awd_lstm(corpus: str) -> None:
    between, entry, batch, epochs, seed = AWD[corpus]
    expect(
        PRESETS[f"awd-lstm-{corpus}"], embedding_size=400, hidden_size=1150, layers=3, narrow_last=True, tied=True,
        learning_rate=30.0, clip_norm=0.25, epochs=float(epochs), batch_size=batch, window=70, vary_window=True,
        output_dropout=0.4, dropout=between, input_dropout=entry, embedding_dropout=0.1, weight_drop=0.5,
        locked_dropout=True, activation_penalty=2.0, temporal_penalty=1.0, weight_decay=1.2e-6, average_trigger=5,
        seed=seed, init="torch", embedding_range=0.1, zipf_start=False, forget_bias=None, optimizer="sgd", momentum=0.0,
        per="symbol", schedule="constant", warmup=0, softmax="full", evaluations_per_epoch=1, keep="best",
        vocabulary=None,
    )  # fmt: skip


@pytest.mark.parametrize(("name", "units", "dropout"), [("", 128, 0.0), ("-512", 512, 0.5)])
def test_karpathy(name: str, units: int, dropout: float) -> None:
    expect(
        PRESETS[f"karpathy-characters{name}"], cell="lstm", layers=2, hidden_size=units, dropout=dropout,
        output_dropout=dropout, input_dropout=0.0, optimizer="rmsprop", learning_rate=2e-3, beta2=0.95, decay=0.97,
        flat_epochs=10, schedule="epochs", window=50, batch_size=50, epochs=50.0, clip_value=5.0, clip_norm=None,
        init="uniform", initial_range=0.08, forget_bias=1.0, held_out=0.05, evaluate_every=1000, seed=123, per="row",
        weight_decay=0.0, warmup=0,
    )  # fmt: skip


@pytest.mark.parametrize("text", TCN)
def test_tcn(text: str) -> None:
    names = (
        "layers",
        "hidden_size",
        "embedding_size",
        "dropout",
        "clip_norm",
        "forget_bias",
        "optimizer",
        "learning_rate",
    )
    found = PRESETS[f"tcn-lstm-{text}"]
    expect(found, **{name: value for name, value in zip(names, TCN[text], strict=True) if value is not None})
    for name, value in zip(names, TCN[text], strict=True):
        assert found.reasons[name].startswith("Table 3") == (value is not None or name == "forget_bias"), name


def test_the_tcn_papers_other_rows() -> None:
    """Layers, units, dropout, longest gradient, bias of every row, and what its note names."""
    assert [(*row.settings.values(),) for row in ROWS] == [
        (2, 77, 0.0, 5.0, 50.0, "sgd", 1e-3),
        (2, 77, 0.0, 10.0, 50.0, "adam", 2e-3),
        (1, 130, 0.0, 1.0, 5.0),
        (1, 130, 0.0, 1.0, 1.0, "rmsprop", 1e-3),
        (1, 130, 0.0, 10.0, 1.0, "rmsprop", 1e-3),
        (1, 50, 0.05, None, 0.25),
        (1, 50, 0.05, None, 1.0),
        (3, 28, 0.05, None, 1.0),
        (2, 200, 0.2, 10.0, 1.0),
        (3, 280, 0.1, None, 0.5, "adam", 4e-3),
        (1, 500, 0.1, None, 1.0, "adam", 4e-3),
    ]
    known = {field.name for kind in (LanguageConfig, TrainingConfig) for field in dataclasses.fields(kind)}
    assert all(row.settings.keys() <= known for row in ROWS)


@pytest.mark.parametrize("name", PRESETS)
def test_each_value_has_a_reason(name: str) -> None:
    """And each reason a value; nothing that the net or its training has set differs silently from the usual."""
    found = preset_named(name)
    assert found.name == name
    assert found.source.endswith(".")
    assert "word" in found.tokens or "char" in found.tokens
    assert found.settings().keys() == found.reasons.keys()
    assert all(reason.strip().endswith(".") for reason in found.reasons.values())
    for group in (found.model, found.training):
        changed = {field.name for field in dataclasses.fields(group) if getattr(group, field.name) != field.default}
        assert changed <= found.reasons.keys()
    assert {*found.data} - {"tokens"} <= found.reasons.keys()
    found.check(TextData(**found.data))


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_every_paper_has_to_say_is_said(name: str) -> None:
    """The settings without which a training cannot be repeated."""
    asked = {
        "cell", "layers", "hidden_size", "embedding_size", "tied", "softmax", "dropout", "input_dropout",
        "embedding_dropout", "locked_dropout", "weight_drop", "init", "embedding_range", "zipf_start", "forget_bias",
        "batch_size", "window", "vary_window", "carry", "per", "optimizer", "momentum", "learning_rate", "weight_decay",
        "epochs", "schedule", "warmup", "clip_norm", "clip_value", "average_trigger", "keep",
    }  # fmt: skip
    assert asked <= PRESETS[name].reasons.keys()


def test_parameters_are_as_many_as_published() -> None:
    """The sizes that papers give, in millions: AWD-LSTM 24 and 33, by vocabulary; Zaremba's medium 20, large 66."""
    for name, symbols, millions in (
        ("awd-lstm-ptb", 10_000, 24.2),
        ("awd-lstm-wikitext-2", 33_278, 33.6),
        ("zaremba-medium", 10_000, 19.8),
        ("zaremba-large", 10_000, 66.0),
    ):
        with torch.device("meta"):
            model = LanguageModel(symbols, PRESETS[name].model)
        assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.005)


def test_nothing_else_fits() -> None:
    for name, tokens in (("zaremba-small", "char"), ("awd-lstm-ptb", "bpe"), ("karpathy-characters", "word")):
        found = preset_named(name)
        with pytest.raises(
            InputError, match=f"--preset {name} is for --tokens {found.tokens}, and got {tokens}; leave"
        ):
            found.check(TextData(tokens=tokens))  # pyright: ignore[reportArgumentType]
        with pytest.raises(InputError, match="or choose another preset"):
            found.check_tokens(tokens)
        found.check_tokens(None)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="no preset is called 'zaremba'; choose one of laptop, tdnn, zaremba-small, z"):
        preset_named("zaremba")


def test_a_setting_that_is_none_is_a_defect() -> None:
    with pytest.raises(KeyError, match="colour"):
        preset("ours", "Ours.", "word", {"colour": ("red", "Ours.")})


def small(found: TextPreset, book: Path, steps: int) -> TextTask:
    """The preset, with a net so small that two steps of it take no time."""
    sizes = {"hidden_size": 12, "embedding_size": 8 if found.model.narrow_last or not found.model.tied else 12}
    budget = dict.fromkeys(found.training.budgets()) | {"steps": steps}
    data = {**found.data, "files": (book,), "held_out": 0.1}
    if data.get("vocabulary"):
        data["vocabulary"] = 40
    training = {"batch_size": 4, "window": 10, "threads": 1, "checkpoint_seconds": 0.0, "watch": 0}
    return TextTask(
        TextData(**data),
        dataclasses.replace(found.model, **sizes),
        dataclasses.replace(found.training, **budget, **training),
    )


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in ALIKE else name for name in PRESETS]
)
def test_each_trains_goes_on_and_writes(
    tmp_path: Path, prose: Callable[..., str], kept: Callable[[Path], Any], name: str
) -> None:
    (tmp_path / "book.txt").write_text(prose(2500))
    found = PRESETS[name]
    TextModel.create(small(found, tmp_path / "book.txt", 3), tmp_path / "whole").fit()
    TextModel.create(small(found, tmp_path / "book.txt", 2), tmp_path / "run").fit()
    resumed = TextModel.resume(Run.open(tmp_path / "run"))
    assert isinstance(resumed.model, LanguageModel)
    assert resumed.fit(steps=3).step == 3
    if found.training.keep == "last":
        ends = [kept(tmp_path / run)["model.safetensors"] for run in ("run", "whole")]
        assert ends[0] == ends[1]
    assert resumed.sample(length=20, seed=1).strip()
