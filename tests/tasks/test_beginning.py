"""Nets that start from vectors made elsewhere: which words get them, what stays fixed, and what a run still needs."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peephole.data.config import TextData
from peephole.data.tagging.config import TaggingData
from peephole.embed.files.reading import write_vectors
from peephole.embed.vectors import Vectors
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.models.words import WordsAndCharacters
from peephole.runs.folder import Run
from peephole.runs.tensors import read_tensors
from peephole.tasks import load
from peephole.tasks.config import TextTask
from peephole.tasks.model import TaskModel
from peephole.tasks.tagging.model import TaggingModel
from peephole.tasks.tagging.settings import TaggingNet, TaggingTask, TaggingTraining
from peephole.tasks.text.model import TextModel
from peephole.train.checkpoint import find_checkpoint
from peephole.train.config import TrainingConfig

TRAINING = TrainingConfig(steps=6, batch_size=2, window=8, threads=1, warmup=2, checkpoint_seconds=0.0, watch=0)
WORDS = ("the", "mouse", "</s>", "elsewhere")
ROWS = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
TDNN = {"context": 3, "layers": 1, "dropout": 0.0}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("The cat saw the mouse .\nthe mouse saw The dog\n" * 40)
    return path


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    write_vectors(Vectors(WORDS, ROWS), tmp_path / "vectors.bin")
    return tmp_path / "vectors.bin"


def task(text: Path, vectors: Path | None, training: TrainingConfig = TRAINING, **model: Any) -> TextTask:
    net = LanguageConfig(**{"hidden_size": 8, "embedding_size": 6, "vectors": vectors, **model})
    return TextTask(TextData((text,), tokens="word", words="spaces"), net, training)


def state(model: TaskModel[Any]) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("net", [{}, {"tied": True, "narrow_last": True}, TDNN], ids=["lstm", "tied", "tdnn"])
def test_words_get_their_vectors_and_the_others_start_as_ever(
    tmp_path: Path, text: Path, vectors: Path, net: dict[str, Any]
) -> None:
    plain = TextModel.create(task(text, None, **net), tmp_path / "plain")
    model = TextModel.create(task(text, vectors, **net), tmp_path / "run")
    rows, usual = model.model.embedding.weight, plain.model.embedding.weight
    expected = {"the": 0, "The": 0, "mouse": 1, "<eos>": 2}
    found = [model.tokenizer.symbols.index(word) for word in expected]
    others = [place for place in range(len(model.tokenizer)) if place not in found]
    assert torch.equal(rows[others], usual[others])
    given = torch.from_numpy(ROWS[list(expected.values())])
    factor = usual.square().mean().sqrt() / given.square().mean().sqrt()
    assert torch.allclose(rows[found], given * factor, rtol=1e-6)
    rest = {name: value for name, value in state(model).items() if value.shape != rows.shape}
    assert all(torch.equal(value, state(plain)[name]) for name, value in rest.items())
    assert f"vectors of 4 of {len(model.tokenizer)} words from {vectors}" in model.describe()
    assert len(model.task.vectors_sha256 or "") == 64
    assert equal(state(model), {name: value.clone() for name, value in model.net_before().state_dict().items()})


def test_a_run_goes_on_and_opens_without_the_file(tmp_path: Path, text: Path, vectors: Path) -> None:
    whole = TextModel.create(task(text, vectors, frozen_vectors=True), tmp_path / "whole")
    whole.fit()
    killed = TextModel.create(task(text, vectors, frozen_vectors=True), tmp_path / "killed")
    vectors.unlink()
    again = TextModel.resume(Run.open(killed.run.folder))
    assert equal(state(again), state(killed))
    again.fit()
    assert equal(state(again), state(whole))
    again.run.vectors_path.unlink()  # a run with weights does without it too
    assert equal(state(load(again.run.folder)), state(whole))
    longer = TextModel.resume(Run.open(again.run.folder))
    longer.fit(steps=8)
    assert not equal(state(longer), state(whole))


def test_before_the_first_weights_the_file_is_needed_as_it_was(tmp_path: Path, text: Path, vectors: Path) -> None:
    run = TextModel.create(task(text, vectors), tmp_path / "run").run
    run.vectors_path.unlink()
    TextModel.resume(run)
    for content, message in ((b"1 6\nthe 1 2 3 4 5 6\n", "changed since the run began"), (None, "cannot be read")):
        run.vectors_path.unlink()
        vectors.write_bytes(content) if content else vectors.unlink()
        with pytest.raises(InputError, match=message):
            TextModel.resume(run)
        run.vectors_path.touch()
    with pytest.raises(InputError, match=r"vectors\.safetensors: damaged"):
        TextModel.resume(run)


@pytest.mark.parametrize("net", [{}, TDNN], ids=["lstm", "tdnn"])
@pytest.mark.parametrize("average", [{"average": 0.9}, {"average_trigger": 1, "learning_rate": 9.0}], ids=str)
def test_frozen_vectors_stay_as_they_are(
    tmp_path: Path, text: Path, vectors: Path, net: dict[str, Any], average: dict[str, Any]
) -> None:
    training = dataclasses.replace(TRAINING, weight_decay=0.5, evaluate_every=1, keep="last", watch=2, **average)
    model = TextModel.create(task(text, vectors, training, frozen_vectors=True, **net), tmp_path / "run")
    before = state(model)
    model.fit()
    after = state(model)
    assert torch.equal(before["embedding.weight"], after["embedding.weight"])
    assert [name for name in after if torch.equal(before[name], after[name])] == ["embedding.weight"]
    assert model.model.embedding.weight.grad is None
    checkpoint = find_checkpoint(model.run.checkpoint_folder)
    assert checkpoint is not None
    kept = read_tensors(checkpoint / "rank-0.safetensors")
    assert torch.equal(kept["model"]["embedding.weight"], before["embedding.weight"])
    assert torch.equal(kept["average"]["embedding.weight"], before["embedding.weight"])
    names = [name for name, _ in model.model.named_parameters()]
    assert {names[int(place)] for place in kept["optimizer"]["state"]} == {*names} - {"embedding.weight"}


def test_tied_by_itself_only_where_the_output_learns() -> None:
    for frozen in (False, True):
        net = LanguageConfig(hidden_size=8, embedding_size=8, vectors=Path("v"), frozen_vectors=frozen)
        assert net.ties(5000) is not frozen


def test_what_cannot_start_leaves_nothing(tmp_path: Path, text: Path, vectors: Path) -> None:
    (tmp_path / "others").write_text("2 6\nkatze 1 2 3 4 5 6\nmaus 1 2 3 4 5 6\n")
    (tmp_path / "zeros").write_text("1 6\nthe 0 0 0 0 0 0\n")
    (tmp_path / "cut").write_bytes(vectors.read_bytes()[:-9])
    wrong = {
        "vectors of 6 numbers, and --embedding-size is 7; pass --embedding-size 6": task(
            text, vectors, embedding_size=7
        ),
        "has a vector for none of the 10 words, such as": task(text, tmp_path / "others"),
        "the vectors of the 2 words that it knows are zeros": task(text, tmp_path / "zeros"),
        "cut short": task(text, tmp_path / "cut"),
        "cannot be read": task(text, tmp_path / "missing"),
    }
    there = sorted(tmp_path.iterdir())
    for message, given in wrong.items():
        with pytest.raises(InputError, match=message) as caught:
            TextModel.create(given, tmp_path / "run")
        assert "\n" not in str(caught.value)
        assert sorted(tmp_path.iterdir()) == there
    with pytest.raises(InputError, match="--frozen-vectors and --tied would fix the output too"):
        task(text, vectors, frozen_vectors=True, tied=True, hidden_size=6)
    with pytest.raises(InputError, match="--frozen-vectors keeps the vectors of --vectors"):
        task(text, None, frozen_vectors=True)
    with pytest.raises(InputError, match="--frozen-vectors keeps the vectors of --vectors"):
        TaggingNet(frozen_vectors=True)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_tagger_starts_from_vectors_too(tmp_path: Path, vectors: Path, frozen: bool) -> None:
    (tmp_path / "train.txt").write_text("The\tD\nmouse\tN\nran\tV\n\nthe\tD\ndog\tN\nran\tV\n\n" * 20)
    data = TaggingData(files=(tmp_path / "train.txt",))
    sizes: dict[str, Any] = {"hidden_size": 8, "embedding_size": 6, "character_size": 4, "character_hidden": 4}
    net = TaggingNet(**sizes, vectors=vectors, frozen_vectors=frozen)
    training = TaggingTraining(epochs=None, steps=3, batch_size=4, average=0.9, watch=0)
    model = TaggingModel.create(TaggingTask(data, net, training, baseline=True), tmp_path / "run")
    layer = model.model.embedding
    assert isinstance(layer, WordsAndCharacters)
    before = layer.words.weight.detach().clone()
    the, mouse = (model.encoding.words.index(word) + 1 for word in ("the", "mouse"))
    factor = before[the] / torch.from_numpy(ROWS[0])
    assert torch.allclose(factor, factor[:1].expand(6), rtol=1e-5)
    assert torch.allclose(before[mouse], torch.from_numpy(ROWS[1]) * factor, rtol=1e-5)
    assert f"vectors of 2 of 3 words from {vectors}" in model.describe()
    model.fit()
    assert torch.equal(layer.words.weight, before) is frozen
    vectors.unlink()
    mlp = model.mlp()  # reads what the net beside it kept
    assert mlp is not None
    assert isinstance(mlp.model.embedding, WordsAndCharacters)
    assert torch.allclose(mlp.model.embedding.words.weight[the] / torch.from_numpy(ROWS[0]), factor, rtol=1e-1)
    assert equal(state(load(tmp_path / "run")), state(model))
