"""What a look inside costs while the demo's net is trained: `python benchmarks/watching.py [STEPS [ROUNDS]]`.

Trainings of a fixed number of steps with `--watch 0` and with its default take turns, each in a process of its own. Of
each: seconds in all, of the processor in all, and those spent on looking.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ONE = "one"


def train(steps: int, watch: int) -> dict[str, float]:
    """Train the demo's net in this process."""
    from peephole.data.config import TextData
    from peephole.models.language.config import LanguageConfig
    from peephole.tasks.config import TextTask
    from peephole.tasks.text.model import TextModel
    from peephole.train.config import TrainingConfig
    from peephole.train.watch.watcher import Watcher

    looking = [0.0]
    real = Watcher.row

    def row(self: Watcher, progress: Any) -> dict[str, Any]:
        began = time.process_time()
        found = real(self, progress)
        looking[0] += time.process_time() - began
        return found

    Watcher.row = row
    with tempfile.TemporaryDirectory() as folder:
        training = TrainingConfig(steps=steps, watch=watch, precision="auto")
        model = TextModel.create(TextTask(TextData(), LanguageConfig(dropout=0.0), training), Path(folder) / "run")
        began, processor = time.monotonic(), time.process_time()
        model.fit()
        return {
            "seconds": time.monotonic() - began,
            "processor": time.process_time() - processor,
            "looking": looking[0],
        }


def measure(steps: int = 1000, rounds: int = 3) -> dict[str, Any]:
    """Medians over rounds: seconds with and without, and the share of the processor's time that looking takes."""
    from peephole.train.config import LoopConfig

    every = LoopConfig().watch
    found: dict[int, list[dict[str, float]]] = {0: [], every: []}
    for _ in range(rounds):
        for watch, rows in found.items():
            command = [sys.executable, __file__, ONE, str(steps), str(watch)]
            rows.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    shares = [row["looking"] / row["processor"] for row in found[every]]
    seconds = {watch: statistics.median(row["seconds"] for row in rows) for watch, rows in found.items()}
    return {
        "steps": steps,
        "watch": every,
        "seconds_without": seconds[0],
        "seconds_with": seconds[every],
        "looking_share": statistics.median(shares),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == [ONE]:
        print(json.dumps(train(int(sys.argv[2]), int(sys.argv[3]))))
    else:
        print(json.dumps(measure(*map(int, sys.argv[1:])), indent=2))
