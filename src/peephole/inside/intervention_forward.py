"""A module whose forward is another for a while: `torch.nn`'s layers run by peephole's, with their own weights."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from peephole.inside.intervention_target import Net
from peephole.nn.exchange import from_torch
from peephole.nn.inside import Inside
from peephole.nn.recurrent import Recurrent

logger = logging.getLogger("peephole")


@contextmanager
def forward_replaced(net: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """While the block runs, `net` calls `forward`; hooks see it as they would see its own."""
    before = vars(net).get("forward")
    object.__setattr__(net, "forward", forward)
    try:
        yield
    finally:
        if before is None:
            vars(net).pop("forward", None)
        else:
            object.__setattr__(net, "forward", before)


class StandIn:
    """The forward of peephole's layers for a module of `torch.nn`, with whatever weights that has at each call."""

    def __init__(self, net: nn.RNNBase) -> None:
        like = net.weight_ih_l0
        with torch.random.fork_rng([like.device] if like.is_cuda else []):  # a new layer draws its weights
            self.recurrent = from_torch(net).to("meta")  # which are never used
        self.names = [name for name, _ in self.recurrent.named_parameters()]
        self.net = net

    @property
    def inside(self) -> tuple[Inside, ...]:
        """Who takes a hand in it."""
        return self.recurrent._inside

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.recurrent.train(self.net.training)
        weights = {name: getattr(self.net, name) for name in self.names}
        return functional_call(self.recurrent, weights, args, kwargs)


@contextmanager
def reached(net: Net) -> Iterator[Recurrent]:
    """The layers of peephole's that run while the block does: `net` itself, or one that stands in for torch.nn's.

    That the equations run in place of `torch.nn`'s kernels is said once for each kind.
    """
    if isinstance(net, Recurrent):
        yield net
        return
    standing = vars(net).get("forward")
    if isinstance(standing, StandIn):  # another intervention's
        yield standing.recurrent
        return
    _say_once(type(net).__name__)
    standing = StandIn(net)
    with forward_replaced(net, standing):
        yield standing.recurrent


@lru_cache(maxsize=16)
def _say_once(kind: str) -> None:
    logger.warning("torch.nn.%s runs by peephole's equations, with its own weights, as long as something changes", kind)
