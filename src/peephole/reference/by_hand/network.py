"""The lectured network: L hidden layers and an output layer with a softmax, forward and backward through time.

(t, l) counts as on the slides: t = 0 … T−1, l = 1 … L; layer 0 is the input, step −1 holds the initial states.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.errors import InputError
from peephole.reference.by_hand.activation import softmax_jacobian

States = tuple[Tensor, ...]  # as the cell's `states` names them, h last: (C, h) or (h,)


@runtime_checkable
class Cell(Protocol):
    """What the network asks of a cell: the states before x in forward; dstates_o, states, states_o in backward."""

    gates: tuple[str, ...]  # in torch's order
    states: tuple[str, ...]
    required: tuple[str, ...]  # names of parameters; without those below the cell lacks something, and is still a cell
    optional: tuple[str, ...]

    def forward(self, *args: Any, **kwargs: Any) -> States: ...

    def backward(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]: ...


@dataclass(frozen=True)
class Gradients:
    """Gradients of the divergence, each in the shape of what it is the gradient of."""

    layers: list[dict[str, Tensor]]  # of the parameters, layer 1 first
    W_o: Tensor
    b_o: Tensor
    x: Float[Tensor, "time input"]
    initial: list[States]  # of the states at step −1, layer 1 first


class Network:
    """L hidden layers and the output layer Y(t) = softmax(W_o h(t, L) + b_o).

    `new_cell` makes a copy of the cell, for example `LSTMCell` or `lambda: GRUCell(update="keeps")`. `layers` holds the
    parameters of each hidden layer, layer 1 first; `W_o` is `[V, H]` and `b_o` `[V]`. After `forward` there are
    `cells[t, l]`, a copy of its own for each step and layer with its static values, `states[t, l]`, and `z_o[t]`.
    Sizes that do not fit each other raise `InputError`.
    """

    def __init__(
        self, new_cell: Callable[[], Cell], layers: Sequence[dict[str, Tensor]], W_o: Tensor, b_o: Tensor
    ) -> None:
        self.new_cell = new_cell
        self.parameters = dict(enumerate(layers, start=1))  # [W{l}, b{l}]
        self.L = len(layers)
        self.W_o, self.b_o = W_o, b_o
        self.sizes = _check_parameters(new_cell(), layers, W_o, b_o)  # I, and H of each layer
        self.cells: dict[tuple[int, int], Cell] = {}
        self.states: dict[tuple[int, int], States] = {}
        self.z_o: dict[int, Tensor] = {}

    @torch.no_grad()
    def forward(
        self, x: Float[Tensor, "time input"], initial: Sequence[States] | None = None
    ) -> Float[Tensor, "time outputs"]:
        """Y(t) for every t. `initial` holds the states at step −1 of each layer; without it they are zero."""
        names = self.new_cell().states
        if initial is None:
            initial = [tuple(self.W_o.new_zeros(H) for _ in names) for H in self.sizes[1:]]
        _check_input(x, initial, names, self.sizes)
        self.T = len(x)
        self.x = x
        self.cells, self.z_o = {}, {}
        self.states = {(-1, l): tuple(states) for l, states in enumerate(initial, start=1)}
        Y: list[Tensor] = []

        # Slide "LSTM network forward". C(−1, *) need not be 0 here, and [W{1}, b{1}] is meant to be [W{l}, b{l}].
        for t in range(self.T):
            below = x[t]  # h(t, 0)
            for l in range(1, self.L + 1):
                self.cells[t, l] = self.new_cell()
                self.states[t, l] = self.cells[t, l].forward(*self.states[t - 1, l], below, self.parameters[l])
                below = self.states[t, l][-1]  # h(t, l)
            self.z_o[t] = self.W_o @ below + self.b_o
            Y.append(torch.softmax(self.z_o[t], dim=0))
        return torch.stack(Y)

    @torch.no_grad()
    def backward(self, dY: Float[Tensor, "time outputs"]) -> Gradients:
        """Every gradient, given dY(t): that of the divergence with respect to the Y(t) that forward returned."""
        if not self.cells:
            raise InputError("backward came before forward, whose static values it needs; call forward first")
        _check("dY", dY, self.T, len(self.b_o))
        h = {key: states[-1] for key, states in self.states.items()} | {(t, 0): self.x[t] for t in range(self.T)}

        # All gradients of parameters start at 0, and so does what comes back from step T, which there is not.
        dW_o = torch.zeros_like(self.W_o)
        db_o = torch.zeros_like(self.b_o)
        d = {l: {name: torch.zeros_like(W) for name, W in self.parameters[l].items()} for l in self.parameters}
        dx: dict[tuple[int, int], Tensor] = {}
        dstates: dict[tuple[int, int], States] = {}
        for l in range(1, self.L + 1):
            dstates[self.T, l] = tuple(torch.zeros_like(state) for state in self.states[-1, l])

        # Slide "LSTM network backward"
        for t in reversed(range(self.T)):
            # The slide's ◦ is a vector–matrix product: the softmax is a vector activation, its Jacobian is full.
            dz_o = dY[t] @ softmax_jacobian(self.z_o[t])
            dW_o += torch.outer(dz_o, h[t, self.L])
            db_o += dz_o
            # The slide calls this dh(t, L), which the loop below would not read, as it asks for dx(t, L+1). It is the
            # one place where the divergence enters; lower layers hear of it from the layer above alone.
            dx[t, self.L + 1] = dz_o @ self.W_o

            # The slide prints l = L−1:0; its layers are 1 … L.
            for l in reversed(range(1, self.L + 1)):
                # dh(t+1, l) is what the cell at t + 1 sends back to h(t, l); the layer above adds its dx to it.
                *dC_o, dh_o = dstates[t + 1, l]
                dh_o = dh_o + dx[t, l + 1]
                before, after = self.states[t - 1, l], self.states[t, l]
                *dbefore, dx[t, l], dW = self.cells[t, l].backward(
                    *dC_o, dh_o, *before, *after, h[t, l - 1], self.parameters[l]
                )
                dstates[t, l] = tuple(dbefore)
                for name in dW:
                    d[l][name] += dW[name]

        return Gradients(
            layers=list(d.values()),
            W_o=dW_o,
            b_o=db_o,
            x=torch.stack([dx[t, 1] for t in range(self.T)]),
            # what step 0 sends back to step −1
            initial=[dstates[0, l] for l in range(1, self.L + 1)],
        )


def _check_parameters(cell: Cell, layers: Sequence[dict[str, Tensor]], W_o: Tensor, b_o: Tensor) -> list[int]:
    """Raises `InputError` where sizes do not fit; returns I and the H of each layer."""
    if not layers:
        raise InputError("a network has no hidden layers; expected the parameters of at least one")
    first = layers[0].get(f"W_{cell.gates[0]}x")
    sizes = [] if first is None else [first.shape[-1]]
    for l, parameters in enumerate(layers, start=1):
        missing = [name for name in cell.required if name not in parameters]
        unknown = [name for name in parameters if name not in (*cell.required, *cell.optional)]
        if missing or unknown:
            got = [f"lacks {name}" for name in missing] + [f"has {name}" for name in unknown]
            expected = ", ".join(cell.required) + (f" and perhaps {', '.join(cell.optional)}" if cell.optional else "")
            raise InputError(f"layer {l} {', '.join(got)}; expected {expected}")
        H = parameters[f"b_{cell.gates[0]}"].numel()
        # W_ox leads from x, W_oh from h, and the peephole W_oc from C, which may be diagonal
        for name, W in parameters.items():
            diagonal = name.startswith("b") or (name in cell.optional and W.dim() == 1)
            _check(f"{name} of layer {l}", W, *([H] if diagonal else [H, sizes[-1] if name.endswith("x") else H]))
        sizes.append(H)
    _check("b_o", b_o, len(W_o))
    _check("W_o", W_o, len(b_o), sizes[-1])
    return sizes


def _check_input(x: Tensor, initial: Sequence[States], names: tuple[str, ...], sizes: list[int]) -> None:
    """Raises `InputError` where x or the initial states do not fit the parameters."""
    _check("x", x, max([1, *x.shape[:1]]), sizes[0])
    if len(initial) != len(sizes) - 1:
        raise InputError(f"got the initial states of {len(initial)} layers; expected those of {len(sizes) - 1}")
    for l, states in enumerate(initial, start=1):
        if len(states) != len(names):
            raise InputError(f"layer {l} has {len(states)} initial states; expected {len(names)}: {', '.join(names)}")
        for name, state in zip(names, states, strict=True):
            _check(f"initial {name} of layer {l}", state, sizes[l])


def _check(what: str, got: Tensor, *expected: int) -> None:
    if tuple(got.shape) != expected:
        raise InputError(f"{what} has shape {list(got.shape)}; expected {list(expected)}")
