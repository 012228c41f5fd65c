"""Nets to stream, the same in float64 computed by the equations, and models of symbols with a known distribution."""

from typing import Any

import torch
from torch import Tensor

from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.nn.recurrent import Recurrent
from peephole.streams.snapshot import Snapshot

from ..cells import MATRIX

States = tuple[Tensor, ...]


def net(name: str, input_size: int = 5, hidden_size: int = 7, layers: int = 1, **options: Any) -> Recurrent:
    """A cell of the matrix with weights that bend its nonlinearities, and with learned states that are not zero."""
    spec = MATRIX[name]
    hidden_size = max(hidden_size, 1 + spec.projected)
    options = {"proj_size": (hidden_size + 1) // 2 if spec.projected else 0} | options
    torch.manual_seed(hidden_size)
    made = Recurrent(spec, input_size, hidden_size, layers, **options).eval()
    with torch.no_grad():
        for key, parameter in made.named_parameters():
            if key.startswith("state_"):
                parameter.normal_(std=0.5)
            elif not key.startswith("weight_ln"):
                parameter.mul_(1.5)
    return made


def exact(made: Recurrent, **options: Any) -> Recurrent:
    """The same net in float64, computed by the equations."""
    sizes = made.input_size, made.hidden_size, made.num_layers
    other = Recurrent(
        made.spec,
        *sizes,
        proj_size=made.proj_size,
        learned_states=made.learned_states,
        zoneout=made.noise.zoneout,
        zoneout_cell=made.noise.zoneout_cell,
        dtype=torch.float64,
        backend="reference",
        **options,
    )
    other.load_state_dict(made.state_dict())
    return other.eval()


@torch.no_grad()
def solve(made: Recurrent, x: Tensor, resets: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Output `[T, B, ·]` of the whole sequence, and the final states as a stream has them, `[B, record]`."""
    y, finals = made(x.to(next(made.parameters()).dtype), resets=resets)
    finals = finals if isinstance(finals, tuple) else (finals,)
    return y, torch.cat([state[layer] for layer in range(made.num_layers) for state in finals], dim=-1)


def inputs(made: Recurrent, steps: int, batch: int, seed: int = 1) -> Tensor:
    return torch.randn(steps, batch, made.input_size, generator=torch.Generator().manual_seed(seed))


def some_resets(steps: int, batch: int) -> Tensor:
    resets = torch.rand(steps, batch, generator=torch.Generator().manual_seed(2)) < 0.25
    resets[0, -1] = resets[-1, 0] = True
    return resets


def language_model(vocabulary: int = 9, layers: int = 1, **options: Any) -> SequenceModel:
    """Symbols in, symbols out, with opinions on what comes next."""
    torch.manual_seed(0)
    config = ModelConfig(layers=layers, hidden_size=12, embedding_size=6, init="torch", **options)
    model = SequenceModel(vocabulary, config).eval()
    with torch.no_grad():
        model.head.weight.mul_(8)
    return model


def fixed_distribution(logits: Tensor) -> Snapshot:
    """A model that gives every symbol these logits, whatever it has read."""
    count = len(logits)
    source = net("gru", 2, 3).source(embedding=torch.zeros(count, 2), head=torch.zeros(count, 3), bias=logits)
    return Snapshot.of(source)
