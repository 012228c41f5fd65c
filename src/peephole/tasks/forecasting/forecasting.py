"""The forecasts of a net for every window of a part, with quantiles that follow their coverage."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray
from torch import Tensor, nn

from peephole.data.forecasting.windows import WindowBatch, Windows
from peephole.tasks.forecasting.tracking import Offsets, Tracking
from peephole.writing import write_whole

TOGETHER = 1024  # windows that are forecast at once


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Of one series, in the numbers of the net, its level added again.

    Attributes:
        number: of the series among those of training.
        quantiles: `[n, H, Q]`, in order.
        truth: `[n, H]`.
        offsets: how far quantiles have been moved once all that was forecast is known.
    """

    number: int
    quantiles: Float32[np.ndarray, "windows horizon quantiles"]
    truth: Float32[np.ndarray, "windows horizon"]
    offsets: Offsets


@torch.no_grad()
def quantiles_of(model: nn.Module, batch: WindowBatch, count: int) -> Float32[np.ndarray, "windows horizon quantiles"]:
    """What a net makes of windows, their level added again, in no order yet."""
    device = next(model.parameters()).device
    outputs: Tensor = model(batch.inputs.to(device), lengths=batch.lengths.to(device))[0].float().cpu()
    return (outputs.unflatten(-1, (-1, count)) + batch.level[..., None])[0].numpy()


def forecasts(
    model: nn.Module, windows: Windows, tracking: Tracking, offsets: Sequence[Offsets]
) -> Iterator[Forecasts]:
    """Of one series of a part after the other; those too short for a window are passed over."""
    model.eval()
    count = len(tracking.shares)
    for place, number in enumerate(windows.part.targets.tolist()):
        made: list[NDArray[np.float32]] = []
        came: list[NDArray[np.float32]] = []
        for numbers in windows.of_series(place, TOGETHER):
            batch = windows.batch(numbers)
            made.append(quantiles_of(model, batch, count))
            came.append((batch.targets + batch.level)[0].numpy())
        if made:
            truth = np.concatenate(came)
            moved, after = tracking.through(np.concatenate(made), truth, offsets[number], windows.stride)
            yield Forecasts(number, moved, truth, after)


def kept_offsets(path: Path, weights: Path, compute: Callable[[], Sequence[Offsets]]) -> Sequence[Offsets]:
    """How far the held-out part moves the quantiles of each series: read where it is known for these weights."""
    seen = weights.stat()
    mark = np.array([seen.st_size, seen.st_mtime_ns])
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as saved:
                if (saved["weights"] == mark).all():
                    each = zip(saved["own"], saved["shared"], saved["heard"].tolist(), strict=True)
                    return [Offsets(own, shared, heard) for own, shared, heard in each]
        except (ValueError, KeyError, OSError):
            pass  # damaged, or of other weights: made anew
    found = compute()
    written = io.BytesIO()
    own, shared, heard = (np.stack([getattr(one, name) for one in found]) for name in ("own", "shared", "heard"))
    np.savez(written, weights=mark, own=own, shared=shared, heard=heard)
    write_whole(path, written.getvalue())
    return found
