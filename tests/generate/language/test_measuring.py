"""Counting n-grams of text files, and what texts cost."""

import math
from pathlib import Path

import numpy as np
import pytest

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.generate.language.arpa.reading import read_arpa
from peephole.generate.language.arpa.writing import write_arpa
from peephole.generate.language.measuring import cost_of_files, count_text
from peephole.models.ngram import NGram


def some_text(seed: int, lines: int) -> str:
    generator = np.random.default_rng(seed)
    words = ["the", "cat", "sat", "on", "a", "mat", ",", "."]
    return "".join(" ".join(generator.choice(words, 6).tolist()) + " .\n" for _ in range(lines))


@pytest.mark.parametrize(("tokens", "words"), [("word", "auto"), ("word", "split"), ("char", "auto")])
def test_a_file_costs_what_it_costs_the_counts(tmp_path: Path, tokens: str, words: str) -> None:
    (tmp_path / "train.txt").write_text(some_text(0, 200))
    (tmp_path / "valid.txt").write_text(some_text(1, 20) + "\na dog sat .\n")
    data = TextData((tmp_path,), tokens=tokens, words=words)  # pyright: ignore[reportArgumentType]
    found = count_text(data, 3)
    (cost,) = found.costs
    assert found.tokenizer.unit == ("characters" if tokens == "char" else "words")
    text = (tmp_path / "valid.txt").read_text()
    wanted = len(text) if tokens == "char" else len(text.split()) + text.count("\n")
    assert (cost.text, cost.tokens, cost.impossible) == ("held-out part", wanted, 0)
    assert cost.unknown == (2 if tokens == "char" else 1)  # d and g, or dog
    write_arpa(found.ngram, found.tokenizer.symbols, tmp_path / "model.arpa")
    (again,) = cost_of_files(read_arpa(tmp_path / "model.arpa"), [tmp_path / "valid.txt"])
    assert (again.tokens, again.unknown) == (cost.tokens, cost.unknown)
    assert abs(again.perplexity - cost.perplexity) <= 1e-5 * cost.perplexity
    assert abs(again.known_perplexity - cost.known_perplexity) <= 1e-5 * cost.known_perplexity
    assert cost.known_perplexity < cost.perplexity


def test_costs_by_hand(tmp_path: Path) -> None:
    content = "\\data\\\nngram 1=4\n\n\\1-grams:\n-0.5\t</s>\n-99\t<s>\n-0.25\tone\n-1\t<unk>\n\n\\end\\\n"
    (tmp_path / "model.arpa").write_text(content)
    (tmp_path / "text").write_text("one two one\n\none")  # the last line has no end, and is a sentence all the same
    (cost,) = cost_of_files(read_arpa(tmp_path / "model.arpa"), [tmp_path / "text"])
    assert (cost.text, cost.tokens, cost.unknown, cost.impossible) == ("text", 7, 1, 0)
    assert abs(cost.perplexity - 10 ** ((3 * 0.25 + 1 + 3 * 0.5) / 7)) <= 1e-12
    assert abs(cost.known_perplexity - 10 ** ((3 * 0.25 + 3 * 0.5) / 6)) <= 1e-12
    (tmp_path / "model.arpa").write_text(content.replace("ngram 1=4", "ngram 1=3").replace("-1\t<unk>\n", ""))
    (closed,) = cost_of_files(read_arpa(tmp_path / "model.arpa"), [tmp_path / "text"])
    assert (closed.tokens, closed.unknown, closed.impossible) == (6, 0, 1)
    assert abs(closed.perplexity - cost.known_perplexity) <= 1e-12
    assert closed.as_json()["nats_per_token"] == math.log(closed.perplexity)


def test_characters_without_line_ends(tmp_path: Path) -> None:
    for name, seed in (("train.txt", 0), ("valid.txt", 1)):
        (tmp_path / name).write_text(some_text(seed, 100).replace("\n", " "))
    found = count_text(TextData((tmp_path,), tokens="char"), 4)
    assert found.ngram.boundary == found.tokenizer.eod
    assert 1 < found.costs[0].perplexity < 5


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("one two\n" * 20)
    (tmp_path / "valid.txt").write_text("one\n")
    with pytest.raises(InputError, match="n-grams: order is 9: expected 1"):
        count_text(TextData((tmp_path,), tokens="word"), 9)
    model = NGram.fit([2, 3, 2], 4, 1, 2, (0,))
    write_arpa(model, ["<eod>", "<unk>", "\n", "one"], tmp_path / "model.arpa")
    with pytest.raises(InputError, match=r"gone.*cannot be read"):
        cost_of_files(read_arpa(tmp_path / "model.arpa"), [tmp_path / "gone"])
