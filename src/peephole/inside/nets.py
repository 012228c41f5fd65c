"""The recurrent nets in a model, which may be one itself."""

from torch import nn

from peephole.errors import InputError
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
