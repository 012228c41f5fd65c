"""What is measured: a cell, its sizes, dtype, mode and threads, as data without torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from peephole.errors import InputError
from peephole.spec import CellSpec


@dataclass(frozen=True)
class Cell:
    """A cell of the benchmark: its spec, and the noise in its recurrence as keywords of `Recurrent`."""

    spec: CellSpec
    noise: dict[str, float] = field(default_factory=dict)


CELLS: dict[str, Cell] = {
    "lstm": Cell(CellSpec("lstm")),
    "gru": Cell(CellSpec("gru")),
    "rnn": Cell(CellSpec("rnn")),
    "rnn-relu": Cell(CellSpec("rnn", nonlinearity="relu")),
    "gru-before": Cell(CellSpec("gru", reset="before")),
    "lstm-coupled": Cell(CellSpec("lstm", coupled=True)),
    "lstm-diagonal": Cell(CellSpec("lstm", peephole="diagonal")),
    "lstm-full": Cell(CellSpec("lstm", peephole="full")),
    "lstm-full-candidate": Cell(CellSpec("lstm", peephole="full", candidate_peephole=True)),
    "lstm-layer-norm": Cell(CellSpec("lstm", layer_norm=True)),
    # the rates of Krueger et al. 2017 for characters, and a common one of Gal & Ghahramani 2016
    "lstm-noise": Cell(CellSpec("lstm"), {"zoneout": 0.05, "zoneout_cell": 0.5, "recurrent_dropout": 0.25}),
}
PLAIN = ("lstm", "gru", "rnn")
VARIANTS = ("lstm-diagonal", "lstm-full", "lstm-full-candidate", "lstm-layer-norm", "lstm-noise")
DTYPES = ("float32", "bfloat16")
MODES = ("inference", "training")
BATCH_OF_VARIANTS = 16  # below it a step is overhead, whatever the cell
WORK_OF_BFLOAT16 = 4096  # B·H from which half the bytes are worth the casts


@dataclass(frozen=True)
class Shape:
    """T steps of B rows, I features into H units."""

    steps: int
    batch: int
    input_size: int
    hidden_size: int

    def __str__(self) -> str:
        widths = (self.hidden_size,) if self.input_size == self.hidden_size else (self.input_size, self.hidden_size)
        return "x".join(map(str, (self.steps, self.batch, *widths)))

    @staticmethod
    def parse(text: str) -> "Shape":
        """`TxBxH` with I = H, or `TxBxIxH`. `InputError` for anything else."""
        sizes = text.lower().split("x")
        if len(sizes) not in (3, 4) or not all(size.isdecimal() and int(size) > 0 for size in sizes):
            raise InputError(
                f"unknown shape {text!r}; expected grid, own, TxBxH such as 100x16x256 or TxBxIxH such as 64x10x96x160"
            )
        steps, batch, *widths = (int(size) for size in sizes)
        return Shape(steps, batch, widths[0], widths[-1])


def _square(*sizes: tuple[int, int, int]) -> tuple[Shape, ...]:
    return tuple(Shape(steps, batch, hidden, hidden) for steps, batch, hidden in sizes)


GRIDS: dict[str, tuple[Shape, ...]] = {
    # the sizes of published comparisons: language models of Zaremba et al., speech, characters, streams
    "grid": _square(
        (100, 1, 128),
        (100, 1, 512),
        (100, 16, 256),
        (100, 32, 512),
        (100, 64, 128),
        (100, 64, 512),
        (35, 20, 200),
        (35, 20, 650),
        (35, 64, 1024),
        (512, 16, 64),
        (1000, 8, 128),
    ),
    # what a kernel tuned on the first may have forgotten: odd sizes, I unlike H, rows of an image, wide and long
    "own": (
        Shape(64, 10, 96, 160),
        Shape(200, 4, 80, 300),
        Shape(50, 48, 40, 384),
        Shape(300, 2, 256, 256),
        Shape(28, 128, 28, 128),
        Shape(61, 17, 33, 130),
        Shape(20, 24, 512, 333),
    ),
}


# Where variants run unless cells are named: small and large, but not so large that eight cells take a quarter of an
# hour.
GRID_OF_VARIANTS = _square((100, 16, 256), (100, 64, 128), (35, 20, 200), (35, 20, 650), (512, 16, 64))


def shapes_of(names: Sequence[str]) -> tuple[Shape, ...]:
    """The shapes that `grid`, `own` and sizes such as `100x16x256` name, each once."""
    found: dict[Shape, None] = {}
    for name in names:
        found |= dict.fromkeys(GRIDS[name] if name in GRIDS else (Shape.parse(name),))
    return tuple(found)


@dataclass(frozen=True)
class Case:
    """One measurement. bfloat16 means under autocast: weights and states stay float32, as in training."""

    cell: str
    shape: Shape
    dtype: str = "float32"
    mode: str = "inference"
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.cell} {self.shape} {self.dtype} {self.mode}"

    @property
    def spec(self) -> CellSpec:
        return CELLS[self.cell].spec

    @property
    def noise(self) -> dict[str, float]:
        return CELLS[self.cell].noise

    @property
    def training(self) -> bool:
        return self.mode == "training"

    @property
    def products(self) -> list[tuple[int, int, int]]:
        """Rows, depth and columns of the matrix products of all steps: input and recurrence at once, full peepholes."""
        spec, shape = self.spec, self.shape
        rows, hidden = shape.steps * shape.batch, shape.hidden_size
        products = [(rows, shape.input_size + hidden, len(spec.gates) * hidden)]
        if spec.peephole == "full":
            products.append((rows, hidden, len(spec.peephole_gates) * hidden))
        return products

    @property
    def flops(self) -> int:
        """Floating-point operations of those products; training has each three times: forward, dX, dW."""
        return sum(2 * rows * depth * columns for rows, depth, columns in self.products) * (3 if self.training else 1)


def weight(case: Case) -> float:
    """About the seconds that the gate and the fewest rounds of a case take, to share a budget by."""
    return 0.5 + 15 * case.flops / 1e11  # some fifteen runs in all, at 100 GFLOP/s


def check_names(cells: Sequence[str], dtypes: Sequence[str], modes: Sequence[str]) -> None:
    """Raise `InputError` for names that nobody knows, and for no mode at all."""
    for kind, given, known in (("cell", cells, CELLS), ("dtype", dtypes, DTYPES), ("mode", modes, MODES)):
        for name in given:
            if name not in known:
                raise InputError(f"unknown {kind} {name!r}; choose from {', '.join(known)}")
    if not modes:
        raise InputError(f"no mode given; choose from {', '.join(MODES)}")


def plan(
    cells: Sequence[str], shapes: Sequence[Shape], dtypes: Sequence[str], modes: Sequence[str], threads: int
) -> tuple[Case, ...]:
    """Every case of the given names, shape by shape. `InputError` for unknown names.

    Without `cells` the plain ones run at every shape, the variants of the LSTM at those of `GRID_OF_VARIANTS`, which
    has B >= 16. Without `dtypes` bfloat16 joins in training of plain cells where B·H >= 4096.
    """
    check_names(cells, dtypes, modes)
    cases: list[Case] = []
    for shape in shapes:
        for cell in cells or (PLAIN + VARIANTS if shape in GRID_OF_VARIANTS else PLAIN):
            wide = shape.batch * shape.hidden_size >= WORK_OF_BFLOAT16
            for dtype in dtypes or (DTYPES if wide and cell in PLAIN else ("float32",)):
                chosen = [mode for mode in modes if dtypes or dtype == "float32" or mode == "training"]
                cases += [Case(cell, shape, dtype, mode, threads) for mode in chosen]
    return tuple(cases)


def describe(case: Case) -> dict[str, Any]:
    """The case as flat JSON values."""
    return {
        "cell": case.cell,
        "T": case.shape.steps,
        "B": case.shape.batch,
        "I": case.shape.input_size,
        "H": case.shape.hidden_size,
        "dtype": case.dtype,
        "mode": case.mode,
        "threads": case.threads,
    }


def read_case(row: dict[str, Any]) -> Case:
    """The case that `describe` wrote."""
    shape = Shape(row["T"], row["B"], row["I"], row["H"])
    return Case(row["cell"], shape, row["dtype"], row["mode"], row["threads"])
