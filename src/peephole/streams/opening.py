"""Streams of a module: over a snapshot where the compiled decoder can run it, else through the module's forward."""

from collections.abc import Callable
from functools import partial

import torch

from peephole._native import decoding
from peephole.errors import InputError
from peephole.streams.arguments import check_threads
from peephole.streams.snapshot import Snapshot, check_storage
from peephole.streams.source import Source
from peephole.streams.stepwise import Steps, StepwiseEngine, say_slow
from peephole.streams.stream import Stream

ONE_SIDED = (
    "a net of both directions cannot stream: its backward direction starts at the end of the sequence, which a stream "
    "does not know; use bidirectional=False"
)


def open_stream(
    source: Source,
    steps: Callable[[], Steps],
    batch: int,
    weights: str,
    threads: int | None,
    backend: str,
    device: torch.device,
) -> Stream:
    """`batch` streams of a model: `source` its tensors, `steps` its forward, on `device`.

    `backend`: native, the compiled decoder on the CPU, to which the weights are copied; stepwise, the module's forward
    where it is; or auto, native for a module on the CPU where it can, and a word in the log where it cannot.
    """
    check_storage(weights)
    if backend not in ("auto", "native", "stepwise"):
        raise InputError(f"unknown back end {backend!r}; choose one of auto, native, stepwise")
    check_threads(threads)
    reason = decoding.refusal(source.spec)
    if backend == "native" or (backend == "auto" and reason is None and device.type == "cpu"):
        return Snapshot.of(source, weights).stream(batch, threads)
    if weights != "float32":
        why = reason or (f"the module is on {device}" if device.type != "cpu" else "backend='stepwise' was asked for")
        raise InputError(f"weights={weights!r} need the compiled decoder, and {why}; stream with weights='float32'")
    source.check()
    sizes = source.spec.state_sizes(source.hidden_size, source.proj_size)
    engine = StepwiseEngine(
        steps(),
        record=len(source.layers) * sum(sizes),
        width=sizes[0] if source.head is None else source.head.shape[0],
        features=source.features,
        symbols=0 if source.embedding is None else source.embedding.shape[0],
        slow=partial(say_slow, source.spec.code, reason) if backend == "auto" and reason is not None else None,
    )
    return Stream(engine, batch, source.fingerprint)
