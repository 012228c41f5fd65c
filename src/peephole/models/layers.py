"""The recurrent layers that a configuration asks for."""

from peephole.models.config import ModelConfig
from peephole.nn.recurrent import Recurrent


def recurrent_layers(
    config: ModelConfig, inputs: int, bidirectional: bool = False, learned_states: bool = False
) -> Recurrent:
    """Layers over `inputs` numbers a step; between layers, and nowhere else, they drop what the configuration says."""
    return Recurrent(
        config.spec,
        inputs,
        config.hidden_size,
        config.layers,
        bidirectional=bidirectional,
        dropout=config.dropout if config.layers > 1 else 0.0,
        proj_size=config.proj_size,
        learned_states=learned_states,
        backend=config.backend,
        recurrent_dropout=config.recurrent_dropout,
        zoneout=config.zoneout,
        zoneout_cell=config.zoneout_cell,
        weight_drop=config.weight_drop,
        recompute=config.recompute,
        **config.start,  # pyright: ignore[reportArgumentType]
    )
