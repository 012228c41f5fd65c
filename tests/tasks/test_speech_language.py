"""Files of n-grams as the language model beside speech."""

from pathlib import Path

import pytest

from peephole.errors import InputError
from peephole.generate.language.arpa.writing import write_arpa
from peephole.generate.language.characters import CharacterNGram
from peephole.generate.language.lines import read_utterances
from peephole.generate.language.model import log_probability
from peephole.generate.language.words import WordNGram
from peephole.tasks.speech.language import language_model
from peephole.tasks.speech.settings import SpeechSearch

FEW = "\\data\\\nngram 1=3\n\n\\1-grams:\n-0.5\t</s>\n-99\t<s>\n-0.2\tHIGH\n\n\\end\\\n"


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz", "model"])
def test_a_file_is_asked_as_its_text_is(tmp_path: Path, name: str) -> None:
    text = tmp_path / "text.txt"
    text.write_text("high low\nlow high\nlow\nhigh\n" * 20)
    words = WordNGram.fit(read_utterances(text), 2)
    write_arpa(words._counts, ["<eod>", "<unk>", "\n", "high", "low"], tmp_path / name)
    characters = CharacterNGram.fit(read_utterances(text), 2)
    write_arpa(characters._counts, ["<eod>", "<unk>", "\n", *" ghilow"], tmp_path / f"characters-{name}")
    for path, units in ((tmp_path / name, "words"), (tmp_path / f"characters-{name}", "characters")):
        found = language_model(SpeechSearch(language_model=path), str.lower)
        asked = language_model(SpeechSearch(language_model=text, ngram_order=2, ngram_units=units), str.lower)
        assert found is not None
        assert asked is not None
        assert isinstance(found, WordNGram if units == "words" else CharacterNGram)
        for said in ("high low", "low low", "mid", ""):
            assert abs(log_probability(found, said) - log_probability(asked, said)) <= 2e-5


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (FEW, "its words are spelled like 'HIGH', and transcripts like 'high'; expected the same spelling"),
        (FEW[:20], r"broken\.arpa, line 4: "),
        (FEW.replace("</s>", "low").replace("<s>", "mid"), r"broken\.arpa: n-grams without </s>"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "broken.arpa").write_text(content)
    with pytest.raises(InputError, match=complaint):
        language_model(SpeechSearch(language_model=tmp_path / "broken.arpa"), str.lower)
