"""The section on training: curves beside baselines."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.generate.scoring import Pieces
from peephole.report.curves import Curve, GradientNorm, Learning, RightAnswers
from peephole.report.parts import Missing, Paragraph, Part, Picture, Table
from peephole.runs.folder import Run
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.problem import ProblemModel
from peephole.tasks.subject import Subject
from peephole.tasks.text.baselines import ORDERS, fit, xz_nats
from peephole.tasks.text.model import TextModel

LEARNED, COMPARED = 1_000_000, 1 << 15  # symbols that baselines learn from, and that all are measured on
PIECE = 4096
FEWEST = 100  # characters to learn from, under which n-grams are no baseline
STATIC, MLP = "static net", "mlp"


@dataclass(frozen=True)
class Baselines:
    """Nats of the same held-out text, by name; `model` is the run's, `tokens` how many there are of its `unit`.

    Means are over tokens, and sums include the ends of documents, but of words, which have none in published numbers.
    """

    unit: str
    model: float | None
    others: dict[str, float]
    tokens: int
    characters: int
    learned: int

    def bits(self, nats: float) -> float:
        """A sum in nats as bits a token."""
        return nats / math.log(2) / self.tokens

    @property
    def marks(self) -> dict[str, float]:
        """Bits a token of the others, the worst first."""
        return {name: self.bits(nats) for name, nats in sorted(self.others.items(), key=lambda pair: -pair[1])}


def training(subject: Subject) -> list[Part]:
    """Learning curves, gradients, and a table of what the same text costs others."""
    baselines: Baselines | None = None
    why = ""
    if isinstance(subject.model, TextModel):
        try:
            baselines = baselines_of(subject, subject.model)
        except InputError as error:
            why = f"Baselines left out: {error}."
    parts: list[Part] = []
    if subject.history:
        parts += _curves(subject, baselines)
    else:
        parts.append(Missing("No curves: the history has no rows, training ended before its first step was recorded."))
    if baselines is not None:
        parts.append(_table(baselines))
    return [*parts, Missing(why)] if why else parts


def baselines_of(subject: Subject, model: TextModel) -> Baselines:
    """n-grams and xz beside the run's net, all on the same pieces of the held-out text, at even distances.

    Beside words xz is left out, as it spells what they are given. `InputError` where the text is gone or too short.
    """
    corpus, tokenizer = model.corpus, model.tokenizer
    learned, tokens = np.asarray(corpus.train.tokens[-LEARNED:]), corpus.held_out.tokens
    if len(learned) < FEWEST or len(tokens) < 2:
        raise InputError(f"the text is too short for them, {len(learned):,} symbols to learn from")
    pieces = _pieces(tokens)
    targets = np.concatenate([piece[1:] for piece in pieces])
    counts = np.ones(len(targets), bool) if model.unit != "words" else targets != tokenizer.eod
    unknown = int((targets == tokenizer.unk).sum())
    extra = unknown * model.unknown_price()

    def text_of(part: NDArray[np.unsignedinteger]) -> str:
        return tokenizer.decode(part[(part != tokenizer.eod) & (part != tokenizer.unk)])

    characters = len(text_of(targets)) + unknown
    counted = {"characters": characters, "pieces": int((targets != tokenizer.eod).sum())}.get(model.unit, counts.sum())
    if not characters or not counted:
        raise InputError(f"the held-out text has no {model.unit}")
    nats: dict[str, float] = {}
    own: float | None = None
    with ThreadPoolExecutor(1) as pool:  # xz is at work beside the others
        spelled = model.unit != "words"
        compressed = pool.submit(xz_nats, text_of(learned), text_of(targets)) if spelled else None
        for name, order in ORDERS.items():
            grams = fit(learned, tokenizer, order)
            values = np.concatenate([grams.surprisal(piece)[1:] for piece in pieces])
            nats[name] = extra + float(values[counts].sum())
        if compressed is not None:
            nats["xz"] = compressed.result() + extra
    if subject.trained:
        values = model.price(np.asarray(tokens), Pieces(PIECE), limit=COMPARED)
        assert len(values) == len(targets)  # the same pieces
        own = float(values[counts].sum()) + extra
    return Baselines(model.unit, own, nats, int(counted), characters, len(learned))


def _pieces(tokens: NDArray[np.unsignedinteger]) -> list[NDArray[np.unsignedinteger]]:
    """What `surprisals` measures with this limit, each piece with the token before it."""
    targets = len(tokens) - 1
    length = min(PIECE, targets)
    starts = np.arange(0, targets, length)
    if targets > COMPARED:
        starts = starts[np.unique(np.linspace(0, len(starts) - 1, max(1, round(COMPARED / length))).astype(int))]
    return [np.asarray(tokens[start : start + length + 1]) for start in starts.tolist()]


def _curves(subject: Subject, baselines: Baselines | None) -> list[Part]:
    model, history = subject.model, subject.history
    beside: dict[str, Curve] = {}
    right: dict[str, Curve] = {}
    if isinstance(model, ProblemModel):
        unit, scale = ("squared error" if model.task.problem.valued else "nats an answer"), 1.0
        marks = {"looking at nothing": model.task.problem.blind}
        static = Run(model.run.folder / "static").read_history() if model.task.static else []
        if static:
            beside[STATIC], right[STATIC] = Curve.of(static, "held_out"), Curve.of(static, "right")
    elif isinstance(model, ExamplesModel):
        unit, scale, marks = model.task.unit, 1.0, {}
        mlp = Run(model.run.folder / "mlp").read_history() if model.task.baseline else []
        if mlp:
            beside[MLP], right[MLP] = Curve.of(mlp, "held_out"), Curve.of(mlp, "right")
    else:
        unit, scale = f"bits a {model.unit[:-1]}", 1 / math.log(2)
        marks = baselines.marks if baselines else {}
    curve, held_out = Curve.of(history, "divergence", scale), Curve.of(history, "held_out", scale)
    parts: list[Part] = []
    if len(curve):
        parts.append(Picture("Divergence", Learning(unit, curve, held_out, beside, marks)))
    shares = Curve.of(history, "right")
    if len(shares):
        parts.append(Picture("Right answers", RightAnswers(shares, right)))
    norms = Curve.of(history, "gradient_norm")
    if len(norms):
        parts.append(Picture("Gradients", GradientNorm(norms, model.task.training.clip_norm)))
    if not len(held_out):
        parts.append(Paragraph("It ended before it was measured on held-out data for the first time."))
    return parts


def _table(found: Baselines) -> Table:
    rows = {**found.others, **({} if found.model is None else {"this net": found.model})}
    ordered = sorted(rows.items(), key=lambda pair: pair[1])
    one = found.unit[:-1]
    compared = "n-grams (Kneser–Ney)" + (" and xz" if "xz" in rows else "")
    caption = (
        f"Bits a {one} of {found.tokens:,} held-out {found.unit}, in pieces at even distances; {compared} learned from "
        f"the last {found.learned:,} symbols of the training text."
    )
    if found.unit == "characters":
        bits = tuple((name, f"{found.bits(nats):.4f}") for name, nats in ordered)
        return Table(caption, ("model", "bits a character"), bits)
    header = ("model", "perplexity", f"bits a {one}", *(("bits a character",) if found.unit == "pieces" else ()))
    return Table(caption, header, tuple(_row(found, name, nats)[: len(header)] for name, nats in ordered))


def _row(found: Baselines, name: str, nats: float) -> tuple[str, ...]:
    perplexity = f"{math.exp(min(nats / found.tokens, 700)):,.2f}"
    return name, perplexity, f"{found.bits(nats):.4f}", f"{nats / math.log(2) / found.characters:.4f}"
