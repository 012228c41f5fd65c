"""`explain_backend` says what would run, and its answer is what runs."""

import pytest
import torch
from torch import nn

from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.nn.cells import Cell, LSTMCell
from peephole.nn.explanation import explain_backend
from peephole.nn.layers import GRU, LSTM
from peephole.nn.recurrent import Recurrent
from peephole.ops import BACKENDS, Call, supports

from ..cells import MATRIX, PLAIN


def test_a_layer_that_the_compiled_kernels_run() -> None:
    assert explain_backend(LSTM(3, 4, peephole="full")).splitlines() == [
        "LSTM: lstm peephole=full, float32 on cpu, many steps",
        "  native: compiled kernels, a whole sequence in one call",
    ]
    text = explain_backend(GRU(3, 4, recompute=True), lengths=True)
    assert "  native: compiled kernels that save states only and compute the rest again" in text


@pytest.mark.usefixtures("without_native")
def test_a_layer_and_its_refusals() -> None:
    assert explain_backend(LSTM(3, 4)).splitlines() == [
        "LSTM: lstm, float32 on cpu, many steps",
        "  torch: oneDNN, a whole sequence in one call",
        "    not native: PEEPHOLE_INSTRUCTIONS=none switches the compiled kernels off",
        "    not cudnn: cuDNN runs on CUDA devices, the tensors are on cpu",
    ]
    assert explain_backend(GRU(3, 4, bias=False, dtype=torch.float64)).splitlines() == [
        "GRU: gru bias=False, float64 on cpu, many steps",
        "  torch: a loop of torch operations with a hand-derived backward",
        "    not native: PEEPHOLE_INSTRUCTIONS=none switches the compiled kernels off",
        "    not cudnn: cuDNN runs on CUDA devices, the tensors are on cpu",
        "    not onednn: torch gives oneDNN the LSTM alone, not the gru",
    ]


@pytest.mark.usefixtures("without_native")
def test_the_answer_depends_on_the_call() -> None:
    layer = LSTM(3, 4)
    with_lengths, one_step = explain_backend(layer, lengths=True), explain_backend(layer, steps=1)
    assert "many steps, with lengths" in with_lengths
    assert "oneDNN's LSTM knows no lengths or resets inside a row" in with_lengths
    assert "one step" in one_step
    assert "oneDNN packs the weights anew on each call" in one_step
    for text in (with_lengths, one_step, explain_backend(LSTMCell(3, 4))):
        assert "torch: a loop of torch operations" in text
    assert "the equations, step by step" in explain_backend(LSTM(3, 4, backend="reference"))


def test_every_recurrent_part_has_a_paragraph() -> None:
    module = nn.ModuleDict({"front": LSTM(3, 4), "middle": nn.Linear(4, 4), "back": LSTMCell(4, 5)})
    heads = [line for line in explain_backend(module).splitlines() if not line.startswith(" ")]
    assert heads == ["front: lstm, float32 on cpu, many steps", "back: lstm, float32 on cpu, one step"]
    assert explain_backend(SequenceModel(9, ModelConfig(cell="gru"))).startswith("recurrent: gru, float32 on cpu")


@pytest.mark.parametrize("module", [nn.Linear(3, 4), nn.LSTM(3, 4), nn.Sequential()])
def test_a_module_without_recurrent_parts(module: nn.Module) -> None:
    with pytest.raises(InputError) as caught:
        explain_backend(module)
    assert str(caught.value) == (
        f"{type(module).__name__} holds no recurrent layer or cell of peephole; nothing to explain"
    )


def test_a_back_end_that_is_unknown() -> None:
    with pytest.raises(InputError, match="unknown back end 'gpu'; choose one of auto, native, torch, reference"):
        explain_backend(GRU(3, 4, backend="gpu"))


@pytest.mark.usefixtures("without_native")
@pytest.mark.parametrize("name", MATRIX)
def test_every_cell_is_told_who_runs_it_and_why(name: str) -> None:
    """The line below the head is the back end that says yes first; every kernel before it has its reason."""
    spec = MATRIX[name]
    for kind, steps in ((Recurrent, "many steps"), (Cell, "one step")):
        module = kind(spec, 3, 4, proj_size=2 * spec.projected)
        head, chosen, *reasons = explain_backend(module).splitlines()
        assert head == f"{kind.__name__}: {spec.code}, float32 on cpu, {steps}"
        call = Call(spec, "cpu", torch.float32, one=kind is Cell)
        backend = next(backend for backend in BACKENDS if supports(backend, call))
        assert chosen.startswith(f"  {backend}: ")
        assert all(reason.startswith("    not ") and ": " in reason for reason in reasons)
        assert len(reasons) == len({reason.split(":")[0] for reason in reasons})
        if name not in PLAIN and spec.beyond_torch:
            assert f"    not onednn: oneDNN has no {spec.beyond_torch}" in reasons
        if backend == "reference":
            assert chosen == "  reference: the equations, step by step through autograd"
            assert len(reasons) == 4
            with pytest.raises(InputError, match=f"^back end 'torch' cannot run {spec.code}: cudnn: "):
                explain_backend(kind(spec, 3, 4, proj_size=2 * spec.projected, backend="torch"))
