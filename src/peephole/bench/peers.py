"""Who takes part in a case: for each a refusal with its reason, and a builder of something that runs once."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from peephole.bench import loop
from peephole.bench.cases import Case
from peephole.bench.results import OURS
from peephole.bench.setup import SEED, Setup, flat, make_setup
from peephole.bench.timing import PAUSE_SECONDS
from peephole.nn.exchange import to_torch
from peephole.nn.recurrent import Recurrent

Run = Callable[[], list[Tensor]]
# ONNX Runtime's threads wait busily for more work, for 40 ms on 2 cores: who comes next would take twice as long.
# Telling it not to would slow its small models down.
SPINNING_SECONDS = 0.06


@dataclass(frozen=True)
class Contestant:
    """One run of somebody. `case` is what its results are compared with; None where there is nothing to compare.

    `pause` are seconds for which its threads may go on spinning after a run, and take a core from the next one.
    """

    name: str
    run: Run
    case: Case | None
    pause: float = PAUSE_SECONDS


@dataclass(frozen=True)
class Peer:
    """`refusal` gives the reason why a case cannot be run, or None; `build` makes the contestant.

    A mirror of ours (ours in float32, our plain LSTM) that would only see itself has the empty reason.
    """

    name: str
    refusal: Callable[[Case], str | None]
    build: Callable[[Setup], Contestant]


def torch_run(setup: Setup, call: Callable[[Tensor], list[Tensor]], parameters: list[Tensor]) -> Run:
    """Inference: `call(x)`. Training: forward, then the gradients of x and of every parameter.

    bfloat16 is autocast's, which the forward alone runs under.
    """
    x, dy = setup.x, setup.dy
    half = setup.case.dtype == "bfloat16"

    def forward() -> list[Tensor]:
        with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
            return call(x)

    def infer() -> list[Tensor]:
        with torch.inference_mode():
            return forward()

    def train() -> list[Tensor]:
        results = forward()
        upstream = dy.to(results[0].dtype)
        return [*results, *torch.autograd.grad(results[0], [x, *parameters], upstream)]

    return train if setup.case.training else infer


def ours(setup: Setup, name: str = OURS) -> Contestant:
    """Our layer on the back end of the setup."""
    layer = setup.layer
    seed = SEED if setup.case.noise else None
    return Contestant(name, torch_run(setup, lambda x: flat(*layer(x, seed=seed)), [*layer.parameters()]), setup.case)


# --- others ---


def _not_in_torch(case: Case) -> str | None:
    lacking = case.spec.beyond_torch or ("noise in the recurrence" if case.noise else "")
    if lacking:
        return f"torch.nn has no {lacking}"
    return _without_bfloat16(case) if case.spec.family == "lstm" else None


def _without_bfloat16(case: Case) -> str | None:
    if case.dtype != "bfloat16" or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return None
    return "this processor lacks the instructions for bfloat16 in oneDNN, torch's LSTM and matrix products"


def _torch(setup: Setup) -> Contestant:
    layer: nn.RNNBase = to_torch(setup.layer)
    return Contestant("torch.nn", torch_run(setup, lambda x: flat(*layer(x)), [*layer.parameters()]), setup.case)


def _not_in_onnx(case: Case) -> str | None:
    if case.training:
        return "ONNX Runtime runs inference only here"
    if case.dtype != "float32":
        return f"ONNX Runtime's recurrent operators have no {case.dtype} on the CPU"
    if case.noise:
        return "ONNX has no noise in the recurrence"
    try:
        from peephole.bench import onnx_runtime
    except ImportError as error:
        return f"{error.name} is not installed; pip install 'peephole[onnx]' brings it"
    return onnx_runtime.refusal(case.spec)


def _onnx(setup: Setup) -> Contestant:
    from peephole.bench.onnx_runtime import open_session

    x = setup.x.numpy()
    session = open_session(setup.layer, {"X": x.shape}, setup.case.threads)

    def run() -> list[Tensor]:
        output, *finals = session.run(None, {"X": x})
        return [torch.from_numpy(output)[:, 0], *(torch.from_numpy(final) for final in finals)]

    return Contestant("onnxruntime", run, setup.case, SPINNING_SECONDS)


def _loop(setup: Setup) -> Contestant:
    layer: Recurrent = setup.layer
    weights = {name: weight.detach().clone() for name, weight in next(layer.named_layers()).items()}
    for weight in weights.values():
        weight.requires_grad_(setup.case.training)
    spec = setup.case.spec
    return Contestant("loop", torch_run(setup, lambda x: loop.run(spec, x, weights), [*weights.values()]), setup.case)


def _product(setup: Setup) -> Contestant:
    """The matrix products of all steps at once, which no recurrence can have: how fast the machine multiplies."""
    dtype = getattr(torch, setup.case.dtype)
    operands: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows, depth, columns in setup.case.products:
        shapes = (rows, depth), (depth, columns), (rows, columns)
        operands.append(tuple(torch.randn(shape).to(dtype) for shape in shapes))  # pyright: ignore[reportArgumentType]

    def infer() -> list[Tensor]:
        return [left @ right for left, right, _ in operands]

    def train() -> list[Tensor]:
        return [*infer(), *(d @ right.t() for _, right, d in operands), *(left.t() @ d for left, _, d in operands)]

    return Contestant("product", train if setup.case.training else infer, None)


def _float32(setup: Setup) -> Contestant:
    case = replace(setup.case, dtype="float32")
    return ours(replace(setup, case=case), "peephole float32")


def _plain(setup: Setup) -> Contestant:
    return ours(make_setup(replace(setup.case, cell="lstm"), setup.layer.backend), "peephole lstm")


def _is_float32(case: Case) -> str | None:
    return "" if case.dtype == "float32" else None


def _is_no_variant(case: Case) -> str | None:
    return None if case.spec.family == "lstm" and case.cell != "lstm" else ""


PEERS: dict[str, Peer] = {
    "torch": Peer("torch.nn", _not_in_torch, _torch),
    "onnxruntime": Peer("onnxruntime", _not_in_onnx, _onnx),
    "loop": Peer("loop", loop.refusal, _loop),
    "product": Peer("product", _without_bfloat16, _product),
    "float32": Peer("peephole float32", _is_float32, _float32),
    "lstm": Peer("peephole lstm", _is_no_variant, _plain),
}
