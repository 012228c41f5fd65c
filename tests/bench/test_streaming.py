"""The benchmark of streams: who agrees with the equations, who is not timed, JSON there and back, tables and figure."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from peephole.bench import stream_memory, stream_peers, streaming
from peephole.bench.machine import this_machine
from peephole.bench.stream_cases import (
    BATCHES,
    CELLS_COMPARED,
    PARTS,
    SIZES,
    Size,
    StreamCase,
    describe,
    plan,
    read_case,
    sizes_of,
)
from peephole.bench.stream_memory import IdleMemory, measure_idle
from peephole.bench.stream_peers import PEERS, StreamPeer, invite, ours
from peephole.bench.stream_plot import picture
from peephole.bench.stream_results import PAIRS, Stepped, StreamReport, read_stream_report
from peephole.bench.stream_setup import TOLERANCES, Stepper, StreamSetup, check, make_setup
from peephole.bench.stream_table import step_line, text_of
from peephole.bench.streaming import measure_streams, step_case
from peephole.bench.timing import Budget
from peephole.errors import InputError

SMALL = Size(2, 8)
QUICK = Budget(0.0, 2)


@pytest.fixture(scope="module", autouse=True)
def short_turns() -> Iterator[None]:
    """Nothing here is about how long a turn is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "STREAMING_SECONDS", 1e-4)
        patch.setattr(streaming, "FEWEST_STEPS", 1)
        patch.setattr(stream_peers, "PRODUCT_SIZE", 8)
        yield


@pytest.fixture(scope="module")
def report() -> StreamReport:
    """Every part and peer, two rounds each; the memory is made up."""
    cases = plan(("step", "many", "cells"), (Size(1, 8), SMALL), (1, 3), 1, middle=SMALL)
    return replace(measure_streams(cases, rounds=2), idle=IdleMemory(Size(1, 32), 1000, 300.5, 256))


# --- what is planned ---


def test_sizes_are_read_and_written() -> None:
    assert sizes_of(["2x512", "1X128", "2x512"]) == (Size(2, 512), Size(1, 128))
    assert sizes_of([str(size) for size in SIZES]) == SIZES


@pytest.mark.parametrize("text", ["", "512", "2x", "0x8", "2x512x1", "-1x2", "axb", "1.5x8"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="unknown size"):
        sizes_of([text])


def test_the_usual_plan_has_every_part() -> None:
    cases = plan(tuple(PARTS), SIZES, BATCHES, 2)
    assert [case.size for case in cases if case.part == "step"] == list(SIZES)
    assert [case.streams for case in cases if case.part == "many"] == list(BATCHES)
    assert [case.reference for case in cases if case.part == "cells"] == ["lstm"]
    assert all(read_case(describe(case)) == case and case.threads == 2 for case in cases)
    assert len(set(map(str, cases))) == len(cases)
    assert {case.gated_steps for case in cases if case.streams == 1} == {32}
    assert min(case.gated_steps for case in cases) >= 2


@pytest.mark.parametrize(
    ("parts", "batches", "said"),
    [(("steps",), (1,), "unknown part 'steps'"), ((), (1,), "no part given"), (("many",), (4, 0), "--batches has 0")],
)
def test_bad_plans_are_refused(parts: tuple[str, ...], batches: tuple[int, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        plan(parts, SIZES, batches, 1)


# --- results before speed ---


@pytest.mark.parametrize("size", [Size(1, 7), SMALL, Size(3, 33)])
def test_everybody_agrees_with_the_equations(size: Size) -> None:
    for case in (StreamCase("step", size), StreamCase("many", size, 5), StreamCase("cells", size)):
        steppers, refused = invite(case, tuple(PEERS))
        assert refused == {}
        names = {peer.name for peer in PEERS.values() if case.part in peer.parts}
        assert {one.name for one in steppers} == (set(CELLS_COMPARED) if case.part == "cells" else names | {"peephole"})
        for one in steppers:
            error, complaint = check(one) if one.compared else (0.0, None)
            assert complaint is None, one.name
            assert error <= TOLERANCES[one.weights], one.name


def test_operations_are_those_of_the_weights() -> None:
    setups = {cell: make_setup(StreamCase("cells", SMALL, 3), cell) for cell in CELLS_COMPARED}
    assert setups["lstm"].flops == setups["lstm-diagonal"].flops == 2 * 3 * 2 * 4 * 8 * (8 + 8)
    assert setups["lstm-full"].flops == setups["lstm"].flops + 2 * 3 * 2 * 3 * 8 * 8
    assert setups["gru"].flops * 4 == setups["lstm"].flops * 3
    assert setups["rnn"].flops * 4 == setups["lstm"].flops


def forgetful(setup: StreamSetup) -> Stepper:
    """Begins anew at every step."""
    stream = setup.layer.stream()

    def step(x: torch.Tensor) -> torch.Tensor:
        stream.reset()
        return stream.step(x)

    return Stepper("spoiled", step, setup, setup.flops)


def changed(change: Callable[[torch.Tensor], torch.Tensor], weights: str = "float32") -> Callable[..., Stepper]:
    """Ours, with outputs changed."""

    def build(setup: StreamSetup) -> Stepper:
        right = ours(setup, weights=weights)
        return replace(right, name="spoiled", taken=lambda output: change(output.clone()))

    return build


def _forget_gate_open(setup: StreamSetup) -> Stepper:
    """An int8 model whose forget gate never closes."""
    layer = setup.layer
    with torch.no_grad():
        layer.all_weights[0][2][8:16] += 5.0
    return replace(ours(setup, weights="int8"), name="spoiled")


WRONG: dict[str, Callable[[StreamSetup], Stepper]] = {
    "state forgotten": forgetful,
    "one element": changed(lambda output: output.index_put_((torch.tensor(0), torch.tensor(3)), torch.tensor(0.3))),
    "not a number": changed(lambda output: output * float("nan")),
    "other shape": changed(lambda output: output[:, 1:]),
    "off by a thousandth": changed(lambda output: output * 1.001),
    "a tenth more, int8": changed(lambda output: output * 1.1, "int8"),
    "a gate, int8": _forget_gate_open,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_contestant_is_not_timed(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setitem(PEERS, "spoiled", StreamPeer("spoiled", ("step",), lambda: None, WRONG[wrong]))
    found = step_case(StreamCase("step", SMALL), ("torch", "spoiled"), QUICK)
    assert "off by" in found.red["spoiled"]
    assert set(found.seconds) == {"peephole", "torch.nn"}
    assert found.ratio("spoiled", "peephole") is None
    assert found.cost("spoiled") is None
    report = StreamReport(this_machine(), (found,))
    assert "RED, never timed:\n  step 2x8: spoiled: an output is off by" in text_of(report)
    assert "; RED spoiled" in step_line(found)
    json.dumps(replace(report, stepped=()).as_json(), allow_nan=False)


def test_nobody_is_timed_beside_wrong_results_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_peers, "ours", lambda setup, *rest: replace(forgetful(setup), name="peephole"))
    found = step_case(StreamCase("step", SMALL), ("torch",), QUICK)
    assert found.seconds == {}
    many = step_case(StreamCase("many", SMALL), ("torch",), QUICK)
    report = StreamReport(this_machine(), (found, many))
    assert report.summaries() == ()
    assert step_line(found).startswith("step 2x8: RED, not timed: an output is off by")
    assert len(report.red) == 2
    assert text_of(report).count("RED") > 2


# --- who cannot take part ---


def test_a_peer_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peephole.bench.onnx_steps", None)
    monkeypatch.delattr("peephole.bench.onnx_steps", raising=False)
    found = step_case(StreamCase("step", SMALL), ("onnxruntime", "onnxruntime-int8"), QUICK)
    assert set(found.refused) == {"onnxruntime", "onnxruntime int8"}
    assert "pip install 'peephole[onnx]'" in found.refused["onnxruntime"]
    assert set(found.seconds) == {"peephole"}
    assert "not compared:\n  onnxruntime: " in text_of(StreamReport(this_machine(), (found,)))


@pytest.mark.usefixtures("without_native")
def test_without_compiled_kernels_smaller_weights_are_refused() -> None:
    found = step_case(StreamCase("step", SMALL), ("int8", "torch"), QUICK)
    assert "smaller weights need the compiled decoder" in found.refused["peephole int8"]
    assert set(found.seconds) == {"peephole", "torch.nn"}
    assert found.engine.startswith("stepwise: ")


def test_unknown_peers_are_refused() -> None:
    with pytest.raises(InputError, match="unknown peer 'jax'; choose from bfloat16,"):
        measure_streams((), peers=("jax",))


# --- what was found ---


def test_every_part_was_measured(report: StreamReport) -> None:
    assert report.red == ()
    named = {name for one in report.part("step") for name in one.seconds}
    assert named == {"peephole", *(peer.name for peer in PEERS.values() if "step" in peer.parts)}
    assert [set(one.seconds) for one in report.part("many")] == [{"peephole", "torch.nn", "product"}] * 2
    assert tuple(report.part("cells")[0].seconds) == CELLS_COMPARED
    assert [(one.theirs, one.ours) for one in report.summaries()] == list(PAIRS)
    assert {one.count for one in report.summaries()} == {2}
    for one in report.stepped:
        assert all(len(values) == 2 and min(values) > 0 for values in one.seconds.values())
        assert one.engine.startswith("compiled decoder, ")


def test_json_there_and_back(report: StreamReport) -> None:
    text = json.dumps(report.as_json(), allow_nan=False)
    assert read_stream_report(text) == report
    without = replace(report, idle=None)
    assert read_stream_report(json.dumps(without.as_json())) == without


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99}'])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_stream_report(text)


def test_the_tables_show_every_part(report: StreamReport) -> None:
    text = text_of(report)
    for part in (*PARTS.values(), "onnxruntime int8 / peephole int8", "geo mean", "of product", "per FLOP", "44.5"):
        assert part in text
    assert "lstm-full" in text
    assert max(map(len, text.splitlines())) <= 160


def test_the_figure_is_a_picture(report: StreamReport) -> None:
    pytest.importorskip("matplotlib")
    assert picture(report).startswith(b"\x89PNG")
    assert picture(replace(report, stepped=())).startswith(b"\x89PNG")


def test_ratios_means_rates_and_costs() -> None:
    def timed(case: StreamCase, flops: dict[str, int], **seconds: float) -> Stepped:
        rounds = {name.replace("_", " "): (value, 9 * value, value) for name, value in seconds.items()}
        return Stepped(case, "made up", rounds, flops, {}, {}, {})

    ones = (
        timed(StreamCase("step", Size(1, 8)), {}, peephole=1.0, onnxruntime=4.0, peephole_int8=0.5),
        timed(StreamCase("step", SMALL), {}, peephole=1.0, onnxruntime=1.0),
        timed(StreamCase("many", SMALL, 4), {"peephole": 10, "product": 80}, peephole=1.0, product=4.0),
        timed(StreamCase("cells", SMALL), {"lstm": 10, "rnn": 4}, lstm=1.0, rnn=0.8),
    )
    found = {(one.theirs, one.ours): one for one in StreamReport(this_machine(), ones).summaries()}
    plain = found["onnxruntime", "peephole"]
    assert (plain.count, plain.worst, plain.worst_size) == (2, 1.0, "2x8")
    assert plain.geometric_mean == pytest.approx(2.0)
    assert found["onnxruntime", "peephole int8"].geometric_mean == pytest.approx(8.0)
    assert ones[2].share("peephole") == pytest.approx(0.5)
    assert ones[3].cost("rnn") == pytest.approx(2.0)


# --- memory ---


def test_idle_streams_take_their_states() -> None:
    found = measure_idle(5_000)
    assert found.state_bytes == 2 * 32 * 4
    assert found.refused == ""
    assert found.beside_state == found.bytes_each - 256
    assert found.bytes_each > 0


def test_a_system_that_tells_no_memory_is_said(monkeypatch: pytest.MonkeyPatch, report: StreamReport) -> None:
    monkeypatch.setattr(stream_memory, "STATUS", stream_memory.STATUS.with_name("missing"))
    found = measure_idle(5)
    assert "/proc/self/missing" in found.refused
    assert f"not measured: {found.refused}" in text_of(replace(report, idle=found))
