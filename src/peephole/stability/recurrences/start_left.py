"""What is left of a start: the singular values of ∂h(t)/∂h(0) along a trajectory."""

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.stability.recurrences.activations import activate, slope

LARGEST = 1e150  # a product beyond this is not followed further; its square would leave float64


def what_is_left(
    activation: str,
    weight: Float[Tensor, "hidden hidden"],
    drive: Float[Tensor, " hidden"],
    states: Float[Tensor, "time hidden"],
) -> tuple[tuple[int, ...], Float[Tensor, "looks hidden"]]:
    """Steps, about two for each doubling, and the singular values at each, descending; none once they pass 1e150."""
    last = len(states) - 1
    looks = {0, last, *(round(2 ** (half / 2)) for half in range(2 * last.bit_length()))}
    product = torch.eye(len(weight), dtype=torch.float64)
    times, found = [0], [torch.ones(len(weight), dtype=torch.float64)]
    for t in range(1, last + 1):
        product = step_jacobian(activation, weight, drive, states[t - 1]) @ product
        if not product.abs().max() < LARGEST:
            break
        if t in looks:
            times.append(t)
            found.append(torch.linalg.svdvals(product))
    return tuple(times), torch.stack(found)


def step_jacobian(
    activation: str,
    weight: Float[Tensor, "hidden hidden"],
    drive: Float[Tensor, " hidden"],
    state: Float[Tensor, " hidden"],
) -> Float[Tensor, "hidden hidden"]:
    """∂h(t)/∂h(t−1) at h(t−1) = `state`: diag(f'(z)) W, and (diag(y) − y yᵀ) W of softmax y."""
    z = weight @ state + drive
    if activation == "softmax":
        y = activate(activation, z)
        return y[:, None] * (weight - y @ weight)
    return slope(activation, z)[:, None] * weight
