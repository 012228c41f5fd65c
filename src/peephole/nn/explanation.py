"""Which back end a module would run on, and why not another, as text."""

from dataclasses import replace

from torch import nn

from peephole.errors import InputError
from peephole.nn.cells import Cell
from peephole.nn.recurrent import Recurrent
from peephole.ops import Call, choose


def explain_backend(module: nn.Module, *, steps: int = 100, lengths: bool = False) -> str:
    """The back end and kernel of each recurrent part of `module`, one paragraph each, with the reasons.

    The answer depends on the call: `steps` T, and whether `lengths` (or resets inside a row) are given.
    """
    paragraphs: list[str] = []
    for name, part in module.named_modules():
        if not isinstance(part, Recurrent | Cell):
            continue
        parameter = next(part.parameters())
        one = isinstance(part, Cell) or steps == 1
        noisy = isinstance(part, Recurrent) and part.noise.in_steps(part.training)
        call = Call(part.spec, parameter.device.type, parameter.dtype, one=one, masked=lengths, noisy=noisy)
        call = replace(call, recompute=isinstance(part, Recurrent) and part.recompute)
        head = f"{name or type(part).__name__}: {part.spec.code}, {str(parameter.dtype).removeprefix('torch.')} on "
        head += f"{parameter.device.type}, {'one step' if one else 'many steps'}{', with lengths' if lengths else ''}"
        head += ", with noise" if noisy else ""
        paragraphs.append(f"{head}\n  {choose(part.backend, call)}")
    if not paragraphs:
        raise InputError(f"{type(module).__name__} holds no recurrent layer or cell of peephole; nothing to explain")
    return "\n".join(paragraphs)
