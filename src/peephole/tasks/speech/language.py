"""The language model that is asked beside the sound, opened from where the settings say it is."""

from collections.abc import Callable
from pathlib import Path

from peephole.errors import InputError
from peephole.generate.ctc.config import SpeechDecoding
from peephole.generate.language.arpa.lines import is_arpa
from peephole.generate.language.arpa.model import WORDS
from peephole.generate.language.arpa.reading import read_arpa
from peephole.generate.language.characters import CharacterNGram
from peephole.generate.language.lines import read_utterances
from peephole.generate.language.model import LanguageModel
from peephole.generate.language.net import CharacterNet
from peephole.generate.language.word_net import WordNet
from peephole.generate.language.words import WordNGram
from peephole.runs.folder import Run
from peephole.tasks.text.model import TextModel


def language_model(settings: SpeechDecoding, change: Callable[[str], str]) -> LanguageModel | None:
    """A run of `peephole train text`, an ARPA file, or n-grams of a text; None where there is none.

    `change` is what transcripts go through: it is done to the lines of a text, and the words of a file have to be so.

    Raises:
        InputError: none of these is there, the run is another task's, or the file is of other words.
    """
    path = settings.language_model
    if path is None:
        return None
    if path.is_dir():
        return _net(path)
    if not path.is_file():
        raise InputError(
            f"--language-model {path}: not there; expected a text, an ARPA file, or a run of peephole train text"
        )
    if is_arpa(path):
        return _ngrams(path, change)
    utterances = read_utterances(path, change)
    kind = WordNGram if settings.ngram_units == "words" else CharacterNGram
    return kind.fit(utterances, settings.ngram_order)


def _ngrams(path: Path, change: Callable[[str], str]) -> LanguageModel:
    """Those of a file: of characters where every token is one, else of words."""
    found = read_arpa(path)
    words = found.symbols[WORDS:]
    if words and all(change(word) != word for word in words):
        raise InputError(
            f"--language-model {path}: its words are spelled like {words[0]!r}, and transcripts like "
            f"{change(words[0])!r}; expected the same spelling"
        )
    try:
        return CharacterNGram.of(found) if found.of_characters else WordNGram.of(found)
    except InputError as error:
        raise InputError(f"--language-model {path}: {error}") from None


def _net(folder: Path) -> LanguageModel:
    run = Run.open(folder)
    task = run.read_config()["task"]
    if task != "text":
        raise InputError(f"--language-model {folder}: a run of {task}; expected one of peephole train text")
    found = TextModel.open(run)
    kind = CharacterNet if found.tokenizer.kind == "char" else WordNet
    try:
        return kind(found.model, found.tokenizer)
    except InputError as error:
        raise InputError(f"--language-model {folder}: {error}") from None
