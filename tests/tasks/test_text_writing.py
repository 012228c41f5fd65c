"""What a text model writes: by its seed, to its end, before the stop string."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from peephole.data.config import TextData
from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.config import Sampling
from peephole.generate.sampling import Writing
from peephole.models.language.config import LanguageConfig
from peephole.tasks import load
from peephole.tasks.config import TextTask
from peephole.tasks.text import writing
from peephole.tasks.text.ending import Ending
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig


@pytest.fixture(scope="module")
def model(trained: Path) -> TextModel:
    return load(trained)


def test_the_same_seed_writes_the_same_text_everywhere(trained: Path, model: TextModel) -> None:
    how: dict[str, Any] = {"temperature": 0.9, "top_p": 0.95, "seed": 4}
    once = model.sample("The ", 80, **how)
    assert len(once) == 80
    torch.set_num_threads(2)
    assert model.sample("The ", 80, **how) == once
    assert model.sample("The ", 80, **{**how, "seed": 5}) != once
    script = f"import peephole; print(peephole.load({str(trained)!r}).sample('The ', 80, **{how}), end='')"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout == once


def test_a_longer_text_begins_with_the_shorter(model: TextModel) -> None:
    long = model.sample("The ", 60)
    for length in (1, 7, 30):
        assert model.sample("The ", length) == long[:length]


def test_writing_goes_on_from_what_was_written(model: TextModel) -> None:
    """At temperature 0, a text is what one gets from its own beginning."""
    text = model.sample("The ", 40, temperature=0.0)
    for cut in (1, 11, 39):
        assert model.sample("The " + text[:cut], 40 - cut, temperature=0.0) == text[cut:]


def test_certainty_is_the_argmax(model: TextModel) -> None:
    prime = "The "
    for _ in range(20):
        likeliest = next(symbol for symbol, _ in model.next(prime) if symbol != "<unk>")
        assert model.sample(prime, 1, temperature=0.0) == likeliest
        assert model.sample(prime, 1, top_k=1, seed=9) == likeliest
        prime += likeliest


def test_several_texts_are_written_side_by_side(model: TextModel) -> None:
    texts = [""] * 3
    for index, piece in model.write("The ", 50, Sampling(seed=2), streams=3):
        texts[index] += piece
    assert [len(text) for text in texts] == [50] * 3
    assert texts[0] == model.sample("The ", 50, seed=2)
    assert len(set(texts)) == 3


def test_the_distribution_of_the_next_character(model: TextModel) -> None:
    ranked = model.next("The ")
    assert sum(probability for _, probability in ranked) == pytest.approx(1, abs=1e-5)
    assert [probability for _, probability in ranked] == sorted((p for _, p in ranked), reverse=True)
    assert sorted(symbol for symbol, _ in ranked) == sorted(model.tokenizer.symbols)
    stream = model.stream()
    logs = None
    for symbol in model.encode_prime("The "):
        logs = stream.step(torch.tensor([symbol]))
    assert logs is not None
    for symbol, probability in ranked:
        expected = math.exp(float(logs[0, model.tokenizer.symbols.index(symbol)]))
        assert probability == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("how", [{"length": 0}, {"length": -1}, {"streams": 0}, {"stop": ""}])
def test_impossible_wishes_are_refused_at_once(model: TextModel, how: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        model.write(**how)  # not only when the first piece is asked for


def test_characters_that_training_never_saw_are_named(model: TextModel) -> None:
    with pytest.raises(InputError, match=r"'ß' \(U\+00DF\), '😀' \(U\+1F600\); leave them out"):
        model.write("Straße 😀")
    with pytest.raises(InputError, match="half a character"):
        model.write("a\udc80")


def test_unknown_is_no_character_to_write(trained: Path) -> None:
    model = load(trained)
    with torch.no_grad():
        model.model.head.bias[model.tokenizer.unk] = 100.0
    assert model.next("The ")[0] == ("<unk>", pytest.approx(1))
    text = model.sample("The ", 50) + model.sample("The ", 50, temperature=0.0)
    assert len(text) == 100
    assert set(text) <= set(model.tokenizer.symbols)
    assert "<" not in text


class Script(Writing):
    """In place of `Writing`: texts that draw known symbols, a step at a time."""

    def __init__(self, rows: list[list[int]], other: int) -> None:
        self.rows, self.other, self.open, self.place = rows, other, list(range(len(rows))), 0

    def take(self, most: int) -> NDArray[np.int64]:
        assert most >= 1
        assert self.place < 1000, "went on for ever"
        drawn = [self.rows[number][self.place :][:1] or [self.other] for number in self.open]
        self.place += 1
        return np.array(drawn).T

    def close(self, number: int) -> None:
        self.open.remove(number)


def spelled(scripts: list[str], stop: str | None, length: int = 100) -> list[tuple[int, str]]:
    """What `write` gives when each stream draws the symbols of its script, | for `<eod>`, then x for ever."""
    tokenizer = Tokenizer.characters(dict.fromkeys("abcdex ", 1))
    ids = [[tokenizer.eod if c == "|" else int(tokenizer.encode(c)[0]) for c in script] for script in scripts]
    return spelled_ids(ids, int(tokenizer.encode("x")[0]), tokenizer, length, stop)


def spelled_ids(
    ids: list[list[int]], other: int, tokenizer: Tokenizer, length: int, stop: str | None = None
) -> list[tuple[int, str]]:
    return list(writing.spell(Script(ids, other), tokenizer, Ending(length, stop=stop), [tokenizer.eod]))


def joined(pieces: list[tuple[int, str]], stream: int = 0) -> str:
    return "".join(piece for index, piece in pieces if index == stream)


@pytest.mark.parametrize(
    ("script", "stop", "written"),
    [
        ("abcde|xx", None, "abcde"),
        ("|abc", None, ""),
        ("abcde", "cd", "ab"),
        ("abcde", "a", ""),
        ("aab|", "ab", "a"),
        ("aaab|", "aab", "a"),  # the beginning of a stop string within another
        ("abababc|", "ababc", "ab"),
        ("aabaabaac|", "aabaac", "aab"),
        ("abcab|", "abd", "abcab"),  # held back, then not a stop string after all
        ("ab|cd", "abcd", "ab"),  # a document's end lets go of what was held back
        ("cdcdcd|", "cdcde", "cdcdcd"),
    ],
)
def test_texts_end_before_the_stop_string_exactly(script: str, stop: str | None, written: str) -> None:
    assert joined(spelled([script], stop)) == written


def test_the_length_lets_go_of_what_was_held_back() -> None:
    assert joined(spelled(["abcabc"], "abcabcabc", length=5)) == "abcab"
    assert joined(spelled(["abcde"], "cde", length=4)) == "abcd"
    assert joined(spelled(["abcde"], "cde", length=5)) == "ab"


def test_stop_strings_against_every_cut_of_random_texts() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        script = "".join(generator.choice(list("ab"), 12))
        stop = "".join(generator.choice(list("ab"), generator.integers(1, 5)))
        pieces = spelled([script + "|"], stop)
        assert joined(pieces) == script.split(stop)[0]
        assert all(piece for _, piece in pieces)


def test_what_is_sure_is_given_at_once() -> None:
    assert spelled(["abcd|"], None) == [(0, "a"), (0, "b"), (0, "c"), (0, "d")]
    assert spelled(["abxcd|"], "abc") == [(0, "abx"), (0, "c"), (0, "d")]
    assert spelled(["ab|", "cde|"], "dx") == [(0, "a"), (1, "c"), (0, "b"), (1, "de")]


def test_streams_end_each_at_its_own_place() -> None:
    pieces = spelled(["a|bcd", "abcde|", "aaaaaaaaaaa"], "de", length=8)
    assert [joined(pieces, stream) for stream in range(3)] == ["a", "abc", "aaaaaaaa"]


def test_characters_of_several_bytes_appear_whole(tmp_path: Path) -> None:
    tokenizer = Tokenizer.characters({"a": 1}, unknown="bytes")
    eod = tokenizer.eod
    symbols = [*tokenizer.encode("a€a").tolist(), eod]
    assert spelled_ids([symbols], eod, tokenizer, 10) == [(0, "a"), (0, "€"), (0, "a")]
    broken = [int(tokenizer.encode("€")[0]), *symbols]
    assert joined(spelled_ids([broken], eod, tokenizer, 1)) == "\ufffd"  # and not the a that follows
    cut = [*tokenizer.encode("a€")[:-1].tolist(), eod]
    assert spelled_ids([cut], eod, tokenizer, 10) == [(0, "a"), (0, "\ufffd")]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    """A model that learned many short documents by heart, and with them where one ends."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "names.txt").write_text("\n".join(["anna", "bert", "carla", "dora"] * 60))
    training = TrainingConfig(steps=150, batch_size=8, window=24, threads=1, warmup=5, learning_rate=0.03)
    model = LanguageConfig(hidden_size=16, embedding_size=8, layers=1, dropout=0.0)
    data = TextData((folder / "names.txt",), separator="\n")
    made = TextModel.create(TextTask(data, model, training), folder / "run")
    made.fit()
    return made


def test_a_model_of_short_documents_learns_to_end(names: TextModel) -> None:
    texts = [""] * 40
    for index, piece in names.write(length=100, how=Sampling(temperature=0.5), streams=40):
        texts[index] += piece
    assert set(texts) == {"anna", "bert", "carla", "dora"}
    assert names.sample("be") == "rt"
    assert names.sample("carl", stop="a") == ""
    assert names.next("anna")[0] == ("<eod>", pytest.approx(1, abs=0.05))
