"""What is planned, which sizes are read, and what is refused."""

import pytest

from peephole.bench.cases import CELLS, GRIDS, MODES, PLAIN, Case, Shape, describe, plan, read_case, shapes_of
from peephole.bench.growth import plan as plan_growth
from peephole.errors import InputError


def test_sizes_are_read_and_written() -> None:
    assert Shape.parse("100x16x256") == Shape(100, 16, 256, 256)
    assert Shape.parse("64x10x96X160") == Shape(64, 10, 96, 160)
    for shape in GRIDS["grid"] + GRIDS["own"]:
        assert Shape.parse(str(shape)) == shape


@pytest.mark.parametrize("text", ["", "grind", "10x10", "1x2x3x4x5", "0x1x1", "-1x2x3", "1.5x2x3", "axbxc", "1x2x"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="unknown shape"):
        Shape.parse(text)


def test_shapes_come_once_and_the_grids_share_none() -> None:
    assert shapes_of(["grid", "100x1x128", "7x3x5"]) == (*GRIDS["grid"], Shape(7, 3, 5, 5))
    assert not set(GRIDS["grid"]) & set(GRIDS["own"])
    assert any(shape.input_size != shape.hidden_size for shape in GRIDS["own"])


def test_the_usual_plan_has_what_each_bar_needs() -> None:
    cases = plan((), shapes_of(["grid", "own"]), (), MODES, 2)
    assert {case.shape for case in cases if case.cell == "gru"} == {*GRIDS["grid"], *GRIDS["own"]}
    variants = [case for case in cases if case.cell not in PLAIN]
    assert {case.cell for case in variants} >= {"lstm-diagonal", "lstm-full", "lstm-layer-norm", "lstm-noise"}
    assert min(case.shape.batch for case in variants) == 16
    half = [case for case in cases if case.dtype == "bfloat16"]
    assert {case.mode for case in half} == {"training"}
    assert min(case.shape.batch * case.shape.hidden_size for case in half) == 4096
    assert len(set(cases)) == len(cases)


def test_a_named_plan_is_every_combination() -> None:
    cases = plan(("rnn", "lstm-full"), shapes_of(["5x1x3", "6x2x3"]), ("float32", "bfloat16"), ("training",), 1)
    assert len(cases) == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((("lstn",), (), MODES), "unknown cell 'lstn'"),
        (((), ("float16",), MODES), "unknown dtype 'float16'"),
        (((), (), ("dreaming",)), "unknown mode 'dreaming'"),
        (((), (), ()), "no mode"),
    ],
)
def test_unknown_names_are_refused(arguments: tuple[tuple[str, ...], ...], said: str) -> None:
    cells, dtypes, modes = arguments
    with pytest.raises(InputError, match=said):
        plan(cells, shapes_of(["5x1x3"]), dtypes, modes, 1)


@pytest.mark.parametrize("cell", CELLS)
def test_operations_are_those_of_the_weights(cell: str) -> None:
    case = Case(cell, Shape(7, 3, 5, 11))
    shapes = case.spec.parameter_shapes(5, 11).values()
    weights = sum(shape[0] * shape[1] for shape in shapes if len(shape) == 2)
    assert case.flops == 2 * 7 * 3 * weights
    assert Case(cell, Shape(7, 3, 5, 11), mode="training").flops == 3 * case.flops
    assert read_case(describe(case)) == case


def test_growth_reaches_far_and_doubles_threads() -> None:
    points = plan_growth(("lstm",), ("float32",), MODES, 6)
    assert max(value for axis, value, _ in points if axis == "T") == 100_000
    assert [value for axis, value, case in points if axis == "threads" and case.training] == [1, 2, 4, 6]
    assert all(case.threads == (value if axis == "threads" else 6) for axis, value, case in points)
