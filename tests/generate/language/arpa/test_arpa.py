"""ARPA files: what we write means to others what it means here, and theirs to us."""

import doctest
import gzip
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.errors import InputError
from peephole.generate.language.arpa import spelling
from peephole.generate.language.arpa.lines import is_arpa
from peephole.generate.language.arpa.model import NEVER, PARTING, UNKNOWN, WORDS
from peephole.generate.language.arpa.reading import read_arpa
from peephole.generate.language.arpa.writing import write_arpa
from peephole.models.ngram import NGram

# As SRILM writes models: `<s>` has no probability, weights are missing where nothing follows, no `<unk>`. Bigrams leave
# 0.4 after one and 0.5 after <s>, of which single words share by their own probabilities.
FOREIGN = """\
a preamble

\\data\\
ngram 1=4
ngram 2=4
ngram 3=1

\\1-grams:
-0.30103\t</s>
-99\t<s>\t-0.1760913
-0.60206\tone\t-0.09691
-0.60206\ttwo

\\2-grams:
-0.30103 <s> one -0.30103
-0.39794\tone two\t0
-0.5228787\tone </s>
-1\ttwo </s>

\\3-grams:
-0.1\t<s> one two

\\end\\
"""


def fitted(order: int = 3) -> tuple[NGram, list[str]]:
    symbols = ["<eod>", "<unk>", "\n", *"abcdefghijklmnop", "never"]
    generator = np.random.default_rng(0)
    text = [0]
    for length in generator.integers(0, 9, 400):
        text += [*generator.choice(np.arange(3, 19), length, p=np.arange(16, 0, -1) / 136).tolist(), 2]
    return NGram.fit(text, len(symbols), order, 2, (0,)), symbols


def by_the_format(path: Path, sentence: list[str]) -> float:
    """ln P of a sentence by a reader of the format written for reading: dictionaries and backing off."""
    logs: dict[tuple[str, ...], float] = {}
    weights: dict[tuple[str, ...], float] = {}
    length = 0
    for line in path.read_text().splitlines():
        if line.endswith("-grams:"):
            length = int(line[1])
        elif length and line and not line.startswith("\\"):
            log, *gram = line.split()
            logs[tuple(gram[:length])] = float(log)
            weights[tuple(gram[:length])] = float(gram[length]) if len(gram) > length else 0.0

    def log10(context: tuple[str, ...], word: str) -> float:
        if (*context, word) in logs:
            return logs[(*context, word)]
        return weights.get(context, 0.0) + log10(context[1:], word) if context else -math.inf

    words = ["<s>", *sentence, "</s>"]
    found = [log10(tuple(words[max(0, place - length + 1) : place]), words[place]) for place in range(1, len(words))]
    return sum(found) * math.log(10)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(spelling).failed == 0
    assert doctest.testmod(spelling).attempted > 0


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_what_is_written_is_read(tmp_path: Path, order: int, name: str) -> None:
    model, symbols = fitted(order)
    write_arpa(model, symbols, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert is_arpa(tmp_path / name)
    read = read_arpa(tmp_path / name)
    assert (read.ngram.order, read.left_out, read.knows_unknown) == (model.order, 0, True)
    assert read.ngram.sizes[1:] == model.sizes[1:]
    assert read.ngram.sizes[0] == len(symbols) - 1
    assert sorted(read.symbols) == sorted(symbols)
    sentences = [["a", "b"], [], ["never", "c", "nonsense", "a"], ["a", "a", "a", "a", "a"]]
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    ids = [2]
    for sentence in sentences:
        ids += [*(numbers.get(word, 1) for word in sentence), 2]
    found, wanted = read.ngram.surprisal(read.encode(sentences))[1:], model.surprisal(ids)[1:]
    assert np.abs(found - wanted).max() <= 3e-6  # 7 digits a number, a few numbers each
    for context in ([], [2], [2, 3], [5, 6, 7]):
        places = [read.symbols.index(symbols[token]) for token in context]
        assert abs(read.ngram.following(places).sum() - 1) <= 1e-5


def test_other_readers_find_the_same(tmp_path: Path) -> None:
    model, symbols = fitted()
    write_arpa(model, symbols, tmp_path / "model.arpa")
    for sentence in ["a b", "", "a a a a", "p o n never m", "<unk> a"]:
        ids = [2, *(symbols.index(word) for word in sentence.split()), 2]
        wanted = -model.surprisal(ids)[1:].sum()
        assert abs(by_the_format(tmp_path / "model.arpa", sentence.split()) - wanted) <= 2e-5
    content = (tmp_path / "model.arpa").read_text()
    assert content.startswith("\\data\\\nngram 1=20\n")
    assert content.endswith("\n\\end\\\n")
    assert "\n-99\t<s>\t" in content
    assert "<eod>" not in content


def test_a_model_of_others(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_text(FOREIGN)
    assert is_arpa(path) is False  # it has a preamble, and a name like any text
    model = read_arpa(path)
    assert model.symbols == ("<eod>", "<unk>", "\n", "one", "two")
    assert not model.knows_unknown
    for sentence in ["one two", "one", "two", "", "two two", "one one two", "one two one"]:
        found = -model.ngram.surprisal(model.encode([sentence.split()]))[1:].sum()
        assert abs(found - by_the_format(path, sentence.split())) <= 1e-12
    assert model.ngram.surprisal(model.encode([["three"]]))[1] == np.inf
    assert model.ngram.following([PARTING])[[NEVER, UNKNOWN]].tolist() == [0, 0]


def test_ngrams_over_the_ends_of_sentences_are_left_out(tmp_path: Path) -> None:
    """As the CMU toolkit counts them: a text as one stream."""
    content = FOREIGN.replace("ngram 2=4", "ngram 2=6").replace("ngram 3=1", "ngram 3=2")
    longer = "\n\\3-grams:\n"
    content = content.replace(longer, f"-0.2\t</s> <s>\t-0.1\n-0.3 two <s>\n{longer}-0.2\t</s> <s> one\n")
    (tmp_path / "plain.arpa").write_text(FOREIGN)
    (tmp_path / "more.arpa").write_text(content)
    plain, more = read_arpa(tmp_path / "plain.arpa"), read_arpa(tmp_path / "more.arpa")
    assert (plain.left_out, more.left_out) == (0, 3)
    assert more.ngram.sizes == plain.ngram.sizes
    ids = plain.encode([["one", "two"], [], ["two"]])
    assert (more.ngram.surprisal(ids) == plain.ngram.surprisal(ids)).all()


def test_texts_without_ends_of_sentences(tmp_path: Path) -> None:
    text = np.random.default_rng(0).integers(0, 5, 500)
    model = NGram.fit(text, 5, 3)
    write_arpa(model, ["a", " ", "\t", "<unk>", "é"], tmp_path / "model.arpa")
    assert "\t<space> <U+0009>\t" in (tmp_path / "model.arpa").read_text()
    read = read_arpa(tmp_path / "model.arpa")
    assert read.ngram.boundary is None
    assert read.of_characters
    assert read.symbols[WORDS:] == ("\t", " ", "a", "é")
    sentence = [("a", " ", "\t", "?", "é")[token] for token in text[:50]]
    found = read.ngram.surprisal(read.encode([sentence]))
    assert np.abs(found - model.surprisal(text[:50])).max() <= 3e-6


WRONG = {
    "": (None, "line 1: no .data.; expected an ARPA file"),
    "a text\nof lines\n": (None, "line 2: no .data.; expected"),
    "\\data\\\n\n\\1-grams:\n": (None, "line 3: .data. counts no single tokens"),
    "ngram 2=4": ("ngram 3=4", "line 5: 'ngram 3=4'; expected ngram 2="),
    "ngram 1=4": ("ngram 1=four", "line 4: 'ngram 1=four'; expected ngram 1="),
    "ngram 2=4\n": ("ngram 2=3\n", "line 18: 4 2-grams up to here; .data. counts 3"),
    "-1\ttwo </s>\n": ("", "line 17: 3 2-grams up to here; .data. counts 4"),
    "\\2-grams:\n": ("", "line 14: '-0.30103 <s> one -0.30103'; expected .2-grams:, of which .data. counts 4"),
    "\\3-grams:\n-0.1\t<s> one two\n\n": ("", "line 20: '.end.'; expected .3-grams:"),
    "-0.5228787": ("0.25", "line 17: log10 p is '0.25'; expected at most 0"),
    "-0.39794": ("nan", "line 16: log10 p is 'nan'; expected a number"),
    "-0.09691": ("NaN", "line 11: log10 of the weight is 'NaN'; expected a number"),
    "-0.1760913": ("inf", "line 10: log10 of the weight is 'inf'; expected a number"),
    "-0.60206\ttwo": ("much\ttwo", "line 12: log10 p is 'much'; expected a number"),
    "one two\t0": ("one two\tnone", "line 16: log10 of the weight is 'none'; expected a number"),
    "one two\t0\n": ("one two 0 1\n", "line 16: 5 fields; expected log10 p and 2 tokens, perhaps with log10 of a w"),
    "<s> one two": ("<s> one", "line 21: 3 fields; expected log10 p and 3 tokens$"),
    "<s> one two\n": ("<s> one two -1\n", "line 21: 5 fields; expected log10 p and 3 tokens$"),
    "one </s>": ("one three", "line 17: 'three' is none of the 1-grams"),
    "\ttwo\n": ("\tone\n", "line 12: 'one' was there before"),
    "-1\ttwo </s>": ("-1\tone two", "line 18: an n-gram that was there before"),
    "-0.1\t<s> one two": ("-0.1\t<s> two one", "line 21: its first 2 tokens are no 2-gram of the file"),
    "-0.30103\t</s>\n": ("-0.30103\tthree\n", "<s> is among the 1-grams and </s> is not"),
    "\n\\end\\\n": ("", "line 21: the file ends here; expected .end. after the 3-grams"),
    "\\end\\": ("\\4-grams:", "line 23: '.4-grams:'; expected .end. after the 3-grams"),
    FOREIGN[FOREIGN.index("one -0.30103") :]: ("", "line 15: 2 fields; expected log10 p and 2 tokens"),
}


@pytest.mark.parametrize("old", WRONG)
def test_malformed_files_are_refused_with_the_line(tmp_path: Path, old: str) -> None:
    new, complaint = WRONG[old]
    if new is not None:
        assert old in FOREIGN
    (tmp_path / "wrong.arpa").write_text(old if new is None else FOREIGN.replace(old, new, 1))
    with pytest.raises(InputError, match=complaint) as refused:
        read_arpa(tmp_path / "wrong.arpa")
    assert str(refused.value).startswith(f"{tmp_path / 'wrong.arpa'}, line ")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "word.arpa").write_bytes(FOREIGN.encode().replace(b"two", b"tw\xff"))
    with pytest.raises(InputError, match=r"line 12: 'tw.' is no UTF-8"):
        read_arpa(tmp_path / "word.arpa")
    model, symbols = fitted()
    write_arpa(model, symbols, tmp_path / "model.arpa.gz")
    content = (tmp_path / "model.arpa.gz").read_bytes()
    for damaged in (content[: len(content) // 2], content[:2000] + b"\0" * 40 + content[2040:], content[:2] + b"none"):
        (tmp_path / "damaged.arpa.gz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"damaged\.arpa\.gz, line [\d,]+: the compressed file breaks off or is"):
            read_arpa(tmp_path / "damaged.arpa.gz")
    with pytest.raises(InputError, match=r"gone\.arpa: cannot be read \(No such file"):
        read_arpa(tmp_path / "gone.arpa")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory"):
        read_arpa(tmp_path)


def test_windows_line_ends_and_packed_files_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(FOREIGN.encode())
    plain = read_arpa(tmp_path / "plain")
    (tmp_path / "windows").write_bytes(FOREIGN.encode().replace(b"\n", b"\r\n"))
    (tmp_path / "packed").write_bytes(gzip.compress(FOREIGN.encode()))
    ids = plain.encode([["one", "two"]])
    for name in ("windows", "packed"):
        assert (read_arpa(tmp_path / name).ngram.surprisal(ids) == plain.ngram.surprisal(ids)).all()


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    model, symbols = fitted()
    with pytest.raises(InputError, match="two tokens of the model are written '<s>'"):
        write_arpa(model, [*symbols[:-1], "<s>"], tmp_path / "model.arpa")
    (tmp_path / "model.arpa").write_text("what was there")
    broken: Any = [*symbols[:-1], "\ud800"]  # half a character cannot be written
    with pytest.raises(UnicodeEncodeError):
        write_arpa(model, broken, tmp_path / "model.arpa")
    assert [path.name for path in tmp_path.iterdir()] == ["model.arpa"]
    assert (tmp_path / "model.arpa").read_text() == "what was there"


@pytest.mark.slow
def test_wikitext_written_and_read(data_folder: Callable[[str], Path], tmp_path: Path) -> None:
    from peephole.data.config import TextData
    from peephole.generate.language.measuring import cost_of_files, count_text

    folder = data_folder("wikitext-2")
    counted = count_text(TextData((folder,), tokens="word"), 3)
    write_arpa(counted.ngram, counted.tokenizer.symbols, tmp_path / "model.arpa")
    (read,) = cost_of_files(read_arpa(tmp_path / "model.arpa"), [folder / "test.txt"])
    test = counted.costs[-1]
    assert (read.tokens, read.unknown) == (test.tokens, test.unknown) == (245_569, 15_218)
    assert abs(read.perplexity - test.perplexity) <= 1e-5 * test.perplexity
