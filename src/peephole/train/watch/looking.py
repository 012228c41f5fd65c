"""One look into a net: gates, states and the gradients' way back, on the watched sequences, nothing changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from peephole.errors import InputError
from peephole.inside.effect_running import evaluating
from peephole.inside.trace import trace
from peephole.inside.traced import TracedLayer
from peephole.models.heads import Pooled
from peephole.models.language.time_delay import TimeDelayModel
from peephole.models.sequence import SequenceModel
from peephole.models.static import StaticModel
from peephole.spec import CellSpec
from peephole.stability.backward.flow import GradientFlow, LayerFlow
from peephole.stability.backward.seeds import Seeds, choose_targets
from peephole.train.watch.sequences import WatchedSequences


@dataclass(frozen=True, eq=False)
class LayerSeen:
    """One layer and direction. `gates` and `states` by name, `[T, B, U]`; `flow` the mean ‖∂Div(t)/∂state(t − lag)‖
    of each state, `[lags]`. `spec` is None for a layer without recurrence, whose outputs `[1, B, U]` are its h.
    """

    name: str
    spec: CellSpec | None
    gates: Mapping[str, Tensor]
    states: Mapping[str, Tensor]
    flow: Mapping[str, Tensor]


def look(model: nn.Module, sequences: WatchedSequences) -> tuple[LayerSeen, ...]:
    """The layers of `model` on these sequences, without dropout and noise, in float32 whatever training uses.

    Weights, their gradients, modes and random states are left as they are. `InputError` where the net's numbers are not
    finite. A model of another kind than ours has no layers to be seen, nor has one without recurrence.
    """
    with evaluating(model), torch.inference_mode(False), torch.no_grad():
        if isinstance(model, StaticModel):
            return _static(model, sequences)
        if isinstance(model, TimeDelayModel):
            return ()
        return _recurrent(model, sequences) if isinstance(model, SequenceModel) else ()


def _recurrent(model: SequenceModel, sequences: WatchedSequences) -> tuple[LayerSeen, ...]:
    """One run says at which times there is a divergence; a second has a copy of the rows for each target, so that one
    backward carries the gradients of all of them.
    """
    if isinstance(model.head, Pooled):  # one answer: what is sent back from time t is what it takes from y(t)
        head, whole = model.head, sequences.divergence
        sequences = replace(sequences, divergence=lambda y: whole(head(y)))
        model = model.headless()
    given = sequences.begun(model)
    logits = model(**given)[0]
    if not bool(torch.isfinite(logits).all()):
        raise InputError("the net's output on the watched sequences is not finite; look at its weights")
    seeds = Seeds(0.0, _seed(sequences, logits), ())
    steps, rows = logits.shape[:2]
    chosen = choose_targets(seeds, steps, sequences.targets) if seeds.times else ()
    layers = _pull(model, given, seeds.output, chosen, rows)
    flow = None
    if chosen:
        there = torch.stack([seeds.rows(t, steps) for t in chosen])
        flow = GradientFlow(chosen, there, tuple(_flow(layer, chosen, rows) for layer in layers))
    seen: list[LayerSeen] = []
    for number, layer in enumerate(layers):
        shown = [state for state in layer.states if state in ("h", "c")]
        curves = {} if flow is None else {state: flow.by_lag(number, state).nanmean(1) for state in shown}
        gates = {gate: layer.gates[gate][:, :rows] for gate in layer.gates}
        states = {state: layer.states[state][:, :rows] for state in shown}
        seen.append(LayerSeen(layer.name, layer.spec, gates, states, curves))
    return tuple(seen)


def _seed(sequences: WatchedSequences, logits: Tensor) -> Tensor:
    """∂Div/∂y, whose part at time t is that of Div(t)."""
    leaf = logits.detach().requires_grad_()
    with torch.enable_grad():
        value = sequences.divergence_after(leaf)
        return torch.autograd.grad(value, leaf)[0]


def _pull(
    model: SequenceModel, given: Mapping[str, Any], seed: Tensor, targets: tuple[int, ...], rows: int
) -> tuple[TracedLayer, ...]:
    """The layers of a traced run with the rows once for each target, after the backward of all."""
    copies = max(1, len(targets))
    states = given.get("states") or model.initial_states(rows)
    arguments = {name: _copied(value, copies) for name, value in given.items() if name != "states"}
    # The graph begins at the states: weights, whose gradients are the training's, stay out of it, and cost nothing.
    leaves = [_copied(state, copies).detach().requires_grad_() for state in states]
    weights: dict[str, Tensor] = {
        name: nn.Parameter(value.detach(), requires_grad=False) for name, value in model.named_parameters()
    }
    over_the_sequence = nn.ModuleDict({"recurrent": model.recurrent})  # the input layer may have a net of its own
    with torch.enable_grad(), trace(over_the_sequence, gradients=bool(targets)) as seen:
        output = functional_call(model, weights, kwargs={**arguments, "states": leaves})[0]
        if targets:
            sent = torch.zeros_like(output)
            for number, t in enumerate(targets):
                sent[t, number * rows : (number + 1) * rows] = seed[t]
            torch.autograd.grad(output, leaves, sent, allow_unused=True)
    return seen.layers


def _copied(value: Tensor, copies: int) -> Tensor:
    """`[·, copies·B, …]` of `[·, B, …]`."""
    return torch.cat([value] * copies, dim=1)


def _flow(layer: TracedLayer, targets: tuple[int, ...], rows: int) -> LayerFlow:
    """The norms of the traced gradients, `[N, T, B]` of each state."""
    norms = {
        state: layer.gradients[state].norm(dim=-1).unflatten(1, (len(targets), rows)).transpose(0, 1)
        for state in layer.gradients
        if state in ("h", "c")
    }
    entries = torch.tensor(targets, device=layer.steps.device)[:, None].expand(-1, rows)
    return LayerFlow(layer.name, layer.reverse, entries, norms)


def _static(model: StaticModel, sequences: WatchedSequences) -> tuple[LayerSeen, ...]:
    """The hidden layers, whose units are ReLUs."""
    outputs: list[Tensor] = []
    handles = [layer.register_forward_hook(lambda *given: outputs.append(given[2])) for layer in model.hidden]
    try:
        model(**sequences.arguments)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(
        LayerSeen(f"layer {number}", None, {}, {"h": output.relu()[None]}, {}) for number, output in enumerate(outputs)
    )
