"""Spoken words that anybody can make: tones of three heights with pauses between, in a little noise."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000
HEIGHTS = {"low": 400.0, "mid": 1000.0, "high": 2500.0}  # hertz


def spoken(text: str, random: np.random.Generator, rate: int = RATE) -> NDArray[np.float32]:
    """A recording `[samples]` of words with a space between them."""
    pieces = [np.zeros(round(rate * 0.05))]
    for word in text.split():
        steps = np.arange(round(rate * random.uniform(0.1, 0.2))) / rate
        pieces.append(0.3 * np.sin(2 * np.pi * HEIGHTS[word] * random.uniform(0.95, 1.05) * steps))
        pieces.append(np.zeros(round(rate * random.uniform(0.05, 0.1))))
    whole = np.concatenate(pieces)
    return (whole + 0.003 * random.normal(size=len(whole))).astype(np.float32)


def table(path: Path, count: int, seed: int, rate: int = RATE) -> Path:
    """A table of so many recordings of one to four words beside it, half of them by `anna`, half by `ben`."""
    import soundfile

    random = np.random.default_rng(seed)
    lines = ["path\ttranscript\tspeaker"]
    for number in range(count):
        text = " ".join(random.choice(list(HEIGHTS), random.integers(1, 5)))
        speaker = ("anna", "ben")[number % 2]
        name = f"{path.stem}_{speaker}_{number}.wav"
        soundfile.write(path.parent / name, spoken(text, random, rate), rate)
        lines.append(f"{name}\t{text}\t{speaker}")
    path.write_text("\n".join(lines) + "\n")
    return path
