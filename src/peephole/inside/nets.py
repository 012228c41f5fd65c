"""The recurrent nets in a model, which may be one itself, and how somebody gets to look into one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from peephole.errors import InputError
from peephole.nn.inside import Inside
from peephole.nn.recurrent import Recurrent


def recurrent_nets(model: nn.Module) -> list[tuple[str, Recurrent | nn.RNN | nn.LSTM | nn.GRU]]:
    """Each recurrent net with its name in the model.

    `InputError` where there is none, and for a model that `torch.compile` made.
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"got a {type(model).__name__}; expected a module with a recurrent net in it")
    for name, part in model.named_modules():
        if hasattr(part, "_orig_mod"):
            whole = f"{name}._orig_mod" if name else "model._orig_mod"
            raise InputError(
                f"{name or 'the model'} went through torch.compile, which nobody can look into; give the module that "
                f"was compiled, {whole}"
            )
    found = [
        (name or type(part).__name__, part)
        for name, part in model.named_modules()
        if isinstance(part, Recurrent | nn.RNN | nn.LSTM | nn.GRU)
    ]
    if not found:
        raise InputError(
            f"{type(model).__name__} has no recurrent net in it; expected peephole's or torch.nn's RNN, LSTM or GRU"
        )
    return found


@contextmanager
def looked_into(net: Recurrent, inside: Inside) -> Iterator[None]:
    """While the block runs, `inside` hears of every call of `net`.

    A function that torch.compile made runs the net uncompiled then, or, with fullgraph=True, says that it cannot.
    """
    before, compiles = net._inside, "torch._dynamo" in sys.modules and "_run" not in vars(net)
    net._inside = (*before, inside)
    if compiles:
        reason = "a trace or an intervention does not reach into torch.compile"
        vars(net)["_run"] = torch.compiler.disable(net._run, reason=reason)
    try:
        yield
    finally:
        net._inside = before
        if not before:
            del net._inside
        if compiles:
            del vars(net)["_run"]
