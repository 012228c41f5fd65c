"""`peephole info [RUN]`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from peephole.cli.parsing import emit, parse
from peephole.runs.history import best_row

if TYPE_CHECKING:
    from peephole.tasks.model import TaskModel
    from peephole.tasks.text.model import TextModel

DESCRIPTION = (
    "What is in a run: text, sizes, progress, and which back end computes it. Without a run: this installation."
)


@dataclass(frozen=True)
class Info:
    """Options of `peephole info`."""

    # Run folder. Default: say what this installation has.
    run: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[RUN]")] = None

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Print the facts, one a line."""
    options = parse(Info, "info", words, DESCRIPTION)
    facts = _installation() if options.run is None else _run_facts(options.run)
    if options.json:
        emit(json.dumps(facts, ensure_ascii=False) + "\n")
        return 0
    width = max(map(len, facts))
    for name, value in facts.items():
        lines = str(value).splitlines() or [""]
        emit(f"{name.ljust(width)}  {lines[0]}\n" + "".join(f"{' ' * width}  {line}\n" for line in lines[1:]))
    return 0


def _installation() -> dict[str, object]:
    import platform

    import torch

    from peephole._native.instructions import absence, chosen, supported
    from peephole._version import __version__
    from peephole.nn.explanation import explain_backend
    from peephole.nn.layers import GRU, LSTM, RNN

    return {
        "peephole": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "processor threads": torch.get_num_threads(),
        "CUDA": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "compiled kernels": absence() or f"{chosen()} (this processor has {', '.join(supported())})",
        "back ends": "\n".join(explain_backend(kind(1, 1)) for kind in (LSTM, GRU, RNN)),
    }


def _run_facts(folder: Path) -> dict[str, object]:
    from peephole.models.language.time_delay import TimeDelayModel
    from peephole.models.sequence import SequenceModel
    from peephole.nn.explanation import explain_backend
    from peephole.tasks import load
    from peephole.tasks.text.model import TextModel

    model = load(folder)
    run = model.run
    report = run.folder / "report.html"
    last = (run.read_history() or [{}])[-1]
    facts: dict[str, object] = {
        "run": str(run.folder),
        "task": run.read_config()["task"],
        "written by": f"peephole {run.read_config()['peephole']}",
        "state": "training now" if run.is_training() else "not training",
        "model": f"{model.kind}, {sum(parameter.numel() for parameter in model.model.parameters()):,} parameters",
        **(_text_facts(model) if isinstance(model, TextModel) else {"data": model.describe()[0]}),
        "steps": last.get("step", 0),
        f"{model.unit} seen": last.get(model.unit, 0),
        "minutes": round(last.get("seconds", 0.0) / 60, 2),
        "best held out": _best(model),
        "report": str(report) if report.is_file() else f"none; peephole report {folder} writes one",
    }
    if isinstance(model, TextModel) and run.data_folder.exists():
        facts |= _corpus_facts(model)
    if isinstance(model.model, SequenceModel) and not isinstance(model.model, TimeDelayModel):
        facts["back end"] = explain_backend(model.model)
    return facts


def _text_facts(model: "TextModel") -> dict[str, object]:
    tokenizer = model.tokenizer
    cut = {"spaces": ", cut at spaces", "split": ", marks apart"}.get(tokenizer.cut or "", "")
    unit = "" if tokenizer.unit == "characters" else f", {tokenizer.unit}{cut}"
    facts: dict[str, object] = {"vocabulary": f"{len(tokenizer):,} symbols{unit}"}
    if unit:
        kind = type(model.model.head).__name__.removesuffix("Softmax").lower()
        tied = ", tied to the input's vectors" if model.model.head.weight is model.model.embedding.weight else ""
        facts["softmax"] = f"{kind}{tied}"
    return facts


def _corpus_facts(model: "TextModel") -> dict[str, object]:
    corpus = model.corpus
    told, unit = corpus.description, model.unit
    parts = {"to train on": corpus.train, "held out": corpus.held_out, "to test with": corpus.test}
    test = "" if corpus.test is None else f"; {corpus.test.characters:,} to test with"
    facts: dict[str, object] = {
        "text": f"{len(told['files']):,} files; {corpus.train.characters:,} characters to train on, "
        f"{corpus.held_out.characters:,} held out by {told['split'].replace('named', 'name')}{test}"
    }
    if unit != "characters":
        sizes = [f"{len(part.tokens):,} {name}" for name, part in parts.items() if part is not None]
        facts["tokens"] = f"{', '.join(sizes)} ({unit}, with the ends of documents)"
    unknown = told.get("unknown") or {}
    if any(unknown.values()):
        facts["unknown"] = ", ".join(f"{share:.2%} of {name.replace('_', '-')}" for name, share in unknown.items())
    return facts


def _best(model: "TaskModel") -> str:
    best = best_row(model.run.read_history())
    return "not measured" if best is None else model.show(best).removeprefix("held out ")
