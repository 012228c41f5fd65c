"""Each setting of a training does what it says."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peephole.data.config import TextData
from peephole.data.lanes import Lanes
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel
from peephole.runs.folder import Run
from peephole.runs.tensors import read_tensors
from peephole.tasks import load
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.tasks.text.objective import TextObjective
from peephole.train import loop
from peephole.train.checkpoint import find_checkpoint, read_checkpoint
from peephole.train.config import OPTIMIZERS, TrainingConfig
from peephole.train.contract import Listener
from peephole.train.curriculum import SizedTraining

from ..killing import Killed, Killer

TRAINING = TrainingConfig(steps=3, batch_size=4, window=16, threads=1, warmup=0)
MODEL = LanguageConfig(hidden_size=8, embedding_size=8, dropout=0.0)


class Rows(Listener):
    """Remembers everything it hears."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.evaluations: list[tuple[dict[str, Any], bool]] = []
        self.start: tuple[int, int | None] | None = None

    def on_start(self, first: int, total: int | None) -> None:
        self.start = (first, total)

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        self.rows.append(row)

    def on_evaluation(self, row: dict[str, Any], improved: bool) -> None:
        self.evaluations.append((row, improved))


@dataclasses.dataclass
class Trained:
    model: TextModel
    heard: Rows

    @property
    def divergences(self) -> list[float]:
        return [row["divergence"] for row in self.heard.rows]


@pytest.fixture
def train(tmp_path: Path, book: Path) -> Callable[..., Trained]:
    """`train(**settings)`: a run of three steps with these settings of training, model or data."""
    number = iter(range(100))

    def run(**settings: Any) -> Trained:
        parts = []
        for part in (TextData((book,), held_out=0.2), MODEL, TRAINING):
            names = {field.name for field in dataclasses.fields(part)} & settings.keys()
            parts.append(dataclasses.replace(part, **{name: settings.pop(name) for name in names}))
        assert not settings
        model = TextModel.create(TextTask(*parts), tmp_path / f"run{next(number)}")
        heard = Rows()
        model.fit(heard)
        return Trained(model, heard)

    return run


Train = Callable[..., Trained]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_learns(train: Train, name: str) -> None:
    rate = {"sgd": 1.0, "asgd": 1.0, "adadelta": 30.0, "adagrad": 0.05}.get(name, 0.01)
    measured = train(optimizer=name, learning_rate=rate, steps=12).heard.evaluations
    assert measured[-1][0]["held_out"] < measured[0][0]["held_out"] - 0.02


CELLS: dict[str, dict[str, Any]] = {
    "lstm full peephole": {"peephole": "full", "candidate_peephole": True},
    "lstm FGR": {"variant": "FGR"},
    "lstm layer norm": {"layer_norm": True},
    "lstm projected": {"proj_size": 4, "learned_states": True},
    "gru before, writes": {"cell": "gru", "reset": "before", "update": "writes"},
    "rnn taps, residual": {"cell": "rnn", "taps": 2, "residual": "full"},
    "noise": {"zoneout": 0.1, "zoneout_cell": 0.3, "recurrent_dropout": 0.2, "weight_drop": 0.2},
    "noise, learned": {
        "variant": "V",
        "zoneout": 0.1,
        "recurrent_dropout": 0.2,
        "weight_drop": 0.2,
        "learned_states": True,
        "proj_size": 4,
        "dropout": 0.2,
    },
}


@pytest.mark.parametrize("name", [name for name in CELLS if "residual" not in name])  # whose sums grow without end
def test_every_kind_of_cell_learns(train: Train, name: str) -> None:
    trained = train(**CELLS[name], layers=1, learning_rate=0.03, steps=8, evaluate_every=100, held_out=0.05)
    ((row, _),) = trained.heard.evaluations
    assert row["held_out"] < math.log(len(trained.model.tokenizer)) - 0.1
    again = TextObjective(trained.model.corpus, TRAINING).evaluate(load(trained.model.run.folder).model)["held_out"]
    assert again == pytest.approx(row["held_out"], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("noise, learned", {"separator": "\n"}),
        ("rnn taps, residual", {}),
        pytest.param("lstm FGR", {"separator": "\n"}, marks=pytest.mark.slow),
        pytest.param("noise", {}, marks=pytest.mark.slow),
        pytest.param("noise, learned", {"separator": "\n", "bptt": "full"}, marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_equals_never_killed(
    tmp_path: Path, book: Path, kept: Callable[[Path], Any], name: str, more: dict[str, Any]
) -> None:
    settings = TextTask(
        TextData((book,), held_out=0.1, separator=more.get("separator")),
        dataclasses.replace(MODEL, layers=1, **CELLS[name]),
        dataclasses.replace(
            TRAINING,
            steps=4,
            checkpoint_seconds=0.0,
            evaluate_every=3,
            longest_document=1000,
            bptt=more.get("bptt", "truncated"),
        ),
    )
    TextModel.create(settings, tmp_path / "whole").fit()
    model = TextModel.create(settings, tmp_path / "killed")
    for step in (2, 4):
        with pytest.raises(Killed):
            model.fit(Killer(step))
        torch.manual_seed(step)  # a new process begins with other random numbers
        model = TextModel.resume(Run.open(tmp_path / "killed"))
    model.fit()
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")


def test_learned_states_are_trained_where_texts_begin(train: Train) -> None:
    """With carried states every lane starts from zero or from the learned state once, and at each border."""
    trained = train(learned_states=True, separator="\n", steps=5, learning_rate=0.01)
    states = {key: value for key, value in trained.model.model.named_parameters() if "state_" in key}
    assert len(states) == 4
    assert all(bool((value != 0).all()) for value in states.values())
    plain = train(learned_states=True, steps=1, learning_rate=0.01)
    assert all(bool(value.any()) for key, value in plain.model.model.named_parameters() if "state_" in key)


def test_noise_is_for_training_alone(train: Train) -> None:
    noisy, plain = train(**CELLS["noise"], layers=1, steps=1), train(layers=1, zoneout=0.1, steps=1)
    assert noisy.divergences[0] != plain.divergences[0]
    model = noisy.model.model.eval()
    symbols = torch.zeros(9, 2, dtype=torch.int64)
    assert torch.equal(model(symbols)[0], model(symbols)[0])


@pytest.mark.parametrize("name", ["cosine", "linear", "constant", "exponential", "plateau", "epochs"])
def test_every_schedule_runs(train: Train, name: str) -> None:
    trained = train(schedule=name, learning_rate=0.01)
    rates = [row["learning_rate"] for row in trained.heard.rows]
    assert rates[0] == 0.01
    assert rates == sorted(rates, reverse=True)
    assert (rates[-1] < 0.01) == (name not in ("constant", "plateau", "epochs"))


@pytest.mark.parametrize("budget", [{"steps": 12}, {"epochs": 2.0, "steps": None}, {"minutes": 1e-3, "steps": None}])
def test_epochs_lower_the_rate_and_are_measured(train: Train, budget: dict[str, Any]) -> None:
    """Of 5 windows each, whatever the budget is counted in: one in minutes is not steps before step 25."""
    trained = train(
        schedule="epochs", learning_rate=0.5, flat_epochs=1, decay=0.9, evaluations_per_epoch=1, batch_size=8,
        window=70, **budget,
    )  # fmt: skip
    rows = trained.heard.rows
    assert len(rows) >= 10
    assert [row["learning_rate"] for row in rows] == pytest.approx(
        [0.5 * 0.9 ** (step // 5) for step in range(len(rows))]
    )
    measured = [row["step"] for row, _ in trained.heard.evaluations]
    assert measured == sorted({*range(5, len(rows) + 1, 5), len(rows)})


def test_several_measurements_in_an_epoch(train: Train) -> None:
    settings: dict[str, Any] = {"batch_size": 8, "window": 70, "steps": 11}  # 5 windows an epoch
    found = train(**settings, evaluations_per_epoch=2).heard.evaluations
    assert [row["step"] for row, _ in found] == [3, 5, 8, 10, 11]
    assert [row["step"] for row, _ in train(**settings, evaluations_per_epoch=5).heard.evaluations] == list(
        range(1, 12)
    )


def test_the_gradient_of_rows_is_that_of_symbols_times_the_steps(train: Train) -> None:
    """What Zaremba et al. train with: sums over the steps of a window, means over its rows."""
    settings: dict[str, Any] = {"optimizer": "sgd", "weight_decay": 0.0, "keep": "last", "schedule": "constant"}
    symbols = train(**settings, learning_rate=0.16, clip_norm=0.01)
    rows = train(**settings, learning_rate=0.01, clip_norm=0.16, per="row")
    assert rows.divergences == pytest.approx(symbols.divergences, rel=1e-5)
    for row, symbol in zip(rows.heard.rows, symbols.heard.rows, strict=True):
        assert row["gradient_norm"] == pytest.approx(16 * symbol["gradient_norm"], rel=1e-4)
    for name, value in rows.model.model.state_dict().items():
        assert float((value - symbols.model.model.state_dict()[name]).abs().max()) <= 1e-6, name


def test_drawn_windows_are_trained_at_rates_by_their_lengths(train: Train) -> None:
    settings: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 2.0, "weight_decay": 0.0, "clip_norm": None}
    trained = train(**settings, vary_window=True, keep="last", schedule="constant", steps=1, window=20, seed=5)
    model = trained.model
    window = Lanes(model.corpus.train, 4, 20, 0, vary=5).next()
    assert len(window.inputs) != 20
    torch.manual_seed(5 * 1_000_003)
    again = TextModel.create(model.task, model.run.folder.with_name("again"))
    before = {name: value.clone() for name, value in again.model.state_dict().items()}
    logits, _ = again.model(window.inputs)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), window.targets.flatten()).backward()
    for name, parameter in again.model.named_parameters():
        assert parameter.grad is not None
        want = before[name] - 2.0 * len(window.inputs) / 20 * parameter.grad
        assert float((model.model.state_dict()[name] - want).abs().max()) <= 1e-6, name
    assert trained.heard.rows[0]["learning_rate"] == 2.0, "of a whole window"
    assert trained.heard.rows[0]["characters"] == window.tokens


def test_whole_documents_are_trained_one_by_one(train: Train) -> None:
    trained = train(
        bptt="full", separator="\n", batch_size=5, longest_document=500, steps=None, epochs=2.0, learning_rate=0.03
    )
    corpus = trained.model.corpus
    documents, characters = corpus.train.documents, corpus.train.characters
    steps_of_epoch = math.ceil(documents / 5)
    rows = trained.heard.rows
    assert len(rows) == 2 * steps_of_epoch
    assert rows[steps_of_epoch - 1]["characters"] == characters + documents  # each character, and each document's end
    assert rows[2 * steps_of_epoch - 1]["characters"] == 2 * (characters + documents)
    assert trained.divergences[-1] < trained.divergences[0] - 0.5


def test_a_document_longer_than_allowed_is_refused_before_anything_is_left(tmp_path: Path, train: Train) -> None:
    with pytest.raises(InputError, match="was asked for at most 100; use truncated"):
        train(bptt="full", longest_document=100)
    assert [path.name for path in tmp_path.iterdir()] == ["book.txt"]


def test_without_carried_state_every_window_starts_from_zero(train: Train) -> None:
    """With learning so slow that nothing changes, a window's divergence shows what state it began with."""
    settings: dict[str, Any] = {"learning_rate": 1e-30, "steps": 4, "init": "torch", "clip_norm": None}
    carried, fresh = train(**settings), train(**settings, carry=False)
    model = fresh.model.model
    tokens = np.asarray(fresh.model.corpus.train.tokens).astype(np.int64)
    lane = (len(tokens) - 1) // 4
    with torch.no_grad():
        states = None
        for step in range(4):
            places = [row * lane + step * 16 for row in range(4)]
            inputs = torch.from_numpy(np.stack([tokens[place : place + 16] for place in places], 1))
            targets = torch.from_numpy(np.stack([tokens[place + 1 : place + 17] for place in places], 1))
            for trained, given in ((carried, states), (fresh, None)):
                logits, finals = model(inputs, given)
                value = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()
                assert trained.divergences[step] == pytest.approx(value, rel=1e-6)
                states = finals if trained is carried else states
    assert carried.divergences[1:] != fresh.divergences[1:]


def test_bfloat16_stays_near_float32(train: Train) -> None:
    exact, rough = train(steps=10), train(steps=10, precision="bfloat16")
    assert rough.divergences != exact.divergences
    assert rough.divergences == pytest.approx(exact.divergences, rel=0.01)
    assert all(parameter.dtype == torch.float32 for parameter in rough.model.model.parameters())
    checkpoint = find_checkpoint(rough.model.run.checkpoint_folder)
    assert checkpoint is not None
    state = read_checkpoint(checkpoint, 0, 1)
    assert {value.dtype for value in state["progress"]["states"]} == {torch.float32}


def test_patience_stops_early_and_the_best_weights_are_kept(train: Train) -> None:
    trained = train(learning_rate=3.0, steps=40, evaluate_every=1, patience=3, warmup=10)
    measured = [row["held_out"] for row, _ in trained.heard.evaluations]
    assert len(measured) < 40
    assert len(trained.heard.rows) == len(measured)
    best = measured.index(min(measured))
    assert len(measured) == best + 1 + 3
    assert [improved for _, improved in trained.heard.evaluations][best:] == [True, False, False, False]
    corpus = trained.model.corpus
    again = TextObjective(corpus, TRAINING).evaluate(trained.model.model)["held_out"]
    assert again == pytest.approx(min(measured), rel=1e-9)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_which_weights_are_kept(train: Train, keep: str) -> None:
    trained = train(learning_rate=50.0, steps=9, evaluate_every=3, warmup=8, schedule="constant", keep=keep)
    measured = [row["held_out"] for row, _ in trained.heard.evaluations]
    assert measured[-1] > min(measured)
    checkpoint = find_checkpoint(trained.model.run.checkpoint_folder)
    assert checkpoint is not None
    last = read_checkpoint(checkpoint, 0, 1)
    assert last["progress"]["best"] == min(measured)
    weights = read_tensors(trained.model.run.model_path)
    assert weights.keys() == last["model"].keys()
    assert all(torch.equal(weights[name], last["model"][name]) for name in weights) == (keep == "last")


def test_measurements_come_as_often_as_asked(train: Train) -> None:
    assert [row["step"] for row, _ in train(steps=25).heard.evaluations] == [3, 6, 9, 12, 15, 18, 21, 24, 25]
    assert [row["step"] for row, _ in train(steps=10).heard.evaluations] == list(range(1, 11))
    assert [row["step"] for row, _ in train(steps=10, evaluate_every=4).heard.evaluations] == [4, 8, 10]
    assert [row["step"] for row, _ in train(steps=3, evaluate_every=100).heard.evaluations] == [3]


def test_epochs_are_turned_into_steps(train: Train) -> None:
    trained = train(steps=None, epochs=1.5, batch_size=8, window=100)
    corpus = trained.model.corpus
    lane = (len(corpus.train.tokens) - 1) // 8
    windows = math.ceil(lane / 100)
    assert trained.heard.start == (0, round(1.5 * windows))
    assert trained.heard.rows[windows - 1]["characters"] == lane * 8


def test_clipping_bounds_what_the_optimiser_sees(train: Train) -> None:
    """With plain SGD at rate 1 a step is as long as the gradient that was let through."""

    def moved(**settings: Any) -> tuple[float, float]:
        trained = train(optimizer="sgd", learning_rate=1.0, weight_decay=0.0, steps=1, keep="last", **settings)
        torch.manual_seed(0)
        begun = LanguageModel(len(trained.model.tokenizer), MODEL)
        steps = [
            (after - before).flatten()
            for after, before in zip(trained.model.model.parameters(), begun.parameters(), strict=True)
        ]
        return torch.cat(steps).norm().item(), torch.cat(steps).abs().max().item()

    length, largest = moved(clip_norm=None)
    assert length > 0.1
    assert moved(clip_norm=0.05)[0] == pytest.approx(0.05, rel=1e-4)
    assert moved(clip_norm=None, clip_value=0.001)[1] == pytest.approx(0.001, rel=1e-2)
    assert moved(clip_norm=1e6) == pytest.approx((length, largest), rel=1e-6)


def test_rows_say_what_happened(train: Train) -> None:
    trained = train(steps=5)
    rows = trained.heard.rows
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["characters"] for row in rows] == [64, 128, 192, 256, 320]
    assert all(row["gradient_norm"] > 0 and row["per_second"] > 0 for row in rows)
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)
    assert trained.model.run.read_history() == rows
    assert trained.divergences[0] == pytest.approx(math.log(len(trained.model.tokenizer)), rel=0.05)


def test_long_runs_leave_rows_out(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "ROWS_KEPT", 4)
    kept = train(steps=16, evaluate_every=7).model.run.read_history()
    assert [row["step"] for row in kept] == [
        1,
        4,
        7,
        8,
        12,
        14,
        16,
    ]  # every fourth, and those with a measurement or look
    assert [row["step"] for row in kept if "held_out" in row] == [7, 14, 16]


@pytest.mark.parametrize(
    "settings",
    [
        *({name: 0} for name in ("steps", "batch_size", "window", "longest_document", "devices")),
        *({name: -1} for name in ("steps", "warmup", "evaluate_every", "patience", "threads", "seed")),
        *({name: -1} for name in ("average_trigger", "fewest_steps", "flat_epochs", "evaluations_per_epoch")),
        *({"decay": decay} for decay in (0.0, -0.5, 1.5, math.nan)),
        {"average": 0.9, "average_trigger": 5},
        {"evaluate_every": 3, "evaluations_per_epoch": 1},
        {"vary_window": True, "bptt": "full"},
        *({name: -1.0} for name in ("weight_decay", "momentum", "final_learning_rate", "checkpoint_seconds")),
        *({name: 0.0} for name in ("epochs", "minutes", "learning_rate", "clip_norm", "clip_value", "beta2")),
        *({name: math.nan} for name in ("epochs", "minutes", "learning_rate", "clip_norm", "weight_decay", "beta2")),
        *({name: math.inf} for name in ("epochs", "minutes", "learning_rate")),
        {"beta2": 1.0},
        {"seed": 2**32},
        {"steps": 3, "epochs": 1.0},
        {"steps": 3, "minutes": 1.0},
        {"accelerator": "abacus"},
        {"strategy": "none"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        TrainingConfig(**settings)
    message = str(caught.value)
    assert "\n" not in message
    assert all(name.replace("_", "-") in message for name in settings)


@pytest.mark.usefixtures("unchecked_annotations")
def test_an_unknown_optimiser_is_refused() -> None:
    with pytest.raises(InputError, match="choose one of adamw, adam"):
        TrainingConfig(optimizer="adamant")  # pyright: ignore[reportArgumentType]


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(("name", "value"), [("schedule", "moon"), ("per", "page")])
def test_an_unknown_choice_is_refused(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"--{name} is '{value}'; choose"):
        TrainingConfig(**{name: value})  # pyright: ignore[reportArgumentType]


def test_examples_without_end_have_no_epochs() -> None:
    with pytest.raises(InputError, match="--schedule epochs counts passes over data"):
        SizedTraining(schedule="epochs")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused(tmp_path: Path, train: Train) -> None:
    for settings, message in (
        ({"accelerator": "cuda"}, "finds no CUDA device here"),
        ({"strategy": "fsdp"}, "leave it"),
    ):
        with pytest.raises(InputError, match=message):
            train(**settings)
    assert [path.name for path in tmp_path.iterdir()] == ["book.txt"]


def test_a_batch_that_the_processes_cannot_share_is_refused(tmp_path: Path, train: Train) -> None:
    with pytest.raises(InputError, match="expected a multiple of the 3 processes"):
        train(devices=3, accelerator="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["book.txt"]


def test_the_default_budget_is_minutes() -> None:
    assert TrainingConfig().budget_minutes == 5
    assert TrainingConfig(minutes=2.0).budget_minutes == 2
    assert TrainingConfig(steps=3).budget_minutes is None
    assert TrainingConfig(epochs=3.0).budget_minutes is None
