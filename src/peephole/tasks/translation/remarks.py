"""What is to be known of the data, as sentences: from what was said of each part when it was read."""

from collections.abc import Mapping, Sequence
from typing import Any

from peephole.data.translation.sentences import counted

NAMED = 3  # skipped pairs that are named


def coverage(said: Mapping[str, Any], part: str) -> list[str]:
    """How much of a part training lacks, as words and as it is read."""
    if part not in said:
        return []
    of = said[part]
    sides: list[str] = []
    for side, name in enumerate(("sentences", "translations")):
        words, lacking = of["words"]["all"][side], of["words"]["not in training"][side]
        sides.append(f"{lacking / max(1, words):.1%} of the words of the {name}")
    unknown = " and ".join(f"{of['unknown'][side]:,} of {of['tokens'][side]:,}" for side in (0, 1))
    return [f"{part.replace('_', '-')}: training lacks {' and '.join(sides)}; as tokens {unknown} are unknown"]


def remarks(said: Mapping[str, Any], parts: Sequence[str]) -> list[str]:
    """What was noticed in the files of some parts, and what was left out."""
    found: list[str] = []
    for part in parts:
        of = said.get(part, {})
        name = part.replace("_", "-")
        found += [f"{name}: {note}" for note in of.get("notes", [])]
        skipped = of.get("skipped", [])
        if skipped:
            more = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
            found.append(f"{name}: {counted(len(skipped), 'pair')} skipped: {'; '.join(skipped[:NAMED])}{more}")
    return found
