"""Anonymous memory of a process that trains on a small and on a large text.

A memory-mapped corpus counts as resident memory when it has been read, but not as memory of one's own: RssAnon is what
tells whether a corpus is held in memory.
"""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

TRAIN = """
import sys, threading, time
from pathlib import Path
from peephole.data.config import TextData
from peephole.models.language.config import LanguageConfig
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024

peak = 0.0
def watch():
    global peak
    while True:
        peak = max(peak, anonymous())
        time.sleep(0.05)

threading.Thread(target=watch, daemon=True).start()
training = TrainingConfig(steps=60, threads=2, evaluate_every=30)
task = TextTask(TextData((Path(sys.argv[1]),)), LanguageConfig(hidden_size=128, embedding_size=128), training)
TextModel.create(task, Path(sys.argv[2])).fit()
print(peak)
"""


def _write_text(path: Path, size: int) -> None:
    """English-like lines of random words, `size` bytes."""
    generator = random.Random(0)
    words = ["".join(generator.choices("etaoinshrdlucmfw", k=generator.randint(2, 9))) for _ in range(2000)]
    block = "".join(" ".join(generator.choices(words, k=12)) + ".\n" for _ in range(16000))
    with path.open("w", encoding="utf-8") as file:
        written = 0
        while written < size:
            written += file.write(block[: size - written])


def measure(small: int = 20_000_000, large: int = 2_000_000_000) -> dict[str, float]:
    """Peak RssAnon in MiB while preparing and training on a text of `small` and of `large` bytes."""
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in (("small", small), ("large", large)):
            text = Path(folder) / f"{name}.txt"
            _write_text(text, size)
            command = [sys.executable, "-c", TRAIN, str(text), str(Path(folder) / f"run-{name}")]
            result[name] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            text.unlink()
    return {**result, "difference": result["large"] - result["small"]}
