"""One layer and direction with everything it can be given, run by whatever computes it, and compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole import reference
from peephole.ops.operators import OPERATORS
from peephole.spec import CellSpec

Run = Callable[..., tuple[Tensor, tuple[Tensor, ...]]]


@dataclass(frozen=True)
class Problem:
    """Arguments of one layer and direction: random, the same in every dtype, hard where `masks` say so."""

    spec: CellSpec
    steps: int = 7
    batch: int = 5
    input_size: int = 4
    hidden_size: int = 6
    masks: tuple[str, ...] = ()
    reverse: bool = False
    dtype: torch.dtype = torch.float64
    device: str = "cpu"
    tensors: dict[str, Tensor] = field(init=False)
    lengths: Tensor | None = field(init=False)
    resets: Tensor | None = field(init=False)
    noise: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(self.steps + 100 * self.batch + 10_000 * self.hidden_size)

        def draw(shape: tuple[int, ...], scale: float) -> Tensor:
            return scale * torch.randn(shape, generator=generator)

        proj = max(1, self.hidden_size // 2) if self.spec.projected else 0
        sizes = self.spec.state_sizes(self.hidden_size, proj)
        tensors = {"x": draw((self.steps, self.batch, self.input_size), 1.0)}
        for name, size in zip(self.spec.states, sizes, strict=True):
            tensors[name] = draw((self.batch, size), 0.7)
        for name, shape in self.spec.parameter_shapes(self.input_size, self.hidden_size, proj).items():
            tensors[name] = draw(shape, 0.5 if len(shape) == 1 else max(1, shape[1]) ** -0.5)
        lengths = torch.randint(0, self.steps + 1, (self.batch,), generator=generator)
        lengths[: min(2, self.batch)] = torch.tensor([0, self.steps])[: self.batch]
        resets = torch.rand((self.steps, self.batch), generator=generator) < 0.25
        resets[0, -1] = resets[-1, -1] = True
        noise = [torch.bernoulli(torch.full((self.batch, sizes[0]), 0.7), generator=generator) / 0.7]
        noise.append(torch.bernoulli(torch.full((self.steps, self.batch, sizes[0]), 0.4), generator=generator))
        noise += [torch.full((1, 1, 1), 0.3) if name == "c" else torch.empty(0) for name in self.spec.states[1:]]
        wide = torch.float32 if self.dtype in (torch.bfloat16, torch.float16) else self.dtype
        place = object.__setattr__
        place(self, "tensors", {name: tensor.to(self.device, self.dtype) for name, tensor in tensors.items()})
        place(self, "lengths", lengths.to(self.device) if "lengths" in self.masks else None)
        place(self, "resets", resets.to(self.device) if "resets" in self.masks else None)
        place(self, "noise", [mask.to(self.device, wide) for mask in noise] if "noise" in self.masks else [])

    def widened(self) -> "Problem":
        """The same numbers in float64."""
        other = Problem(self.spec, self.steps, self.batch, self.input_size, self.hidden_size, self.masks, self.reverse)
        other.tensors.update({name: tensor.double().cpu() for name, tensor in self.tensors.items()})
        return other

    def split(self, tensors: dict[str, Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """x, the states and the weights."""
        states = [tensors[name] for name in self.spec.states]
        return tensors["x"], states, [tensors[name] for name in self.spec.parameter_names()]

    def solve(self, run: Run) -> dict[str, Tensor]:
        """Output, final states and the gradient of every tensor under one random upstream gradient per output."""
        leaves = {name: tensor.clone().requires_grad_() for name, tensor in self.tensors.items()}
        y, finals = run(
            self.spec,
            *self.split(leaves),
            lengths=self.lengths,
            resets=self.resets,
            masks=self.noise,
            reverse=self.reverse,
        )
        results = {"y": y} | {f"final {name}": state for name, state in zip(self.spec.states, finals, strict=True)}
        generator = torch.Generator().manual_seed(1)
        upstream = [torch.randn(tensor.shape, generator=generator).to(tensor) for tensor in results.values()]
        torch.autograd.backward(list(results.values()), upstream)
        return results | {f"gradient of {name}": leaf.grad for name, leaf in leaves.items()}


@pytest.fixture(scope="session")
def problem() -> type[Problem]:
    return Problem


@pytest.fixture(scope="session")
def oracle() -> Run:
    """The equations, with the arguments that every back end takes."""

    def run(spec: CellSpec, *tensors: Any, masks: Sequence[Tensor] = (), **options: Any) -> Any:
        recurrent, zoneout = None, []
        if masks:
            recurrent, *kept = masks
            zoneout = [mask if mask.numel() else None for mask in kept]
        return reference.run(spec, *tensors, **options, recurrent_mask=recurrent, zoneout=zoneout)

    return run


@pytest.fixture(scope="session")
def kernel() -> Callable[[str], Run]:
    """`kernel(name)` runs a layer on that kernel's operator, whatever `auto` would have chosen."""

    def named(name: str) -> Run:
        def run(
            spec: CellSpec,
            x: Tensor,
            states: list[Tensor],
            weights: list[Tensor],
            *,
            lengths: Tensor | None,
            resets: Tensor | None,
            masks: Sequence[Tensor] = (),
            reverse: bool,
        ) -> tuple[Tensor, tuple[Tensor, ...]]:
            arguments = x, states, weights, lengths, resets, list(masks), spec.code, name, reverse, True
            y, finals, _ = OPERATORS[spec.family](*arguments)
            return y, tuple(finals)

        return run

    return named


def compare(task: Problem, run: Run, oracle: Run, agree: Callable[..., None], tolerance: float) -> None:
    """Every result of `run` and every gradient against the oracle's in float64."""
    check(task.solve(run), task.widened().solve(oracle), agree, tolerance)


def check(got: dict[str, Tensor], want: dict[str, Tensor], agree: Callable[..., None], tolerance: float) -> None:
    """The same results by the same names; what is smaller than 0.01 comes of cancellation."""
    assert list(got) == list(want)
    for name, tensor in want.items():
        agree(got[name], tensor, tolerance, name, floor=0.01)


@pytest.fixture(scope="session")
def answer(oracle: Run) -> Callable[[Problem], dict[str, Tensor]]:
    """What the oracle makes of a problem, computed once for every kernel and instruction set that is asked it."""
    known: dict[tuple[object, ...], dict[str, Tensor]] = {}

    def find(task: Problem) -> dict[str, Tensor]:
        sizes = task.steps, task.batch, task.input_size, task.hidden_size
        key = (task.spec, *sizes, task.masks, task.reverse, task.dtype)
        if key not in known:
            known[key] = task.widened().solve(oracle)
        return known[key]

    return find
