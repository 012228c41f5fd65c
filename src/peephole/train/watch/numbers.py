"""What is counted of a look: the numbers of a row of the history, rounded, and null where they are not finite."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from peephole.spec import CellSpec
from peephole.stability.backward.horizon import find_horizon
from peephole.train.watch.looking import LayerSeen

LEFT, RIGHT = 0.1, 0.9  # a gate below or above is saturated: the thresholds of Karpathy, Johnson & Fei-Fei 2015, 4.2
CANDIDATES = {"lstm": "g", "gru": "n"}  # behind a tanh, not a sigmoid: the others are gates
STILL = 1e-3  # a unit whose h varies less than this is dead
DIGITS = 4  # significant digits kept: a curve in every row is what makes a history large


def inside(layers: Sequence[LayerSeen]) -> dict[str, Any]:
    """The numbers of all layers and directions, by name.

    `flow`: mean ‖∂Div(t)/∂state(t − lag)‖ by lag. `horizon`: the first lag at which that is under 1 % of what it is at
    lag 0; None where it is not. `saturation`: of each gate behind a sigmoid the share of its values, over units, rows
    and steps, under 0.1 and above 0.9. `forget_product`: what the gates keep of a state over all steps looked at, mean
    over units and rows: the product of f (1 − i where the two are coupled; of a GRU what its update gate keeps).
    `dead`: units, of `units`, whose h says nothing: of ReLUs those that never fire, of others those that vary by less
    than 0.001 over all rows and steps. `range`: the least and largest value of each state.
    """
    found: dict[str, dict[str, Any]] = {
        "flow": {seen.name: {state: curve.tolist() for state, curve in seen.flow.items()} for seen in layers},
        "horizon": {seen.name: {state: horizon(curve) for state, curve in seen.flow.items()} for seen in layers},
        "saturation": {seen.name: saturation(seen) for seen in layers},
        "forget_product": {seen.name: forget_product(seen) for seen in layers},
        "dead": {seen.name: dead(seen) for seen in layers},
        "units": {seen.name: seen.states["h"].shape[-1] for seen in layers if "h" in seen.states},
        "range": {seen.name: {state: ends(value) for state, value in seen.states.items()} for seen in layers},
    }
    kept = {
        name: {layer: value for layer, value in by.items() if value not in ({}, None)} for name, by in found.items()
    }
    return {name: by for name, by in kept.items() if by}


def horizon(curve: Tensor) -> int | None:
    """The first lag at which a mean flow `[lags]` is under 1 % of that at lag 0."""
    return find_horizon(curve[:, None], resamples=1).lag


def saturation(seen: LayerSeen) -> dict[str, list[float]]:
    """Shares under 0.1 and above 0.9, of each gate."""
    if seen.spec is None or seen.spec.family not in CANDIDATES:
        return {}
    values = {name: value for name, value in seen.gates.items() if name != CANDIDATES[seen.spec.family]}
    return {
        name: [float((value < LEFT).float().mean()), float((value > RIGHT).float().mean())]
        for name, value in values.items()
    }


def forget_product(seen: LayerSeen) -> float | None:
    """The product over steps of what the gates keep, mean over units and rows; None without such a gate."""
    kept = _kept(seen.spec, seen.gates)
    return None if kept is None else float(kept.double().prod(0).mean())


def _kept(spec: CellSpec | None, gates: Mapping[str, Tensor]) -> Tensor | None:
    if spec is None or spec.family not in CANDIDATES:
        return None
    if spec.family == "gru":
        return gates["z"] if spec.update == "keeps" else 1 - gates["z"]
    if "f" in gates:
        return gates["f"]
    return 1 - gates["i"] if spec.coupled else None


def dead(seen: LayerSeen) -> int | None:
    """How many units have an h that says nothing."""
    h = seen.states.get("h")
    if h is None:
        return None
    values = h.flatten(0, 1)  # [T·B, U]
    relu = seen.spec is None or (seen.spec.family == "rnn" and seen.spec.nonlinearity == "relu")
    if relu and (seen.spec is None or seen.spec.residual == "none"):
        return int((values <= 0).all(0).sum())
    return int((values.amax(0) - values.amin(0) < STILL).sum())


def ends(values: Tensor) -> list[float]:
    """The least and the largest."""
    return [float(values.min()), float(values.max())]


def update_ratios(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, float]:
    """‖Δw‖ / ‖w‖ of each parameter, w being that before; NaN for one that was zero."""
    old, new = list(before.values()), list(after.values())
    with torch.no_grad():
        steps = torch.stack([torch.linalg.vector_norm(one - other) for one, other in zip(new, old, strict=True)])
        sizes = torch.stack([torch.linalg.vector_norm(one) for one in old])
        ratios = (steps / sizes).masked_fill(sizes == 0, math.nan)
    return dict(zip(before, ratios.tolist(), strict=True))


def plain(value: Any) -> Any:
    """For the history: numbers of four digits, None for what is not finite."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
