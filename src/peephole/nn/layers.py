"""RNN, LSTM and GRU layers: torch.nn's arguments and results, plus lengths, resets and a choice of back end."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from peephole.errors import InputError
from peephole.nn.initialisation import check_initialisation, initialise
from peephole.ops import run_layer
from peephole.ops.checks import check_lengths
from peephole.spec import CellSpec

Lengths = Tensor | Sequence[int]


class Recurrent(nn.Module):
    """A stack of recurrent layers, in one direction or both; `RNN`, `LSTM` and `GRU` name the cell.

    Parameters carry torch's names (`weight_ih_l0`, `weight_hh_l0_reverse`, …), so that a torch.nn state_dict loads as
    it is. Input `[T, B, I]`, `[B, T, I]` with `batch_first`, `[T, I]` unbatched, or a `PackedSequence`; output and
    states as torch.nn gives them.

    Besides torch's arguments: `backend` ("auto", "torch", "reference"); `init` ("torch", "orthogonal", "identity",
    "chrono") with `longest` steps for chrono; for the LSTM `forget_bias`. And to `forward`: `lengths` `[B]`, past which
    outputs are zero and the state is frozen; `resets`, bool in the layout of the input without features, true where a
    new sequence begins inside a row.
    """

    def __init__(
        self,
        spec: CellSpec,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
        init: str = "torch",
        forget_bias: float | None = None,
        longest: int | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if size < 1:
                raise InputError(f"{name} is {size}; expected at least 1")
        if not 0.0 <= dropout <= 1.0:
            raise InputError(f"dropout is {dropout}; expected a probability from 0 to 1")
        if proj_size and not 0 < proj_size < hidden_size:
            raise InputError(f"proj_size is {proj_size}; expected 0 (none) or a size below hidden_size={hidden_size}")
        check_initialisation(spec, init, forget_bias, longest)
        self.spec = spec
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = spec.bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size, self.backend = bidirectional, proj_size, backend
        self.init, self.forget_bias, self.longest = init, forget_bias, longest
        self._sizes = spec.state_sizes(hidden_size, proj_size)
        self._names: list[list[str]] = []  # of each layer and direction, in the order of spec.parameter_names()
        for layer in range(num_layers):
            width = input_size if layer == 0 else (proj_size or hidden_size) * self.num_directions
            for direction in range(self.num_directions):
                suffix = f"_l{layer}" + ("_reverse" if direction else "")
                shapes = spec.parameter_shapes(width, hidden_size, proj_size)
                self._names.append([name + suffix for name in shapes])
                for name, shape in shapes.items():
                    parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(name + suffix, parameter)
        self.reset_parameters()

    @property
    def num_directions(self) -> int:
        """2 when bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer and direction, as torch.nn gives them."""
        return [[getattr(self, name) for name in names] for names in self._names]

    def named_layers(self) -> Iterator[dict[str, Tensor]]:
        """For each layer and direction its parameters by their name without suffix (`weight_ih`, …)."""
        for weights in self.all_weights:
            yield dict(zip(self.spec.parameter_names(), weights, strict=True))

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as `init` says."""
        initialise(self.spec, self.named_layers(), self.hidden_size, self.init, self.forget_bias, self.longest)

    def flatten_parameters(self) -> None:
        """Nothing to do; here so that code written for torch.nn runs."""

    def initial_states(self, batch: int, like: Tensor) -> tuple[Tensor, ...]:
        """Zero states `[L·D, B, ·]`, one per name in `spec.states`, on the device and in the dtype of `like`."""
        count = self.num_layers * self.num_directions
        return tuple(like.new_zeros(count, batch, size) for size in self._sizes)

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        *,
        lengths: Lengths | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Any, Any]:
        """Output and final states, in torch.nn's shapes; a `PackedSequence` gives one back."""
        if isinstance(input, PackedSequence):
            if lengths is not None or resets is not None:
                raise InputError(
                    "a PackedSequence carries its own lengths; pass lengths and resets with a padded input"
                )
            return self._forward_packed(input, hx)
        if input.dim() not in (2, 3):
            raise InputError(f"input has {input.dim()} dimensions; expected 3, or 2 for one sequence without batch")
        batched = input.dim() == 3
        if resets is not None and resets.shape != input.shape[:-1]:
            raise InputError(f"resets have shape {list(resets.shape)}; expected {list(input.shape[:-1])}, as the input")
        if not batched:
            input = input.unsqueeze(1)
            resets = resets.unsqueeze(1) if resets is not None else None
        elif self.batch_first:
            input = input.transpose(0, 1)
            resets = resets.transpose(0, 1) if resets is not None else None
        if input.shape[-1] != self.input_size:
            raise InputError(f"input has {input.shape[-1]} features; expected input_size={self.input_size}")
        states = self._unpack_states(hx, input, batched)
        if lengths is not None:
            lengths = torch.as_tensor(lengths, device=input.device)
            lengths = lengths if lengths.dim() else lengths[None]
            check_lengths(lengths, input.shape[0], input.shape[1])
        output, finals = self._run(input, states, lengths, resets)
        if not batched:
            return output.squeeze(1), self._pack_states([state.squeeze(1) for state in finals])
        return (output.transpose(0, 1) if self.batch_first else output), self._pack_states(finals)

    def _run(
        self, x: Tensor, states: Sequence[Tensor], lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """x `[T, B, I]`, states `[L·D, B, ·]`: all layers and directions."""
        finals: list[tuple[Tensor, ...]] = []
        output = x
        for layer in range(self.num_layers):
            if layer > 0 and self.dropout:
                output = dropout(output, self.dropout, self.training)
            sides: list[Tensor] = []
            for direction in range(self.num_directions):
                index = layer * self.num_directions + direction
                y, last = run_layer(
                    self.spec,
                    output,
                    [state[index] for state in states],
                    [getattr(self, name) for name in self._names[index]],
                    lengths=lengths,
                    resets=resets,
                    reverse=direction == 1,
                    backend=self.backend,
                )
                sides.append(y)
                finals.append(last)
            output = torch.cat(sides, dim=-1) if self.bidirectional else sides[0]
        return output, [torch.stack(state) for state in zip(*finals, strict=True)]

    def _forward_packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        padded, lengths = pad_packed_sequence(packed)
        states = self._unpack_states(hx, padded, True)
        output, finals = self._run(padded, states, lengths.to(padded.device), None)
        order = packed.sorted_indices
        if order is not None:
            output, lengths = output.index_select(1, order), lengths[order.cpu()]
        data = pack_padded_sequence(output, lengths).data
        result = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        return result, self._pack_states(finals)

    def _unpack_states(self, hx: Any, x: Tensor, batched: bool) -> tuple[Tensor, ...]:
        """The initial states as `[L·D, B, ·]` each, checked; zeros when none are given."""
        names = self.spec.states
        if hx is None:
            return self.initial_states(x.shape[1], x)
        given = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        if len(given) != len(names):
            raise InputError(
                f"got {len(given)} initial states; a {self.spec.family} has {len(names)}: {', '.join(names)}"
            )
        for name, size, state in zip(names, self._sizes, given, strict=True):
            want = (self.num_layers * self.num_directions, *((x.shape[1],) if batched else ()), size)
            if tuple(state.shape) != want:
                raise InputError(f"initial state {name} has shape {list(state.shape)}; expected {list(want)}")
        return given if batched else tuple(state.unsqueeze(1) for state in given)

    def _pack_states(self, finals: Sequence[Tensor]) -> Any:
        return finals[0] if len(self.spec.states) == 1 else tuple(finals)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if self.spec.nonlinearity != "tanh":
            text += f", nonlinearity={self.spec.nonlinearity!r}"
        if not self.bias:
            text += ", bias=False"
        if self.batch_first:
            text += ", batch_first=True"
        if self.dropout:
            text += f", dropout={self.dropout}"
        if self.bidirectional:
            text += ", bidirectional=True"
        if self.backend != "auto":
            text += f", backend={self.backend!r}"
        return text


class RNN(Recurrent):
    """The simple recurrent net, h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh); arguments as `torch.nn.RNN`.

    >>> output, h = RNN(3, 5)(torch.zeros(7, 2, 3))
    >>> output.shape, h.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        spec = CellSpec("rnn", nonlinearity=nonlinearity, bias=bias)  # pyright: ignore[reportArgumentType]
        super().__init__(
            spec, input_size, hidden_size, num_layers, batch_first, dropout, bidirectional, 0, device, dtype, **options
        )
        self.nonlinearity = nonlinearity


class LSTM(Recurrent):
    """Long short-term memory with forget gate and optional projection; arguments as `torch.nn.LSTM`.

    >>> output, (h, c) = LSTM(3, 5)(torch.zeros(7, 2, 3))
    >>> output.shape, c.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        spec = CellSpec("lstm", bias=bias, projected=proj_size > 0)
        super().__init__(
            spec,
            input_size,
            hidden_size,
            num_layers,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
            **options,
        )


class GRU(Recurrent):
    """Gated recurrent unit, reset after the product; arguments as `torch.nn.GRU`.

    >>> output, h = GRU(3, 5, batch_first=True)(torch.zeros(2, 7, 3), lengths=[7, 4])
    >>> output.shape
    torch.Size([2, 7, 5])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        spec = CellSpec("gru", bias=bias)
        super().__init__(
            spec, input_size, hidden_size, num_layers, batch_first, dropout, bidirectional, 0, device, dtype, **options
        )


LAYERS: dict[str, type[RNN] | type[LSTM] | type[GRU]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
