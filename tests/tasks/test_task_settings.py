"""Settings to JSON and back; every key and every kind that does not belong is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.spec import CellSpec
from peephole.tasks.config import TextTask, settings_of, task_from
from peephole.train.config import TrainingConfig

# The check of annotations would be the first to complain; users have none.
pytestmark = pytest.mark.usefixtures("unchecked_annotations")

WHERE = Path("config.json")
TASK = TextTask(
    TextData((Path("/a.txt"), Path("/b")), suffixes=(".txt",), separator="\n", held_out=0.25),
    LanguageConfig(cell="gru", forget_bias=None),
    TrainingConfig(steps=7, clip_norm=None, carry=False),
)


def through_json(task: TextTask) -> dict[str, Any]:
    return json.loads(json.dumps(settings_of(task)))


def test_settings_come_back() -> None:
    for task in (TASK, TextTask()):
        assert task_from(through_json(task), WHERE) == task


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_of(TextTask(TextData((Path("a.txt"),))))["data"]["files"] == [str(tmp_path / "a.txt")]


def test_a_setting_that_an_older_version_did_not_know_has_its_default() -> None:
    settings = through_json(TASK)
    del settings["training"]["patience"], settings["model"]["init"]
    assert task_from(settings, WHERE) == TASK


def test_settings_of_runs_from_before_there_were_variants() -> None:
    """The model settings of peephole 0.2 and older, as they stand in config.json."""
    old = {
        "cell": "rnn",
        "layers": 3,
        "hidden_size": 12,
        "embedding_size": 7,
        "dropout": 0.2,
        "init": "identity",
        "forget_bias": 1.0,
        "longest": None,
        "nonlinearity": "relu",
        "backend": "torch",
    }
    settings = through_json(TASK)
    settings["model"] = old
    model = task_from(settings, WHERE).model
    assert model.spec == CellSpec("rnn", nonlinearity="relu")
    assert {name: getattr(model, name) for name in old} == old
    defaults = through_json(TextTask())["model"]
    assert through_json(TextTask(model=model))["model"] == {**defaults, **old}
    for cell in ("lstm", "gru"):
        settings["model"] = {**old, "cell": cell, "nonlinearity": "tanh", "init": "torch"}
        assert task_from(settings, WHERE).model.spec == CellSpec(cell)


@pytest.mark.parametrize(
    "model",
    [
        LanguageConfig(variant="NFG", learned_states=True, proj_size=4),
        LanguageConfig(peephole="full", candidate_peephole=True, coupled=True),
        LanguageConfig(cell="rnn", taps=3, residual="full", layer_norm=True, bias=False, forget_bias=None),
        LanguageConfig(
            cell="gru", reset="before", update="writes", zoneout=0.1, recurrent_dropout=0.2, weight_drop=0.3
        ),
        LanguageConfig(variant="FGR", zoneout_cell=0.5, input_activation=False),
    ],
)
def test_settings_of_variants_come_back(model: LanguageConfig) -> None:
    task = TextTask(model=model)
    again = task_from(through_json(task), WHERE)
    assert again == task
    assert again.model.spec == model.spec


def test_a_preset_and_the_switches_beside_it() -> None:
    assert LanguageConfig(variant="NFG").spec == CellSpec("lstm", peephole="diagonal", forget_gate=False)
    assert LanguageConfig(variant="NFG", peephole="full").spec == CellSpec("lstm", peephole="full", forget_gate=False)
    assert LanguageConfig(variant="V", bias=False).spec == CellSpec("lstm", peephole="diagonal", bias=False)
    assert LanguageConfig(variant="NP").spec == LanguageConfig().spec == CellSpec("lstm")
    assert LanguageConfig(variant="NFG").start["forget_bias"] is None
    assert LanguageConfig(variant="CIFG").start["forget_bias"] == 1.0
    assert LanguageConfig(bias=False).start["forget_bias"] is None


def test_whole_numbers_serve_as_numbers() -> None:
    settings = through_json(TASK)
    settings["training"]["learning_rate"] = 1
    assert task_from(settings, WHERE).training.learning_rate == 1


@pytest.mark.parametrize("part", ["data", "model", "training"])
def test_unknown_keys_are_refused(part: str) -> None:
    settings = through_json(TASK)
    settings[part]["colour"] = 3
    with pytest.raises(InputError, match=r"^config.json: unknown setting 'colour'; expected one of \w+, "):
        task_from(settings, WHERE)
    with pytest.raises(InputError, match="unknown setting 'colour'"):
        task_from({"colour": {}}, WHERE)
    with pytest.raises(InputError, match="damaged"):
        task_from({part: 3}, WHERE)


@pytest.mark.parametrize("junk", [None, True, 2.5, "/other", [], [1], {}, -1, [{}]])
def test_values_of_another_kind_are_refused_or_mean_what_they_say(junk: Any) -> None:
    refused = []
    for part, settings in through_json(TASK).items():
        for name in settings or ():
            changed = through_json(TASK)
            changed[part][name] = junk
            try:
                task = task_from(changed, WHERE)
            except InputError as error:
                refused.append(str(error))
            else:
                assert through_json(task) == changed
    assert len(refused) >= 25
    assert all(message.startswith("config.json: ") and "\n" not in message for message in refused)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("data", "files", 3),
        ("data", "files", [3]),
        ("data", "files", "/a.txt"),
        ("data", "split", "half"),
        ("data", "held_out", "0.1"),
        ("data", "held_out", 2),
        ("data", "encoding", None),
        ("model", "cell", "transformer"),
        ("model", "layers", 1.5),
        ("model", "layers", 0),
        ("model", "hidden_size", True),
        ("model", "init", None),
        ("model", "longest", "far"),
        ("model", "variant", "XYZ"),
        ("model", "variant", 3),
        ("model", "peephole", True),
        ("model", "peephole", "full"),  # of a gru
        ("model", "reset", "never"),
        ("model", "taps", 0),
        ("model", "taps", True),
        ("model", "taps", 2),
        ("model", "bias", 1),
        ("model", "learned_states", "yes"),
        ("model", "proj_size", 1.5),
        ("model", "proj_size", -4),
        ("model", "zoneout", "some"),
        ("model", "weight_drop", None),
        ("training", "optimizer", "lion"),
        ("training", "carry", 1),
        ("training", "steps", "ten"),
        ("training", "steps", 1.5),
        ("training", "precision", 16),
        ("training", "clip_norm", []),
    ],
)
def test_what_cannot_be_is_refused(part: str, name: str, value: Any) -> None:
    settings = through_json(TASK)
    settings[part][name] = value
    with pytest.raises(InputError, match=r"^config.json: .*(restore it|train again)") as caught:
        task_from(settings, WHERE)
    assert name.replace("_", "-") in str(caught.value).replace("_", "-")
