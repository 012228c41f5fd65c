"""What layers and cells have in common when they are built, loaded and printed."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from peephole.errors import InputError
from peephole.ops import BACKENDS
from peephole.spec import BUILT_IN, SWITCHES, CellSpec, spec_of


def take_spec(family: str, options: dict[str, Any], **switches: Any) -> CellSpec:
    """The spec that keyword arguments describe; switches and `variant` are taken out of `options`."""
    switches |= {name: options.pop(name) for name in SWITCHES if name in options}
    return spec_of(family, options.pop("variant", None), bool(options.get("proj_size")), **switches)


def check_sizes(**sizes: int) -> None:
    """Raise `InputError` unless every size is a whole number of at least 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int):
            raise InputError(f"{name} is {size!r}; expected a whole number")
        if size < 1:
            raise InputError(f"{name} is {size}; expected at least 1")


def check_projection(spec: CellSpec, hidden_size: int, proj_size: int) -> None:
    """Raise `InputError` unless `proj_size` is below the hidden size, and there where the spec projects."""
    if isinstance(proj_size, bool) or not isinstance(proj_size, int) or not 0 <= proj_size < hidden_size:
        raise InputError(f"proj_size is {proj_size!r}; expected 0 (none) or a size below hidden_size={hidden_size}")
    if bool(proj_size) != spec.projected:
        raise InputError(f"proj_size is {proj_size} and the spec is {spec.code!r}; expected both or none to project")


def check_backend(backend: str) -> None:
    """Raise `InputError` for a back end that nobody knows."""
    if backend != "auto" and backend not in BACKENDS:
        raise InputError(f"unknown back end {backend!r}; choose one of auto, {', '.join(BACKENDS)}")


def check_keys(module: nn.Module, state_dict: Mapping[str, Any], strict: bool) -> None:
    """Raise `InputError` where a state_dict lacks a parameter, has one too many, or one of another shape."""
    want = module.state_dict()  # with the buffers that pruning and parametrisations add
    missing, extra = (
        [name for name in want if name not in state_dict],
        [name for name in state_dict if name not in want],
    )
    if strict and (missing or extra):
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has {', '.join(extra)}, which it should not"] if extra else []
        raise InputError(f"the state_dict {' and '.join(parts)}; expected the parameters of {module!r}")
    for name, parameter in want.items():
        if name in state_dict and tuple(state_dict[name].shape) != tuple(parameter.shape):
            got, shape = list(state_dict[name].shape), list(parameter.shape)
            raise InputError(f"{name} in the state_dict has shape {got}; {module!r} expects {shape}")


def arguments_text(
    spec: CellSpec, input_size: int, hidden_size: int, options: Mapping[str, tuple[Any, Any]] | None = None
) -> str:
    """What a module prints of itself: sizes, switches, and the `options` (value and default) that differ."""
    changed = {name: value for name, (value, default) in (options or {}).items() if value != default}
    switches = {name: value for name, value in spec.changes.items() if name != "projected"}
    name = [] if spec.family in BUILT_IN else [repr(spec.family)]
    words = [f"{name}={value!r}" for name, value in (switches | changed).items()]
    return ", ".join([*name, str(input_size), str(hidden_size), *words])
