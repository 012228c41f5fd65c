"""The gate: right results pass, wrong ones are never timed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from peephole.bench import gate, measure, peers
from peephole.bench.cases import CELLS, DTYPES, MODES, Case, Shape
from peephole.bench.measure import measure_case
from peephole.bench.peers import PEERS, Contestant, Peer, ours
from peephole.bench.results import OURS
from peephole.bench.setup import Setup, make_setup, result_names
from peephole.bench.timing import Budget

SHAPE = Shape(6, 3, 5, 7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS)
def test_everybody_agrees_with_the_equations(cell: str, dtype: str, mode: str) -> None:
    case = Case(cell, SHAPE, dtype, mode)
    setup = make_setup(case, "auto")
    took_part = [ours(setup)] + [peer.build(setup) for peer in PEERS.values() if peer.refusal(case) is None]
    for one in took_part:
        error, complaint = gate.check(one)
        assert complaint is None, one.name
        assert error <= gate.TOLERANCES[dtype], one.name
    names = {one.name for one in took_part}
    able = dtype == "float32" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert ("torch.nn" in names) == (cell in ("gru", "rnn", "rnn-relu") or (cell == "lstm" and able))
    assert ("product" in names) == able
    assert ("loop" in names) == (
        dtype == "float32" and cell not in ("rnn-relu", "gru-before", "lstm-coupled", "lstm-noise")
    )
    assert ("peephole lstm" in names) == (cell.startswith("lstm-"))
    assert ("peephole float32" in names) == (dtype == "bfloat16")


def spoiled(change: Callable[[dict[str, Tensor]], None]) -> Callable[[Setup], Contestant]:
    """Ours, with results changed by `change`, as a peer's builder."""

    def build(setup: Setup) -> Contestant:
        right = ours(setup)

        def run() -> list[Tensor]:
            results = dict(zip(result_names(setup.case), (each.detach().clone() for each in right.run()), strict=True))
            change(results)
            return [*results.values()]

        return replace(right, name="spoiled", run=run)

    return build


def _one_element(results: dict[str, Tensor]) -> None:
    results["y"][-1, -1, -1] += 0.01


def _gradient_missing(results: dict[str, Tensor]) -> None:
    results["dweight_hh"].zero_()


def _not_a_number(results: dict[str, Tensor]) -> None:
    results["final c"][0, 0, 0] = float("nan")


def _other_shape(results: dict[str, Tensor]) -> None:
    results["dx"] = results["dx"][:-1]


def _one_too_few(results: dict[str, Tensor]) -> None:
    del results["dbias_hh"]


WRONG = {
    "y is off": _one_element,
    "dweight_hh is off": _gradient_missing,
    "final c is off": _not_a_number,
    "dx is off": _other_shape,
    "gave 7 results; expected 8": _one_too_few,
}


@pytest.mark.parametrize("said", WRONG)
def test_a_wrong_contestant_is_not_timed(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setitem(PEERS, "spoiled", Peer("spoiled", lambda case: None, spoiled(WRONG[said])))
    measured = measure_case(Case("lstm", SHAPE, mode="training"), ("torch", "spoiled"), "auto", Budget(0.0, 1))
    assert said in measured.red["spoiled"]
    assert set(measured.seconds) == {OURS, "torch.nn"}
    assert measured.ratio("spoiled") is None


def test_nobody_is_timed_beside_wrong_results_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    build = spoiled(_one_element)
    monkeypatch.setattr(measure, "ours", lambda setup: replace(build(setup), name=OURS))
    measured = measure_case(Case("lstm", SHAPE), ("torch",), "auto", Budget(0.0, 1))
    assert measured.seconds == {}
    assert "y is off" in measured.red[OURS]


def test_a_peer_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peephole.bench.onnx_runtime", None)
    monkeypatch.delattr("peephole.bench.onnx_runtime", raising=False)
    said = peers.PEERS["onnxruntime"].refusal(Case("lstm", SHAPE))
    assert said is not None
    assert "pip install 'peephole[onnx]'" in said


def test_a_processor_without_bfloat16_has_no_peer_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    refusal = peers.PEERS["torch"].refusal
    assert "this processor lacks" in str(refusal(Case("lstm", SHAPE, dtype="bfloat16")))
    assert "this processor lacks" in str(peers.PEERS["product"].refusal(Case("gru", SHAPE, dtype="bfloat16")))
    assert refusal(Case("gru", SHAPE, dtype="bfloat16")) is None
    assert refusal(Case("lstm", SHAPE)) is None


def test_errors_are_relative_and_nan_fails() -> None:
    want = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert gate.relative_error(want, want) == 0
    assert gate.relative_error(want * 1.01, want) == pytest.approx(0.01)
    assert gate.relative_error(want * float("nan"), want) == float("inf")
    assert gate.relative_error(want[:1], want) == float("inf")
    assert gate.relative_error(want * 0, want * 0) == 0
    assert gate.relative_error(want, want * 0) == float("inf")
