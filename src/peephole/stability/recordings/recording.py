"""A net on a batch, kept whole: what goes into its recurrent layers, every state of theirs, and what comes out.

The recurrent part of any module is found (`peephole` and `torch.nn` layers alike), the module is run once as it is
without dropout, and its layers are run again by the equations. The module is left as it was.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from peephole.errors import InputError
from peephole.models.encoder_decoder import EncoderDecoder
from peephole.models.language.time_delay import TimeDelayModel
from peephole.models.sequence import SequenceModel
from peephole.nn.exchange import from_torch
from peephole.nn.recurrent import Recurrent
from peephole.stability.recordings.passage import Passage, travel

logger = logging.getLogger("peephole")

RECURRENT = (Recurrent, nn.RNN, nn.LSTM, nn.GRU)

Divergence = Callable[[Any], Tensor]


@dataclass(frozen=True, eq=False)
class Recording:
    """A recurrent stack on a batch. `layers[l]` holds the passage of each direction of layer l.

    `output` is what the module made, with a graph that ends at `leaf`, the stack's y `[T, B, ·]`, and at
    `final_leaves`, its final states `[L·D, B, ·]`.
    """

    layers: tuple[tuple[Passage, ...], ...]
    output: Any
    leaf: Tensor
    final_leaves: tuple[Tensor, ...]

    @property
    def passages(self) -> tuple[Passage, ...]:
        """Those of all layers and directions, as torch.nn orders them."""
        return tuple(passage for layer in self.layers for passage in layer)

    @property
    def steps(self) -> int:
        """T."""
        return self.leaf.shape[0]

    @property
    def batch(self) -> int:
        """B."""
        return self.leaf.shape[1]


@dataclass
class _Call:
    """What the recurrent part was given and gave."""

    arguments: dict[str, Any]
    leaf: Tensor
    finals: tuple[Tensor, ...]
    lengths: Tensor | None


def find_recurrent(module: nn.Module) -> nn.Module:
    """The one recurrent stack in a module, which may be it itself. `InputError` where there is none, or more.

    Of a `SequenceModel` it is the one over the sequence: its input layer may have another, over the letters of a word.
    Of an `EncoderDecoder` it is the one over the source.
    """
    if isinstance(module, SequenceModel | EncoderDecoder) and not isinstance(module, TimeDelayModel):
        return module.recurrent
    if not isinstance(module, nn.Module):
        raise InputError(f"got a {type(module).__name__}; expected a module with a recurrent net in it")
    found = [(name, part) for name, part in module.named_modules() if isinstance(part, RECURRENT)]
    if not found:
        raise InputError(
            f"{type(module).__name__} has no recurrent net in it; expected peephole's or torch.nn's RNN, LSTM or GRU "
            "(depth_flow measures feed-forward stacks)"
        )
    if len(found) > 1:
        raise InputError(
            f"{type(module).__name__} has {len(found)} recurrent nets ({', '.join(name for name, _ in found)}); "
            "measure one of them by itself, on its own input"
        )
    return found[0][1]


def record(module: nn.Module, batch: Any, shortest: int = 2) -> Recording:
    """Run `module` on `batch` (a tensor, a tuple of arguments or a mapping of keywords) and keep everything.

    A module in training mode is measured without dropout and noise, which is said once as a warning of the logger
    `peephole`. `InputError` for a module without recurrent net, sequences shorter than `shortest`, an empty batch, or
    numbers that are not finite.
    """
    inner = find_recurrent(module)
    with measured_mode(module), torch.inference_mode(False), torch.enable_grad():
        calls: list[_Call] = []
        # The recurrent net runs without a graph: its derivatives are ours to make, and the graph begins behind it.
        handles = [
            inner.register_forward_pre_hook(_begin, with_kwargs=True),
            inner.register_forward_hook(lambda *given: _capture(calls, *given), with_kwargs=True),
        ]
        try:
            output = _call(module, batch)
        except InputError:
            raise
        except Exception as error:  # the module's own words, and where they came from, stay in the cause
            said = " ".join(str(error).split()) or "no reason given"
            raise InputError(
                f"{type(module).__name__} does not take this batch ({type(error).__name__}: {said})"
            ) from error
        finally:
            for handle in handles:
                handle.remove()
    if len(calls) != 1:
        times = f"{len(calls)} times" if calls else "not at all"
        raise InputError(f"{type(module).__name__} ran its recurrent net {times}; expected once for a whole sequence")
    call = calls[0]
    if call.leaf.shape[1] == 0 or call.leaf.shape[0] < shortest:
        steps, rows = call.leaf.shape[:2]
        raise InputError(
            f"the batch has {rows} {'sequence' if rows == 1 else 'sequences'} of {steps} "
            f"{'step' if steps == 1 else 'steps'}; expected at least one, of at least {shortest} steps: nothing flows "
            "through time in less"
        )
    if not bool(torch.isfinite(call.leaf.detach()).all()):
        raise InputError("the net's output on this batch is not finite; look at its weights and at the batch")
    layers = _replay(inner, call)
    alive = layers[0][0].alive
    if alive is not None and int(alive.sum(0).max()) < shortest:
        longest = int(alive.sum(0).max())
        steps = "step" if longest == 1 else "steps"
        raise InputError(f"the longest row of the batch has {longest} {steps}; expected at least {shortest}")
    return Recording(layers, output, call.leaf, call.finals)


@contextmanager
def measured_mode(module: nn.Module) -> Iterator[None]:
    """Without dropout and noise, said once where there was some; every part's mode is put back."""
    modes = [(part, part.training) for part in module.modules()]
    noisy = [type(part).__name__ for part, training in modes if training and _is_noisy(part)]
    if noisy:
        logger.warning("measured without dropout and noise: %s is in training mode", ", ".join(dict.fromkeys(noisy)))
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _is_noisy(part: nn.Module) -> bool:
    if isinstance(part, Recurrent) and part.noise.any:
        return True
    if isinstance(part, nn.modules.dropout._DropoutNd):
        return part.p > 0
    config = getattr(part, "config", None)
    rate = getattr(part, "dropout", 0.0) if isinstance(part, RECURRENT) else getattr(config, "dropout", 0.0)
    return isinstance(rate, float) and rate > 0


def _call(module: nn.Module, batch: Any) -> Any:
    if isinstance(batch, Mapping):
        return module(**batch)
    return module(*batch) if isinstance(batch, tuple) and not isinstance(batch, PackedSequence) else module(batch)


def _begin(inner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Before the recurrent net runs: no graph, and nothing that is no sequence."""
    torch.set_grad_enabled(False)
    x = args[0] if args else kwargs.get("input")
    if not isinstance(x, Tensor | PackedSequence):
        raise InputError(f"the recurrent net got a {type(x).__name__}; expected a tensor of sequences")
    if isinstance(x, Tensor) and x.is_meta:
        raise InputError("the recurrent net got a tensor without numbers (device meta); expected a batch with them")


def _capture(calls: list[_Call], inner: Any, args: tuple[Any, ...], kwargs: dict[str, Any], given: Any) -> Any:
    """Keep the arguments, and put leaves in place of what the recurrent part returns."""
    torch.set_grad_enabled(True)
    arguments = dict(signature(inner.forward).bind(*args, **kwargs).arguments)
    if not isinstance(given, tuple) or len(given) != 2:
        raise InputError(f"{type(inner).__name__} returned a {type(given).__name__}; expected output and final states")
    output, finals = given
    states = (finals,) if isinstance(finals, Tensor) else tuple(finals)
    final_leaves = tuple(state.detach().clone().requires_grad_() for state in states)
    lengths = None
    if isinstance(output, PackedSequence):
        padded, lengths = pad_packed_sequence(output)
        leaf = padded.detach().requires_grad_()
        shown: Any = pack_padded_sequence(leaf.clone(), lengths, enforce_sorted=False)
    else:
        shape = output.detach().clone()
        if shape.dim() == 2:
            leaf = shape.unsqueeze(1).requires_grad_()
            shown = leaf.clone().squeeze(1)
        elif inner.batch_first:
            leaf = shape.transpose(0, 1).contiguous().requires_grad_()
            shown = leaf.clone().transpose(0, 1)
        else:
            leaf = shape.requires_grad_()
            shown = leaf.clone()
    calls.append(_Call(arguments, leaf, final_leaves, lengths))
    last = tuple(state.clone() for state in final_leaves)  # what comes behind may write into what it is given
    return shown, (last[0] if isinstance(finals, Tensor) else last)


def _replay(inner: Any, call: _Call) -> tuple[tuple[Passage, ...], ...]:
    """The passages of all layers and directions."""
    net: Recurrent = inner
    if not isinstance(inner, Recurrent):
        with torch.random.fork_rng([call.leaf.device] if call.leaf.is_cuda else []):  # a new layer draws its weights
            net = from_torch(inner)
    given = call.arguments
    lengths, resets = given.get("lengths", call.lengths), given.get("resets")
    x = given["input"]
    if isinstance(x, PackedSequence):
        x, lengths = pad_packed_sequence(x)
    else:
        embedding = given.get("embedding")
        batched = x.dim() == (3 if embedding is None else 2)
        if not batched:
            x, resets = x.unsqueeze(1), None if resets is None else resets.unsqueeze(1)
        elif net.batch_first:
            x, resets = x.transpose(0, 1), None if resets is None else resets.transpose(0, 1)
        x = x if embedding is None else nn.functional.embedding(x, embedding)
    dtype = torch.float64 if call.leaf.dtype == torch.float64 else torch.float32
    x = x.detach().to(dtype)
    states = _initial_states(net, given.get("hx"), x)
    alive = None
    if lengths is not None:
        lengths = torch.as_tensor(lengths, device=x.device).reshape(-1)
        alive = (torch.arange(x.shape[0], device=x.device)[:, None] < lengths)[..., None]
    cuts = None if resets is None else resets.detach().bool()[..., None]
    zoneout = tuple(net.noise.shares.get(name, 0.0) for name in net.spec.states)
    begun = net.initial_states(1, x) if net.learned_states else None
    layers: list[tuple[Passage, ...]] = []
    named = list(net.named_layers())
    for layer in range(net.num_layers):
        sides: list[Passage] = []
        for direction in range(net.num_directions):
            index = layer * net.num_directions + direction
            weights = {name: weight.detach().to(dtype) for name, weight in named[index].items()}
            fresh = [] if begun is None else [state[index, 0].detach() for state in begun]
            before = [state[index] for state in states]
            sides.append(travel(net.spec, layer, direction == 1, weights, x, before, fresh, alive, cuts, zoneout))
        layers.append(tuple(sides))
        x = torch.cat([side.output for side in sides], dim=-1)
    return tuple(layers)


def _initial_states(net: Recurrent, hx: Any, x: Tensor) -> Sequence[Tensor]:
    """`[L·D, B, ·]` each."""
    if hx is None:
        return [state.detach() for state in net.initial_states(x.shape[1], x)]
    given = (hx,) if isinstance(hx, Tensor) else tuple(hx)
    return [(state if state.dim() == 3 else state.unsqueeze(1)).detach().to(x.dtype) for state in given]
