"""Strings of spoken digits: `python benchmarks/spoken_strings.py RECORDINGS OUT` joins them from single recordings.

RECORDINGS holds `{digit}_{speaker}_{index}.wav`, as the Free Spoken Digit Dataset has them. Every string is of one
speaker, with pauses of 50 to 400 ms before, between and after its digits, and white noise 20 dB below the speech. What
comes out depends on RECORDINGS and --seed alone:

    train.tsv, held_out.tsv, test.tsv    random strings of 3 to 7 digits; test from the recordings 0 to 4 of each digit
                                         and speaker (the official test part), held out from 5 to 9, train from the rest
    telephone.tsv, checksum.tsv          test strings that follow a grammar: one of 200 fixed numbers of 7 digits; 3 to
                                         7 digits of which the last is the sum of the others modulo ten
    telephone-held-out.tsv, …            the same of the recordings held out, to choose a language model's weight by
    telephone.txt, checksum.txt          text that follows the grammar, for language models; no string of five digits or
                                         more that is spoken in a checksum set is in it, and strings of two digits are,
                                         from which a net finds out what a checksum is
    leave/SPEAKER/…                      train and held out of the other speakers, the test sets of this one alone
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import tyro
from numpy.typing import NDArray

Samples = NDArray[np.float32]
PAUSES = 0.05, 0.4  # seconds
NOISE = 10 ** (-20 / 20)  # deviation beside that of the speech: 20 dB below it
DIGITS = 3, 7  # fewest and most of a string
NUMBERS, LONG = 200, 7  # telephone numbers, and digits of each
SHORT_FIRST = 3, 3, 2, 2, 2, 2  # how often 1 to 6 digits stand before a written checksum
UNSEEN = 5  # digits from which a spoken string of the checksum grammar is kept out of its text
INDICES = {"test": range(5), "held_out": range(5, 10), "train": range(10, 1000)}


@dataclass(frozen=True)
class Options:
    """Join recordings of digits to strings."""

    recordings: tyro.conf.Positional[Path]
    out: tyro.conf.Positional[Path]
    seed: int = 0
    # Strings of each speaker: to train on, in every other set.
    train: int = 300
    others: int = 40
    # Lines of text for language models.
    lines: int = 60_000


class Digits:
    """The recordings, `[speaker][digit][index]`."""

    def __init__(self, folder: Path) -> None:
        self.found: dict[str, dict[str, dict[int, Samples]]] = {}
        self.rate = 0
        for path in sorted(folder.glob("*.wav")):
            named = re.fullmatch(r"(\d)_(\w+)_(\d+)", path.stem)
            if named is None:
                continue
            digit, speaker, index = named.groups()
            samples, self.rate = soundfile.read(path, dtype="float32", always_2d=True)
            self.found.setdefault(speaker, {}).setdefault(digit, {})[int(index)] = samples[:, 0].astype(np.float32)
        if not self.found:
            raise SystemExit(f"{folder}: no recordings called DIGIT_SPEAKER_INDEX.wav")

    def spoken(self, speaker: str, digits: str, part: str, draw: np.random.Generator) -> Samples:
        """A string as one recording `[samples]`."""
        pieces, speech = [self._pause(draw)], list[Samples]()
        for digit in digits:
            known = [index for index in self.found[speaker][digit] if index in INDICES[part]]
            speech.append(self.found[speaker][digit][known[draw.integers(len(known))]])
            pieces += [speech[-1], self._pause(draw)]
        whole = np.concatenate(pieces)
        noise = NOISE * float(np.concatenate(speech).std()) * draw.standard_normal(len(whole))
        return (whole + noise).astype(np.float32)

    def _pause(self, draw: np.random.Generator) -> Samples:
        return np.zeros(int(draw.uniform(*PAUSES) * self.rate), np.float32)


def anything(draw: random.Random) -> str:
    """3 to 7 digits."""
    return "".join(draw.choice("0123456789") for _ in range(draw.randint(*DIGITS)))


def with_checksum(draw: random.Random) -> str:
    """3 to 7 digits, the last of them the sum of the others modulo ten."""
    digits = anything(draw)[:-1]
    return digits + str(sum(map(int, digits)) % 10)


def written_checksum(draw: random.Random) -> str:
    """The same of 2 to 7 digits, short ones more often."""
    digits = "".join(draw.choice("0123456789") for _ in range(draw.choices(range(1, DIGITS[1]), SHORT_FIRST)[0]))
    return digits + str(sum(map(int, digits)) % 10)


def numbers(seed: int) -> list[str]:
    """The telephone numbers."""
    draw = random.Random(f"numbers {seed}")
    return ["".join(draw.choice("0123456789") for _ in range(LONG)) for _ in range(NUMBERS)]


def write_set(
    out: Path, name: str, part: str, strings: Sequence[tuple[str, str]], digits: Digits, seed: int
) -> list[str]:
    """The recordings of (speaker, digits) in `out/sound/name` and their table; its lines `path<TAB>transcript`."""
    folder = out / "sound" / name
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for number, (speaker, string) in enumerate(strings):
        draw = np.random.default_rng([seed, *name.encode(), number])
        path = folder / f"{speaker}_{number:05}.wav"
        soundfile.write(path, digits.spoken(speaker, string, part, draw), digits.rate, subtype="PCM_16")
        lines.append(f"{path.relative_to(out)}\t{' '.join(string)}")
    (out / f"{name.replace('_', '-')}.tsv").write_text("\n".join(lines) + "\n")
    return lines


def main(options: Options) -> None:
    """Write everything."""
    digits, seed, out = Digits(options.recordings), options.seed, options.out
    known = numbers(seed)
    grammars = {"telephone": lambda draw: draw.choice(known), "checksum": with_checksum}
    plans = {name: (name, anything) for name in ("train", "held_out", "test")}
    for name, make in grammars.items():
        plans |= {name: ("test", make), f"{name}_held_out": ("held_out", make)}
    written: dict[str, list[str]] = {}
    spoken: set[str] = set()
    for name, (part, make) in plans.items():
        draw = random.Random(f"{name} {seed}")
        count = options.train if name == "train" else options.others
        strings = [(speaker, make(draw)) for _ in range(count) for speaker in digits.found]
        written[name] = write_set(out, name, part, strings, digits, seed)
        if make is with_checksum:
            spoken |= {string for _, string in strings if len(string) >= UNSEEN}
    for name, make in {**grammars, "checksum": written_checksum}.items():
        draw = random.Random(f"{name} text {seed}")
        text = (make(draw) for _ in range(options.lines))
        (out / f"{name}.txt").write_text("".join(" ".join(string) + "\n" for string in text if string not in spoken))
    for speaker in digits.found:
        folder = out / "leave" / speaker
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in written.items():
            own = list(_lines_of(speaker, lines, name not in ("train", "held_out")))
            (folder / f"{name.replace('_', '-')}.tsv").write_text("\n".join(own) + "\n")
    print(f"{out}: {', '.join(f'{len(lines):,} {name}' for name, lines in written.items())}")


def _lines_of(speaker: str, lines: Sequence[str], own: bool) -> Iterator[str]:
    """The lines of one speaker, or of all others, as they are written two folders below."""
    for line in lines:
        if (f"/{speaker}_" in line) == own:
            yield f"../../{line}"


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
