"""n-grams of files beside CTC: the same as those that were counted here, and robust to what files leave out."""

import math
from pathlib import Path

import numpy as np
import pytest

from peephole.errors import InputError
from peephole.generate.language.arpa.reading import read_arpa
from peephole.generate.language.arpa.writing import write_arpa
from peephole.generate.language.characters import CharacterNGram
from peephole.generate.language.model import LanguageModel, log_probability
from peephole.generate.language.words import WordNGram

UTTERANCES = ["one two", "two one", "one one three", "three", "two two three one"]
CLOSED = "\\data\\\nngram 1=4\n\n\\1-grams:\n-0.6\t</s>\n-99\t<s>\n-0.3\tone\n-0.6\ttwo\n\n\\end\\\n"


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("kind", [WordNGram, CharacterNGram])
def test_a_file_says_what_the_model_said(tmp_path: Path, kind: type[WordNGram | CharacterNGram], order: int) -> None:
    model = kind.fit(UTTERANCES, order)
    if isinstance(model, WordNGram):
        symbols = ["<eod>", "<unk>", "\n", "one", "three", "two"]
        write_arpa(model._counts, symbols, tmp_path / "model.arpa")
    else:
        write_arpa(model._counts, model.tokenizer.symbols, tmp_path / "model.arpa")
    found = read_arpa(tmp_path / "model.arpa")
    assert found.of_characters == (kind is CharacterNGram)
    read = kind.of(found)
    assert isinstance(read, LanguageModel)
    for text in ["one two", "three three", "", "tow", "ßß one"]:
        assert abs(log_probability(read, text) - log_probability(model, text)) <= 2e-5


def test_files_without_unknown_words_leave_every_text_possible(tmp_path: Path) -> None:
    (tmp_path / "model.arpa").write_text(CLOSED)
    model = WordNGram.of(read_arpa(tmp_path / "model.arpa"))
    assert -100 < log_probability(model, "three one") < -25 < -10 < log_probability(model, "two one") < 0
    state = model.extend([model.begin()], ["o"])
    following = np.exp(model.scores(state, [*"abcdefghijklmnopqrstuvwxyzß", " "])).sum()
    assert abs(following + math.exp(float(model.end(state)[0])) - 1) <= 1e-9


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "words.arpa").write_text(CLOSED)
    with pytest.raises(InputError, match="of more than characters"):
        CharacterNGram.of(read_arpa(tmp_path / "words.arpa"))
    (tmp_path / "stream.arpa").write_text(CLOSED.replace("</s>", "three").replace("-99\t<s>", "-1\tfour"))
    for kind in (WordNGram, CharacterNGram):
        with pytest.raises(InputError, match="n-grams without </s>"):
            kind.of(read_arpa(tmp_path / "stream.arpa"))
