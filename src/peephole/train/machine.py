"""What this machine has, asked before a training begins."""

import torch

from peephole.errors import InputError
from peephole.train.config import LoopConfig
from peephole.train.event_files import check_tensorboard


def check_machine(config: LoopConfig) -> None:
    """Raise `InputError` for devices that are not there, and for TensorBoard where it is wanted and missing."""
    if config.tensorboard:
        check_tensorboard()
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if config.accelerator == "cuda" and not found:
        raise InputError("--accelerator cuda: torch finds no CUDA device here; leave it away to train on the processor")
    if config.strategy == "fsdp" and (config.accelerator == "cpu" or not found):
        raise InputError("--strategy fsdp shares weights among CUDA devices; leave it away to train on the processor")
    if config.accelerator != "cpu" and found and config.devices > found:
        raise InputError(f"--devices is {config.devices}; this machine has {found} CUDA devices, give at most that")
