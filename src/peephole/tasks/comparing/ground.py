"""Whether the numbers of runs mean the same: one task, one text or problem, one vocabulary."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.tasks.comparing.by_words import alike_by_words
from peephole.tasks.comparing.record import BUDGETS, Record
from peephole.train.config import DEFAULT_MINUTES

NEARLY = 0.01  # of the held-out characters by which parts may differ where one run reads words and the other does not


def vocabularies_differ(records: Sequence[Record]) -> bool:
    """Whether runs of text, which may be compared, read it by other tokens."""
    return records[0].task == "text" and len({_vocabulary(record) for record in records}) > 1


def check_comparable(records: Sequence[Record]) -> tuple[str, ...]:
    """Raise `InputError`, one line with the reason, for runs whose numbers mean different things.

    Runs over characters, words and pieces of one text do not, once they are in one unit.

    Returns what has to be said of those that can be compared: other budgets, other versions, not at their end.
    """
    if len(records) < 2:
        raise InputError(f"got {len(records)} run{'s' * (len(records) != 1)}; expected two or more to compare")
    first, *others = records
    alike = all(other.task == first.task for other in others)  # then what belongs to a text is there
    texts = [_Text.of(record) for record in records] if alike and first.task == "text" else []
    for place, other in enumerate(others, 1):
        if other.task != first.task:
            reason = f"one is a run of {first.task}, the other of {other.task}"
        elif texts:
            reason = texts[0].differs_from(texts[place], alike_by_words(first, other))
        elif "problem" not in first.settings:
            reason = None if _encoding(first) == _encoding(other) else "other data, or another part of it held out"
        else:
            reason = _other_problem(first.settings["problem"], other.settings["problem"])
        if reason:
            raise InputError(f"{first.name} and {other.name} cannot be compared: {reason}")
    gone = [
        f"the text of {record.name} is gone (no data/): taken for the same by settings and vocabulary"
        for record, text in zip(records, texts, strict=False)
        if text.files is None
    ]
    return (*gone, *_warnings(records))


@dataclass(frozen=True)
class _Text:
    """What identifies the text of a run, wherever its files lie, how it was parted, and its vocabulary.

    `files` and `parts` are None where the text is gone; its settings then have to do.
    """

    settings: dict[str, Any]
    vocabulary: str
    files: list[str] | None
    parts: list[Any] | None

    @staticmethod
    def of(record: Record) -> "_Text":
        run, vocabulary = Run(record.folder), _vocabulary(record)
        try:
            told = json.loads((run.data_folder / "corpus.json").read_bytes())["description"]
            files = [file["sha256"] for file in told["files"]]
            parts = [[file["part"] for file in told["files"]], told["cut"], told["separator"], told["characters"]]
        except (OSError, ValueError, KeyError, TypeError):
            files = parts = None
        return _Text(record.settings["data"], vocabulary, files, parts)

    def _nearly_parted_as(self, other: "_Text") -> bool:
        """Whether both were cut at nearly the same place: a text of words is not cut within a line."""
        if self.parts is None or other.parts is None:
            return False
        (files, cut, separator, sizes), (their_files, their_cut, their_separator, _) = self.parts, other.parts
        if (files, separator) != (their_files, their_separator) or None in (cut, their_cut):
            return False
        return abs(cut - their_cut) <= NEARLY * sizes["held_out"]

    def differs_from(self, other: "_Text", by_words: bool) -> str | None:
        """Why numbers of one text are not those of the other; None where they are, or where words make them so."""
        if self.files is None or other.files is None:
            if self.settings["files"] != other.settings["files"]:
                return (
                    "other files, and the text of one is gone (no data/), so that nothing shows whether it is the same"
                )
            if (
                self.settings["held_out"] != other.settings["held_out"]
                or self.settings["split"] != other.settings["split"]
            ):
                return "another held-out part of the text"
        elif self.files != other.files:
            return "another text"
        elif self.parts != other.parts and not (by_words and self._nearly_parted_as(other)):
            return "another held-out part of the same text"
        if self.vocabulary != other.vocabulary:
            if not by_words:
                unit = "bits a character" if self.settings["tokens"] == "char" else "nats a word"
                return f"another vocabulary, so that {unit} mean something else"
            if self.files is None or other.files is None:
                return "other tokens, and the text of one is gone (no data/), so that its words are not counted"
        return None


def _vocabulary(record: Record) -> str:
    try:
        return hashlib.sha256(Run(record.folder).tokenizer_path.read_bytes()).hexdigest()
    except OSError:
        raise InputError(f"{record.name}: has no tokenizer.json; restore it, or leave the run out") from None


def _encoding(record: Record) -> dict[str, Any]:
    """What a data task has learnt of its data, with the digest of all parts; an mlp reads that of the run beside it."""
    folder = record.folder.parent if record.settings.get("net") == "mlp" else record.folder
    path = Run(folder).encoding_path
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise InputError(
            f"{record.name}: {path.name} is missing or damaged; restore it, or leave the run out"
        ) from None


def _other_problem(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    differing = [name for name in ours if ours[name] != theirs.get(name)]
    if not differing:
        return None
    name = differing[0]
    return f"another problem, {name} is {ours[name]} in one and {theirs.get(name)} in the other"


def _warnings(records: Sequence[Record]) -> list[str]:
    warnings = [said for record in records if (said := record.progress)]
    budgets = dict.fromkeys(budget_of(record) for record in records)
    if len(budgets) > 1:
        warnings.append(f"budgets differ ({', '.join(budgets)}): who trained longer may owe its lead to that")
    versions = dict.fromkeys(record.version for record in records)
    if len(versions) > 1:
        warnings.append(f"trained by different versions of peephole ({', '.join(versions)})")
    return warnings


def budget_of(record: Record) -> str:
    """The budget that a run was given, `500 steps`."""
    settings = record.settings["training"]
    given = [f"{settings[name]:,} {name}" for name in BUDGETS if settings.get(name) is not None]
    return given[0] if given else f"{DEFAULT_MINUTES:g} minutes"
