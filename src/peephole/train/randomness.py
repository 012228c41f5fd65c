"""The state of torch's generators, kept in checkpoints so that dropout goes on where it was."""

import torch
from torch import Tensor


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The generators' states: of the processor, and of `device` where it is a GPU."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Put back what `random_state` gave."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
