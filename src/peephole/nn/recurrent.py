"""A stack of recurrent layers of any cell: torch.nn's arguments and results, and what torch.nn lacks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from peephole.errors import InputError
from peephole.nn.construction import arguments_text, check_backend, check_keys, check_projection, check_sizes
from peephole.nn.initialisation import check_initialisation, initialise
from peephole.nn.inside import Inside, options_of
from peephole.nn.noise import Noise, dropped_between, noise_seed
from peephole.ops import run_layer, serves_symbols
from peephole.ops.checks import check_lengths
from peephole.spec import BUILT_IN, CellSpec
from peephole.streams.opening import ONE_SIDED, open_stream
from peephole.streams.snapshot import Snapshot
from peephole.streams.source import Source
from peephole.streams.stepwise import Steps
from peephole.streams.stream import Stream

Lengths = Tensor | Sequence[int]


class Recurrent(nn.Module):
    """A stack of recurrent layers, in one direction or both; `RNN`, `LSTM` and `GRU` name the cell.

    `spec` is a `CellSpec`, or the name of a cell that `register_cell` registered. Parameters carry torch's names
    (`weight_ih_l0`, `weight_hh_l0_reverse`, …), so that a torch.nn state_dict loads as it is. Input `[T, B, I]`,
    `[B, T, I]` with `batch_first`, `[T, I]` unbatched, or a `PackedSequence`; output and states as torch.nn gives them,
    the states in the order of `spec.states`.

    Besides torch's arguments: `backend` ("auto", "native", "torch", "reference"); `recompute`, which saves states alone
    for the backward and computes the rest again; `init` ("torch", "orthogonal", "identity",
    "chrono") with `longest` steps for chrono; `forget_bias` where there is a forget gate; `learned_states`, which makes
    the initial states parameters (`state_h_l0`, …); and the probabilities of `Noise`: `recurrent_dropout`, `zoneout`,
    `zoneout_cell`, `weight_drop`; and `locked_dropout`, which makes `dropout` drop the same units at all steps. To
    `forward`: `lengths` `[B]`, past which outputs are zero and the state is frozen;
    `resets`, bool in the layout of the input without features, true where a new sequence begins inside a row; `seed`,
    an int or an int64 scalar, from which that noise, not `dropout`, is drawn while training (else torch's generator
    gives one).
    """

    _inside: tuple[Inside, ...] = ()  # who looks on, or takes a hand, at the moment

    def __init__(
        self,
        spec: CellSpec | str,
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
        learned_states: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        zoneout_cell: float = 0.0,
        weight_drop: float = 0.0,
        recompute: bool = False,
        locked_dropout: bool = False,
    ) -> None:
        super().__init__()
        spec = CellSpec(spec) if isinstance(spec, str) else spec
        check_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_backend(backend)
        if not 0.0 <= dropout <= 1.0:
            raise InputError(f"dropout is {dropout}; expected a probability from 0 to 1")
        check_projection(spec, hidden_size, proj_size)
        check_initialisation(spec, init, forget_bias, longest)
        self.noise = Noise(recurrent_dropout, zoneout, zoneout_cell, weight_drop)
        self.noise.check(spec)
        self.spec = spec
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = spec.bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size, self.backend = bidirectional, proj_size, backend
        self.recompute, self.locked_dropout = recompute, locked_dropout
        self.init, self.forget_bias, self.longest, self.learned_states = init, forget_bias, longest, learned_states
        self._sizes = spec.state_sizes(hidden_size, proj_size)
        self._suffixes: list[str] = []  # of each layer and direction
        for layer in range(num_layers):
            width = input_size if layer == 0 else (proj_size or hidden_size) * self.num_directions
            for direction in range(self.num_directions):
                suffix = f"_l{layer}" + ("_reverse" if direction else "")
                self._suffixes.append(suffix)
                shapes: dict[str, tuple[int, ...]] = spec.parameter_shapes(width, hidden_size, proj_size)
                if learned_states:
                    shapes |= {f"state_{name}": (size,) for name, size in zip(spec.states, self._sizes, strict=True)}
                for name, shape in shapes.items():
                    parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(name + suffix, parameter)
        self.reset_parameters()

    # --- parameters ---

    @property
    def num_directions(self) -> int:
        """2 when bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer and direction, as torch.nn gives them, without learned states."""
        names = self.spec.parameter_names()
        return [[getattr(self, name + suffix) for name in names] for suffix in self._suffixes]

    def named_layers(self) -> Iterator[dict[str, Tensor]]:
        """For each layer and direction its parameters by their name without suffix (`weight_ih`, …)."""
        for weights in self.all_weights:
            yield dict(zip(self.spec.parameter_names(), weights, strict=True))

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as `init` says; learned states start at zero."""
        initialise(self.spec, self.named_layers(), self.hidden_size, self.init, self.forget_bias, self.longest)
        with torch.no_grad():
            for states in self._learned():
                for state in states:
                    state.zero_()

    def flatten_parameters(self) -> None:
        """Nothing to do; here so that code written for torch.nn runs."""

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As torch's; a missing or extra key, or another shape, raises `InputError` before anything is loaded."""
        check_keys(self, state_dict, strict)
        return super().load_state_dict(state_dict, strict, assign)

    # --- states ---

    def _learned(self) -> list[list[Tensor]]:
        """The learned initial states `[·]` of each layer and direction; empty without them."""
        if not self.learned_states:
            return []
        return [[getattr(self, f"state_{name}{suffix}") for name in self.spec.states] for suffix in self._suffixes]

    def initial_states(self, batch: int, like: Tensor) -> tuple[Tensor, ...]:
        """The states `[L·D, B, ·]` that a sequence starts from, one per name in `spec.states`: zero, or as learned.

        On the device and in the dtype of `like`.
        """
        if self.learned_states:
            stacked = [torch.stack(layers) for layers in zip(*self._learned(), strict=True)]
            return tuple(state.to(like)[:, None].expand(-1, batch, -1) for state in stacked)
        count = self.num_layers * self.num_directions
        return tuple(like.new_zeros(count, batch, size) for size in self._sizes)

    def _unpack_states(self, hx: Any, x: Tensor, batched: bool) -> tuple[Tensor, ...]:
        """The initial states as `[L·D, B, ·]` each, checked; `initial_states` when none are given."""
        names = self.spec.states
        if hx is None:
            return self.initial_states(x.shape[1], x)
        given = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        if len(given) != len(names):
            raise InputError(
                f"got {len(given)} initial states; a {self.spec.code} has {len(names)}: {', '.join(names)}"
            )
        for name, size, state in zip(names, self._sizes, given, strict=True):
            want = (self.num_layers * self.num_directions, *((x.shape[1],) if batched else ()), size)
            if tuple(state.shape) != want:
                raise InputError(f"initial state {name} has shape {list(state.shape)}; expected {list(want)}")
        return given if batched else tuple(state.unsqueeze(1) for state in given)

    def _pack_states(self, finals: Sequence[Tensor]) -> Any:
        return finals[0] if len(self.spec.states) == 1 else tuple(finals)

    # --- computation ---

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        *,
        lengths: Lengths | None = None,
        resets: Tensor | None = None,
        seed: int | Tensor | None = None,
        embedding: Tensor | None = None,
    ) -> tuple[Any, Any]:
        """Output and final states, in torch.nn's shapes; a `PackedSequence` gives one back.

        With an `embedding` `[V, I]` the input are its rows' numbers, int64 in the layout of the input without features.
        """
        if isinstance(input, PackedSequence):
            if lengths is not None or resets is not None or embedding is not None:
                raise InputError(
                    "a PackedSequence carries its own lengths; pass lengths, resets and embedding with a padded input"
                )
            return self._forward_packed(input, hx, seed)
        x = input if embedding is None else input.unsqueeze(-1)  # as if there were features
        if x.dim() not in (2, 3):
            raise InputError(f"input has {x.dim()} dimensions; expected 3, or 2 for one sequence without batch")
        batched = x.dim() == 3
        if resets is not None and resets.shape != x.shape[:-1]:
            raise InputError(f"resets have shape {list(resets.shape)}; expected {list(x.shape[:-1])}, as the input")
        if not batched:
            x = x.unsqueeze(1)
            resets = resets.unsqueeze(1) if resets is not None else None
        elif self.batch_first:
            x = x.transpose(0, 1)
            resets = resets.transpose(0, 1) if resets is not None else None
        features = (x if embedding is None else embedding).shape[-1]
        if features != self.input_size:
            raise InputError(f"input has {features} features; expected input_size={self.input_size}")
        states = self._unpack_states(hx, x if embedding is None else embedding.new_empty(0, x.shape[1]), batched)
        if lengths is not None:
            lengths = torch.as_tensor(lengths, device=x.device)
            lengths = lengths if lengths.dim() else lengths[None]
            check_lengths(lengths, x.shape[0], x.shape[1])
        output, finals = self._run(x, states, lengths, resets, seed, embedding)
        if not batched:
            return output.squeeze(1), self._pack_states([state.squeeze(1) for state in finals])
        return (output.transpose(0, 1) if self.batch_first else output), self._pack_states(finals)

    def _run(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        lengths: Tensor | None,
        resets: Tensor | None,
        seed: int | Tensor | None,
        embedding: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """x `[T, B, I]`, or `[T, B, 1]` rows of the embedding; states `[L·D, B, ·]`: all layers and directions."""
        drawn = noise_seed(seed, x.device) if self.training and self.noise.any else None
        learned = self._learned() if resets is not None else []
        finals: list[tuple[Tensor, ...]] = []
        for inside in self._inside:
            inside.begin(self, x.shape[0], x.shape[1], lengths)
        output, folded = x, embedding is not None and self._folds(x, embedding)
        if embedding is not None:
            output = x[..., 0] if folded else nn.functional.embedding(x[..., 0], embedding)
        for layer in range(self.num_layers):
            if layer > 0 and self.dropout:
                output = dropped_between(output, self.dropout, self.training, self.locked_dropout)
            sides: list[Tensor] = []
            for direction in range(self.num_directions):
                index = layer * self.num_directions + direction
                suffix = self._suffixes[index]
                weights = {name: getattr(self, name + suffix) for name in self.spec.parameter_names()}
                if "weight_hh" in weights:
                    weights["weight_hh"] = self.noise.dropped(weights["weight_hh"], index, drawn)
                rows = embedding if folded and layer == 0 else None
                if rows is not None:
                    weights["weight_ih"] = weights["weight_ih"] @ rows.t()  # [G·H, V]
                before = [state[index] for state in states]
                y, last = run_layer(
                    self.spec,
                    output,
                    before,
                    list(weights.values()),
                    lengths=lengths,
                    resets=resets,
                    masks=self.noise.masks(self.spec, before, x.shape[0], index, drawn),
                    fresh=learned[index] if learned else None,
                    reverse=direction == 1,
                    backend=self.backend,
                    recompute=self.recompute,
                    **options_of(self._inside, self, layer, direction == 1, rows),
                )
                sides.append(y)
                finals.append(last)
            output = torch.cat(sides, dim=-1) if self.bidirectional else sides[0]
        if len(finals) == 1:
            return output, [state.unsqueeze(0) for state in finals[0]]
        return output, [torch.stack(state) for state in zip(*finals, strict=True)]

    # --- one step at a time ---

    def source(self, embedding: Tensor | None = None, head: Tensor | None = None, bias: Tensor | None = None) -> Source:
        """The layers as tensors, with what comes before and after them: what a snapshot is packed from.

        A net of both directions raises `InputError`.
        """
        if self.bidirectional:
            raise InputError(ONE_SIDED)
        zoneout = {name: share for name, share in self.noise.shares.items() if name in self.spec.states}
        layers, initial = list(self.named_layers()), self._learned()
        return Source(self.spec, layers, self.hidden_size, self.proj_size, zoneout, initial, embedding, head, bias)

    def snapshot(self, weights: str = "float32") -> Snapshot:
        """The layers packed for streaming, as they are now; `weights`: float32, bfloat16 or int8."""
        return Snapshot.of(self.source(), weights)

    def stream(
        self, batch: int = 1, weights: str = "float32", threads: int | None = None, backend: str = "auto"
    ) -> Stream:
        """`batch` streams that take one step at a time, without noise, over the layers as they are now.

        `weights` says how they are stored: float32, bfloat16 or int8. `threads` at most, torch's number unless given.
        `backend`: auto, native, or stepwise (the module's own forward, where it is).
        """
        like = self.all_weights[0][0]

        def run(x: Tensor, states: tuple[Tensor, ...], resets: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
            training = self.training
            self.eval()
            try:
                output, finals = self._run(x.to(like.dtype), states, None, resets, None)
                return output, tuple(finals)
            finally:
                self.train(training)

        def steps() -> Steps:
            return Steps(run, lambda count: self.initial_states(count, like), logits=False, device=like.device)

        return open_stream(self.source(), steps, batch, weights, threads, backend, like.device)

    def _folds(self, x: Tensor, embedding: Tensor) -> bool:
        """Whether the input products of all symbols are made beforehand, because there are fewer than steps."""
        vocabulary, (steps, batch, _) = embedding.shape[0], x.shape
        # A single step is another kernel's, which wants vectors.
        return (
            steps > 1
            and vocabulary <= steps * batch
            and serves_symbols(self.backend, self.spec.code, x.device.type, self._parameters_dtype(), self.recompute)
        )

    def _parameters_dtype(self) -> torch.dtype:
        return self.all_weights[0][0].dtype

    def _forward_packed(self, packed: PackedSequence, hx: Any, seed: int | Tensor | None) -> tuple[PackedSequence, Any]:
        padded, lengths = pad_packed_sequence(packed)
        states = self._unpack_states(hx, padded, True)
        output, finals = self._run(padded, states, lengths.to(padded.device), None, seed)
        order = packed.sorted_indices
        if order is not None:
            output, lengths = output.index_select(1, order), lengths[order.cpu()]
        data = pack_padded_sequence(output, lengths).data
        result = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        return result, self._pack_states(finals)

    def _get_name(self) -> str:
        name = super()._get_name()
        return self.spec.family.upper() if type(self) is Recurrent and self.spec.family in BUILT_IN else name

    def extra_repr(self) -> str:
        options = {
            "proj_size": (self.proj_size, 0),
            "num_layers": (self.num_layers, 1),
            "batch_first": (self.batch_first, False),
            "dropout": (self.dropout, 0.0),
            "bidirectional": (self.bidirectional, False),
            "learned_states": (self.learned_states, False),
            **{name: (rate, 0.0) for name, rate in asdict(self.noise).items()},
            "recompute": (self.recompute, False),
            "locked_dropout": (self.locked_dropout, False),
            "backend": (self.backend, "auto"),
        }
        return arguments_text(self.spec, self.input_size, self.hidden_size, options)
