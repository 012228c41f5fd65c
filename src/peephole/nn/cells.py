"""One step of a cell as a module: RNNCell, LSTMCell and GRUCell with torch.nn's arguments and results."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.nn.construction import arguments_text, check_backend, check_keys, check_projection, check_sizes, take_spec
from peephole.nn.initialisation import check_initialisation, initialise
from peephole.ops import run_layer
from peephole.spec import BUILT_IN, CellSpec


class Cell(nn.Module):
    """One step of a recurrent cell. Input `[B, I]` or `[I]`, states `[B, ·]` or `[·]`.

    `cell(input, states) -> states`, a tensor where there is one state, else a tuple in the order of `spec.states`. The
    keywords are the switches of the family, `proj_size`, and `backend`, `init`, `forget_bias`, `longest` as `Recurrent`
    has them.
    """

    def __init__(
        self,
        spec: CellSpec | str,
        input_size: int,
        hidden_size: int,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        proj_size: int = 0,
        backend: str = "auto",
        init: str = "torch",
        forget_bias: float | None = None,
        longest: int | None = None,
    ) -> None:
        super().__init__()
        spec = CellSpec(spec) if isinstance(spec, str) else spec
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        check_backend(backend)
        check_projection(spec, hidden_size, proj_size)
        check_initialisation(spec, init, forget_bias, longest)
        self.spec, self.input_size, self.hidden_size, self.bias = spec, input_size, hidden_size, spec.bias
        self.backend, self.init, self.forget_bias, self.longest = backend, init, forget_bias, longest
        self.proj_size, self._sizes = proj_size, spec.state_sizes(hidden_size, proj_size)
        for name, shape in spec.parameter_shapes(input_size, hidden_size, proj_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def weights(self) -> list[Tensor]:
        """The parameters in the order of `spec.parameter_names()`."""
        return [getattr(self, name) for name in self.spec.parameter_names()]

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as `init` says."""
        named = dict(zip(self.spec.parameter_names(), self.weights(), strict=True))
        initialise(self.spec, [named], self.hidden_size, self.init, self.forget_bias, self.longest)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As torch's; a missing or extra key, or another shape, raises `InputError` before anything is loaded."""
        check_keys(self, state_dict, strict)
        return super().load_state_dict(state_dict, strict, assign)

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """The new states; `hx` are the old ones, zero when none are given."""
        finals = self._step(input, hx)
        return finals[0] if len(finals) == 1 else finals

    def _step(self, input: Tensor, hx: Any) -> tuple[Tensor, ...]:
        if input.dim() not in (1, 2):
            raise InputError(f"input has {input.dim()} dimensions; expected 2, or 1 for one row without batch")
        x = input if input.dim() == 2 else input[None]
        if x.shape[-1] != self.input_size:
            raise InputError(f"input has {x.shape[-1]} features; expected input_size={self.input_size}")
        if hx is None:
            states = [x.new_zeros(x.shape[0], size) for size in self._sizes]
        else:
            given = (hx,) if isinstance(hx, Tensor) else tuple(hx)
            states = [state if input.dim() == 2 else state[None] for state in given]
        _, finals = run_layer(self.spec, x[None], states, self.weights(), backend=self.backend)
        return finals if input.dim() == 2 else tuple(state[0] for state in finals)

    def _get_name(self) -> str:
        name = super()._get_name()
        return f"{self.spec.family.upper()}Cell" if type(self) is Cell and self.spec.family in BUILT_IN else name

    def extra_repr(self) -> str:
        options = {"proj_size": (self.proj_size, 0), "backend": (self.backend, "auto")}
        return arguments_text(self.spec, self.input_size, self.hidden_size, options)


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
        spec = take_spec("rnn", options, nonlinearity=nonlinearity, bias=bias)
        super().__init__(spec, input_size, hidden_size, device, dtype, **options)
        self.nonlinearity = nonlinearity


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
        spec = take_spec("lstm", options, bias=bias)
        super().__init__(spec, input_size, hidden_size, device, dtype, **options)


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
        spec = take_spec("gru", options, bias=bias)
        super().__init__(spec, input_size, hidden_size, device, dtype, **options)
