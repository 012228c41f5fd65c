"""Measurements of stability beside the loops that people write by hand: results compared first, then timed in turn."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

import peephole
from peephole.stability import carousel, decompose_gradient, gradient_flow, lyapunov_spectrum, memory

Jacobian = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]

BY_TORCH: dict[str, Jacobian] = {
    "autograd.functional.jacobian": lambda step, state: torch.autograd.functional.jacobian(step, state, vectorize=True),
    "func.jacrev": lambda step, state: torch.func.jacrev(step)(state),
}


def lyapunov(steps: int = 1000, hidden: int = 256, every: int = 10, rounds: int = 2) -> dict[str, Any]:
    """The whole spectrum of an LSTM on one sequence, against a Jacobian a step from torch, the product and the same QR.

    Seconds, the best of `rounds`; `times_faster` is theirs over ours. `steps` is a multiple of `every`.
    """
    burn_in = steps // 5 // every * every
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        lstm = torch.nn.LSTM(64, hidden)
    x = torch.randn(steps, 1, 64, generator=generator)
    contestants: dict[str, Callable[[], Tensor]] = {
        "peephole": lambda: lyapunov_spectrum(lstm, x, every=every, burn_in=burn_in).layers[0].exponents
    }
    for name, jacobian in BY_TORCH.items():
        contestants[name] = lambda jacobian=jacobian: _spectrum_by_hand(lstm, x, every, burn_in, jacobian)
    found: dict[str, Tensor] = {}
    seconds: dict[str, float] = {}
    for _ in range(rounds):
        for name, run in contestants.items():
            begun = time.perf_counter()
            found[name] = run()
            seconds[name] = min(seconds.get(name, float("inf")), time.perf_counter() - begun)
    ours = found["peephole"]
    resolved = ours.isfinite()  # the others are under the rounding of float32 over so many steps, for everybody
    errors = {name: float((other - ours)[resolved].abs().max()) for name, other in found.items()}
    for name, error in errors.items():
        if not error < 1e-4:
            raise AssertionError(f"{name} differs by {error:.3g} nats a step from peephole: nothing to compare")
    return {
        "steps": steps,
        "hidden": hidden,
        "every": every,
        "resolved": int(resolved.sum()),
        "seconds": seconds,
        "difference": errors,
        "times_faster": {name: seconds[name] / seconds["peephole"] for name in BY_TORCH},
    }


def _spectrum_by_hand(lstm: torch.nn.LSTM, x: Tensor, every: int, burn_in: int, jacobian: Jacobian) -> Tensor:
    """As one writes it: J Q at every step, QR every few."""
    w_ih, w_hh, b_ih, b_hh = (weight.detach() for weight in lstm.all_weights[0])
    size = 2 * lstm.hidden_size

    def step_with(x_t: Tensor) -> Callable[[Tensor], Tensor]:
        driven = w_ih @ x_t + b_ih + b_hh

        def step(state: Tensor) -> Tensor:
            h, c = state.chunk(2)
            i, f, g, o = (driven + w_hh @ h).chunk(4)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.cat([torch.sigmoid(o) * torch.tanh(c), c])

        return step

    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64)).Q.float()
    state, sums = torch.zeros(size), torch.zeros(size, dtype=torch.float64)
    for t in range(len(x)):
        step = step_with(x[t, 0])
        basis = jacobian(step, state) @ basis
        state = step(state)
        if (t + 1) % every == 0:
            basis, triangle = torch.linalg.qr(basis)
            if t >= burn_in:
                sums += triangle.diagonal().abs().double().log()
    return (sums / (len(x) - burn_in)).sort(descending=True).values


def flow(steps: int = 1000, batch: int = 32, hidden: int = 256, rounds: int = 3) -> dict[str, Any]:
    """Gradient flow of an LSTM from 16 target times to all lags, beside training steps of peephole's and torch's LSTM.

    Medians of `rounds`, in turn. Twice: with torch's initial weights, whose gradients vanish on the way, and with a
    forget bias of 3, with which they arrive. A training step is forward and backward to every weight.
    """
    generator = torch.Generator().manual_seed(0)
    x, wanted = (torch.randn(steps, batch, hidden, generator=generator) for _ in range(2))
    found: dict[str, Any] = {"steps": steps, "batch": batch, "hidden": hidden}
    for name, options in {"vanishing": {}, "arriving": {"init": "orthogonal", "forget_bias": 3.0}}.items():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            ours = peephole.LSTM(hidden, hidden, **options)
        theirs = peephole.to_torch(ours)

        def divergence(y: Tensor) -> Tensor:
            return (y - wanted).square().sum()

        def train(net: torch.nn.Module) -> None:
            net.zero_grad()
            divergence(net(x)[0]).backward()

        runs: dict[str, Callable[[], Any]] = {
            "flow": lambda net=ours: gradient_flow(net, x, divergence),
            "step": lambda net=ours: train(net),
            "torch.nn step": lambda net=theirs: train(net),
        }
        seconds: dict[str, list[float]] = {each: [] for each in runs}
        for number in range(rounds + 1):
            for each, run in runs.items():
                begun = time.perf_counter()
                run()
                if number:  # the first round warms up
                    seconds[each].append(time.perf_counter() - begun)
        medians = {each: statistics.median(times) for each, times in seconds.items()}
        ratios = {each: medians["flow"] / medians[each] for each in ("step", "torch.nn step")}
        found[name] = {"seconds": medians, "steps_time": ratios}
    return found


def growth(batch: int = 4, hidden: int = 64, lengths: Sequence[int] = (250, 500, 1000, 2000, 4000)) -> dict[str, Any]:
    """Seconds over T: they grow as T does where a number of targets, lags or exponents is asked for."""
    net = peephole.LSTM(hidden, hidden, init="orthogonal", forget_bias=3.0)
    measured: dict[str, Callable[[Tensor], Any]] = {
        "flow": lambda x: gradient_flow(net, x, lambda y: y.square().sum()),
        "decomposition": lambda x: decompose_gradient(net, x, lambda y: y.square().sum(), longest=16),
        "lyapunov": lambda x: lyapunov_spectrum(net, x, exponents=8),
        "memory": lambda x: memory(net, x),
        "carousel": lambda x: carousel(net, x, lambda y: y.square().sum()),
    }
    found: dict[str, dict[int, float]] = {name: {} for name in measured}
    for name, run in measured.items():
        run(torch.randn(32, batch, hidden))
        for steps in lengths:
            x = torch.randn(steps, batch, hidden)
            begun = time.perf_counter()
            run(x)
            found[name][steps] = time.perf_counter() - begun
    return found


PARTS: dict[str, Callable[[], Any]] = {"lyapunov": lyapunov, "flow": flow, "growth": growth}


def measure(names: Sequence[str] = ()) -> dict[str, Any]:
    """The named parts, else all, on two threads."""
    torch.set_num_threads(2)
    return {name: PARTS[name]() for name in names or PARTS}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1:]), indent=2))
