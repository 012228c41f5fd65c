"""Where a training runs: processes, devices and precision through Fabric, and torch.compile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from peephole.models.softmax import AdaptiveSoftmax, FullSoftmax
from peephole.runs.folder import Run
from peephole.train.config import LoopConfig
from peephole.train.machine import check_machine


def make_fabric(config: LoopConfig) -> Fabric:
    """Processes on their devices, launched. `InputError` for a machine that has not what is asked for."""
    check_machine(config)
    low = config.precision == "bfloat16" or (config.precision == "auto" and _has_fast_bfloat16(config.accelerator))
    strategy = "ddp" if config.devices > 1 and config.strategy == "auto" else config.strategy
    accelerator = config.accelerator
    if accelerator == "auto" and not torch.cuda.is_available():
        accelerator = "cpu"
    fabric = Fabric(
        accelerator=accelerator, devices=config.devices, precision="bf16-mixed" if low else "32-true", strategy=strategy
    )
    fabric.launch()
    return fabric


def _has_fast_bfloat16(accelerator: str) -> bool:
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@contextmanager
def alone(fabric: Fabric, run: Run) -> Iterator[None]:
    """Hold the run folder; with several processes the first does so for all."""
    if fabric.is_global_zero:
        with run.lock():
            yield
    else:
        yield


def compiled_model(model: nn.Module) -> nn.Module:
    """The model through torch.compile, with its parameters."""
    import torch._dynamo  # takes long

    # oneDNN says only when it runs how large its workspace is; without this, compiling stops short of its operator
    torch._dynamo.config.capture_dynamic_output_shape_ops = True
    for part in model.modules():
        if isinstance(part, FullSoftmax | AdaptiveSoftmax):  # one fused operation already, sized by what it is given
            part.divergence = torch.compiler.disable(part.divergence)  # pyright: ignore[reportAttributeAccessIssue]
    compiled = torch.compile(model)
    assert isinstance(compiled, nn.Module)
    return compiled


def to_device(window: Any, device: torch.device) -> Any:
    """A batch with its tensors on that device."""
    if device.type == "cpu":
        return window
    moved = {name: value.to(device) for name, value in vars(window).items() if isinstance(value, Tensor)}
    return type(window)(**{**vars(window), **moved})
