"""RNNCell, LSTMCell and GRUCell: one step, with torch.nn's arguments and results."""

from typing import Any

import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.nn.initialisation import check_initialisation, initialise
from peephole.ops import run_layer
from peephole.spec import CellSpec


class Cell(nn.Module):
    """One step of a recurrent cell. Input `[B, I]` or `[I]`, states `[B, H]` or `[H]`; keywords as `Recurrent` has."""

    def __init__(
        self,
        spec: CellSpec,
        input_size: int,
        hidden_size: int,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
        init: str = "torch",
        forget_bias: float | None = None,
        longest: int | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise InputError(f"{name} is {size}; expected at least 1")
        check_initialisation(spec, init, forget_bias, longest)
        self.spec, self.input_size, self.hidden_size, self.bias = spec, input_size, hidden_size, spec.bias
        self.backend, self.init, self.forget_bias, self.longest = backend, init, forget_bias, longest
        for name, shape in spec.parameter_shapes(input_size, hidden_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def weights(self) -> list[Tensor]:
        """The parameters in the order of `spec.parameter_names()`."""
        return [getattr(self, name) for name in self.spec.parameter_names()]

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as `init` says."""
        named = dict(zip(self.spec.parameter_names(), self.weights(), strict=True))
        initialise(self.spec, [named], self.hidden_size, self.init, self.forget_bias, self.longest)

    def _step(self, input: Tensor, hx: Any) -> tuple[Tensor, ...]:
        if input.dim() not in (1, 2):
            raise InputError(f"input has {input.dim()} dimensions; expected 2, or 1 for one row without batch")
        x = input if input.dim() == 2 else input[None]
        if x.shape[-1] != self.input_size:
            raise InputError(f"input has {x.shape[-1]} features; expected input_size={self.input_size}")
        names = self.spec.states
        if hx is None:
            states = [x.new_zeros(x.shape[0], self.hidden_size) for _ in names]
        else:
            given = (hx,) if isinstance(hx, Tensor) else tuple(hx)
            states = [state if input.dim() == 2 else state[None] for state in given]
        _, finals = run_layer(self.spec, x[None], states, self.weights(), backend=self.backend)
        return finals if input.dim() == 2 else tuple(state[0] for state in finals)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += ", bias=False"
        if self.spec.nonlinearity != "tanh":
            text += f", nonlinearity={self.spec.nonlinearity!r}"
        return text


class RNNCell(Cell):
    """One step of the simple recurrent net; arguments as `torch.nn.RNNCell`. `cell(x, h) -> h`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        spec = CellSpec("rnn", nonlinearity=nonlinearity, bias=bias)  # pyright: ignore[reportArgumentType]
        super().__init__(spec, input_size, hidden_size, device, dtype, **options)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, hx)[0]


class LSTMCell(Cell):
    """One step of the LSTM; arguments as `torch.nn.LSTMCell`. `cell(x, (h, c)) -> (h, c)`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__(CellSpec("lstm", bias=bias), input_size, hidden_size, device, dtype, **options)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, hx)
        return h, c


class GRUCell(Cell):
    """One step of the GRU; arguments as `torch.nn.GRUCell`. `cell(x, h) -> h`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__(CellSpec("gru", bias=bias), input_size, hidden_size, device, dtype, **options)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, hx)[0]
