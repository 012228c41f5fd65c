"""How well the defaults learn a text: nats a character on its held-out tenth, median of three seeds."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def measure(text: Path, characters: int = 6_100_000, seeds: tuple[int, ...] = (0, 1, 2)) -> dict[str, object]:
    """Train once a seed with the default settings on about `characters` characters seen, then evaluate exactly."""
    from peephole.train.config import TrainingConfig

    usual = TrainingConfig()
    steps = characters // (usual.batch_size * usual.window)
    values: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            run = str(Path(folder) / f"seed-{seed}")
            peephole = [sys.executable, "-m", "peephole"]
            options = ["--steps", str(steps), "--seed", str(seed), "--out", run]
            subprocess.run([*peephole, "train", str(text), *options], check=True)
            answer = subprocess.run(
                [*peephole, "eval", run, "--json", "--no-baselines"], check=True, capture_output=True, text=True
            )
            values.append(json.loads(answer.stdout)["nats_per_character"])
    return {"steps": steps, "nats_per_character": values, "median": statistics.median(values)}
