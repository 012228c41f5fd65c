"""Writing characters: `peephole sample` as a whole process beside the same loop by hand in PyTorch, in turn."""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from peephole.data.config import TextData
from peephole.models.language.config import LanguageConfig
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig

# What one writes by hand: read the weights, step nn.LSTM symbol by symbol, draw, print.
LOOP = """
import json, sys
import torch
from safetensors.torch import load_file
from torch import nn

run, length, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(0)
config = json.load(open(run + "/config.json"))["settings"]["model"]
symbols = {number: symbol for symbol, number in json.load(open(run + "/tokenizer.json"))["model"]["vocab"].items()}
weights = load_file(run + "/model.safetensors")
embedding = nn.Embedding(len(symbols), config["embedding_size"])
lstm = nn.LSTM(config["embedding_size"], config["hidden_size"], config["layers"])
head = nn.Linear(config["hidden_size"], len(symbols))
for name, part in (("embedding", embedding), ("recurrent", lstm), ("head", head)):
    part.load_state_dict({key[len(name) + 1:]: value for key, value in weights.items() if key.startswith(name + ".")})
symbol, states = torch.zeros(1, 1, dtype=torch.int64), None
with torch.inference_mode():
    for _ in range(length):
        output, states = lstm(embedding(symbol), states)
        logits = head(output)[0]
        logits[:, :2] = -torch.inf
        symbol = torch.multinomial(torch.softmax(logits, -1), 1)
        print(symbols[int(symbol)], end="")
"""
WEIGHTS = ("float32", "bfloat16", "int8")


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(done.stdout) >= 1
    return time.perf_counter() - began


def measure(text: Path, length: int, hidden: int, layers: int, threads: int, rounds: int, steps: int) -> dict[str, Any]:
    """Medians of whole processes that write `length` characters with one model, and of the ratios round by round."""
    with tempfile.TemporaryDirectory() as folder:
        run, script = Path(folder) / "run", Path(folder) / "loop.py"
        script.write_text(LOOP)
        training = TrainingConfig(steps=steps, threads=threads, evaluate_every=10**9, keep="last")
        sizes = LanguageConfig(hidden_size=hidden, embedding_size=hidden, layers=layers, dropout=0.0)
        task = TextTask(TextData((text,)), sizes, training)
        model = TextModel.create(task, run)
        model.fit()
        seconds: dict[str, list[float]] = {name: [] for name in (*WEIGHTS, "PyTorch")}
        for seed in range(rounds):
            for name in WEIGHTS:
                words = ["sample", str(run), "--length", str(length), "--weights", name, "--seed", str(seed)]
                seconds[name].append(_seconds([sys.executable, "-m", "peephole", *words]))
            seconds["PyTorch"].append(_seconds([sys.executable, str(script), str(run), str(length), str(threads)]))
    found: dict[str, Any] = {"model": f"{layers}x{hidden}", "characters": length, "threads": threads, "rounds": rounds}
    for name, values in seconds.items():
        key = re.sub(r"\W", "_", name)
        found[f"{key}_seconds"] = statistics.median(values)
        if name != "PyTorch":
            ratios = [their / our for our, their in zip(values, seconds["PyTorch"], strict=True)]
            found[f"{key}_ratio"] = statistics.median(ratios)
    return found
