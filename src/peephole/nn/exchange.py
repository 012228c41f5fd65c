"""Weights to and from torch.nn: a state_dict of either loads into the other as it is."""

import torch
from torch import nn

from peephole.errors import InputError
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.nn.recurrent import Recurrent


def from_torch(module: nn.RNNBase) -> Recurrent:
    """The peephole layer with the same sizes and a copy of the weights of a `torch.nn.RNN`, `LSTM` or `GRU`."""
    if not isinstance(module, nn.RNN | nn.LSTM | nn.GRU):
        raise InputError(f"got a {type(module).__name__}; expected torch.nn.RNN, LSTM or GRU")
    shared = {
        "input_size": module.input_size,
        "hidden_size": module.hidden_size,
        "num_layers": module.num_layers,
        "bias": module.bias,
        "batch_first": module.batch_first,
        "dropout": module.dropout,
        "bidirectional": module.bidirectional,
        "device": module.weight_ih_l0.device,
        "dtype": module.weight_ih_l0.dtype,
    }
    if isinstance(module, nn.LSTM):
        layer: Recurrent = LSTM(**shared, proj_size=module.proj_size)
    elif isinstance(module, nn.GRU):
        layer = GRU(**shared)
    else:
        layer = RNN(**shared, nonlinearity=module.nonlinearity)
    # by name rather than by state_dict, which holds what a parametrised weight is made of
    weights = {name: getattr(module, name) for name, _ in layer.named_parameters()}
    layer.load_state_dict(weights)
    return layer.train(module.training)


def to_torch(layer: Recurrent) -> nn.RNNBase:
    """The `torch.nn` module with the same sizes and a copy of the weights; `InputError` for a cell that it lacks."""
    spec = layer.spec
    lacking = [spec.beyond_torch, "noise in the recurrence" * layer.noise.any, "learned states" * layer.learned_states]
    if any(lacking):
        raise InputError(f"torch.nn has no {' and no '.join(filter(None, lacking))}; keep {layer!r} as it is")
    parameter = next(layer.parameters())
    shared = {
        "input_size": layer.input_size,
        "hidden_size": layer.hidden_size,
        "num_layers": layer.num_layers,
        "bias": layer.bias,
        "batch_first": layer.batch_first,
        "dropout": layer.dropout,
        "bidirectional": layer.bidirectional,
        "device": parameter.device,
        "dtype": parameter.dtype,
    }
    if spec.family == "lstm":
        module: nn.RNNBase = nn.LSTM(**shared, proj_size=layer.proj_size)
    elif spec.family == "gru":
        module = nn.GRU(**shared)
    else:
        module = nn.RNN(**shared, nonlinearity=spec.nonlinearity)
    with torch.no_grad():
        module.load_state_dict(layer.state_dict())
    return module.train(layer.training)
