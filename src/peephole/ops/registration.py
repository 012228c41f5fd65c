"""Cells of users: a function of one step, registered under a name, that the loop over time then runs as any other."""

import keyword
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from peephole.errors import InputError
from peephole.ops.operators import define_operators
from peephole.reference.passing import Passing, unchanged
from peephole.reference.preactivation import by_gate, from_input
from peephole.reference.sequence import STEPS
from peephole.spec import BUILT_IN, CellSpec, Family, register_family

UserStep = Callable[[dict[str, Tensor], tuple[Tensor, ...], dict[str, Tensor]], tuple[Tensor, ...]]


def register_cell(
    name: str,
    gates: Sequence[str],
    states: Sequence[str] = ("h",),
    *,
    parameters: Mapping[str, tuple[str | int, ...]] | None = None,
    source: str = "",
) -> Callable[[UserStep], UserStep]:
    """Register the decorated function of one step as the cell `name`; `peephole.Recurrent(name, …)` then runs it.

    The function gets `z`, for each of `gates` W_ih x_t + b_ih + b_hh as `[B, H]`; the `states`, `[B, H]` each; and the
    `weights` by name: `weight_ih` `[G·H, I]`, `weight_hh` `[G·H, H]`, `bias_ih`, `bias_hh` `[G·H]`, and those that
    `parameters` adds, with shapes such as `("H", "H")` in terms of the hidden size H and the input size I. It returns
    the new states in the order of `states`, the first of which is the output. Registering a name again replaces the
    cell; layers made before keep their old parameters and have to be made anew. Raises `InputError` for a name that is
    taken or cannot be one.
    """
    if name in (*BUILT_IN, "random_words", "random_mask"):
        raise InputError(f"the cell name {name!r} is taken; choose another than {', '.join(BUILT_IN)}")
    if not _is_name(name) or name.endswith("_backward"):
        raise InputError(
            f"the cell name is {name!r}; expected letters, digits and underscores, no keyword, no _backward at its end"
        )
    for what, names in (("gates", gates), ("states", states)):
        if isinstance(names, str) or not names or len(set(names)) != len(names):
            raise InputError(f"{what} of the cell {name!r} are {names!r}; expected a tuple of different names")
        if not all(_is_name(each) for each in names):
            raise InputError(f"{what} of the cell {name!r} are {names!r}; expected letters, digits and underscores")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise InputError(f"parameters of the cell {name!r} are {parameters!r}; expected names with their shapes")
    extra = dict(parameters or {})
    for parameter, shape in extra.items():
        taken = parameter in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        if taken or not _is_name(parameter) or not parameter.startswith(("weight_", "bias_")):
            raise InputError(
                f"parameter {parameter!r} of the cell {name!r} is taken or no name; expected weight_… or bias_…"
            )
        if not isinstance(shape, tuple | list) or not shape or not all(map(_is_size, shape)):
            raise InputError(f'shape of {parameter!r} is {shape!r}; expected a tuple of "H", "I" and positive numbers')

    def register(function: UserStep) -> UserStep:
        if not callable(function):
            raise InputError(f"the cell {name!r} is {function!r}; expected a function of one step")

        def step(
            spec: CellSpec,
            x: Tensor,
            states: tuple[Tensor, ...],
            weights: dict[str, Tensor],
            recurrent_mask: Tensor | None = None,
            see: Passing = unchanged,
        ) -> tuple[Tensor, ...]:
            z = from_input(x, weights)
            if spec.bias:
                z = z + weights["bias_hh"]
            given = {gate: see(f"z_{gate}", rows) for gate, rows in by_gate(spec, z).items()}
            following = function(given, states, weights)
            if see is unchanged or not isinstance(following, tuple) or len(following) != len(states):
                return following  # what is wrong with it, the loop says
            return tuple(see(name, state) for name, state in zip(spec.states, following, strict=True))

        origin = source or f"registered by {getattr(function, '__qualname__', repr(function))}"
        define_operators(name)
        register_family(name, Family(tuple(gates), tuple(states), origin, extra))
        STEPS[name] = step
        return function

    return register


def _is_size(size: object) -> bool:
    return size in ("H", "I") or (isinstance(size, int) and not isinstance(size, bool) and size > 0)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
