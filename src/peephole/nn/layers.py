"""RNN, LSTM and GRU: torch.nn's arguments, and every switch of `peephole.spec.Switches` as a keyword."""

from typing import Any

import torch

from peephole.nn.construction import take_spec
from peephole.nn.recurrent import Recurrent


class RNN(Recurrent):
    """The simple recurrent net, h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh); arguments as `torch.nn.RNN`.

    Further keywords: `taps`, `residual`, `layer_norm` (`peephole.spec.Switches` has their values, and those of
    `nonlinearity`), and those of `Recurrent`.

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
        spec = take_spec("rnn", options, nonlinearity=nonlinearity, bias=bias)
        super().__init__(
            spec,
            input_size,
            hidden_size,
            num_layers,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
            **options,
        )
        self.nonlinearity = nonlinearity


class LSTM(Recurrent):
    """Long short-term memory with forget gate and optional projection; arguments as `torch.nn.LSTM`.

    Further keywords: `variant`, a preset of Greff et al. 2017 (`peephole.spec.VARIANTS`), which the following override;
    `peephole`, `candidate_peephole`, `coupled`, `input_gate`, `forget_gate`, `output_gate`, `input_activation`,
    `output_activation`, `gate_recurrence`, `layer_norm` (`peephole.spec.Switches` has their values), and those of
    `Recurrent`.

    >>> output, (h, c) = LSTM(3, 5)(torch.zeros(7, 2, 3))
    >>> output.shape, c.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
    >>> LSTM(3, 5, variant="NFG")
    LSTM(3, 5, peephole='diagonal', forget_gate=False)
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
        options["proj_size"] = proj_size
        spec = take_spec("lstm", options, bias=bias)
        super().__init__(
            spec,
            input_size,
            hidden_size,
            num_layers,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
            **options,
        )


class GRU(Recurrent):
    """Gated recurrent unit, reset after the product; arguments as `torch.nn.GRU`.

    Further keywords: `reset`, `update`, `layer_norm` (`peephole.spec.Switches` has their values), and those of
    `Recurrent`.

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
        spec = take_spec("gru", options, bias=bias)
        super().__init__(
            spec,
            input_size,
            hidden_size,
            num_layers,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
            **options,
        )
