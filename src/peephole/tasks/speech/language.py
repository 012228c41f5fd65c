"""The language model that is asked beside the sound, opened from where the settings say it is."""

from collections.abc import Callable
from pathlib import Path

from peephole.errors import InputError
from peephole.generate.ctc.config import SpeechDecoding
from peephole.generate.language.characters import CharacterNGram
from peephole.generate.language.lines import read_utterances
from peephole.generate.language.model import LanguageModel
from peephole.generate.language.net import CharacterNet
from peephole.generate.language.words import WordNGram
from peephole.runs.folder import Run
from peephole.tasks.text.model import TextModel


def language_model(settings: SpeechDecoding, change: Callable[[str], str]) -> LanguageModel | None:
    """A run of `peephole train text`, or n-grams of a text; None where there is none. `change` is done to its lines.

    Raises:
        InputError: neither is there, or the run is another task's.
    """
    path = settings.language_model
    if path is None:
        return None
    if path.is_dir():
        return _net(path)
    if not path.is_file():
        raise InputError(f"--language-model {path}: not there; expected a text, or a run of peephole train text")
    utterances = read_utterances(path, change)
    kind = WordNGram if settings.ngram_units == "words" else CharacterNGram
    return kind.fit(utterances, settings.ngram_order)


def _net(folder: Path) -> LanguageModel:
    run = Run.open(folder)
    task = run.read_config()["task"]
    if task != "text":
        raise InputError(f"--language-model {folder}: a run of {task}; expected one of peephole train text")
    found = TextModel.open(run)
    return CharacterNet(found.model, found.tokenizer)
