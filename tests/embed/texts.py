"""Small texts to learn word vectors from, whose structure is known."""

from pathlib import Path

import numpy as np

SEAS, HILLS = [f"sea{n}" for n in range(8)], [f"hill{n}" for n in range(8)]


def two_topics(path: Path, sentences: int = 600, seed: int = 0) -> Path:
    """Sentences of words of the sea or of the hills, with words in between that go with both."""
    random = np.random.default_rng(seed)
    lines = []
    for _ in range(sentences):
        topic = SEAS if random.random() < 0.5 else HILLS
        words = [str(random.choice(topic)) if random.random() < 0.6 else str(random.choice(["the", "of", "and"]))
                 for _ in range(12)]  # fmt: skip
        lines.append(" ".join(words))
    path.write_text("\n".join(lines) + "\n")
    return path
