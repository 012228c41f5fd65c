"""Which instruction set runs, what PEEPHOLE_INSTRUCTIONS makes of it, and what is said of what cannot run."""

import os
import subprocess
import sys

import pytest
import torch

from peephole._native import instructions
from peephole.errors import InputError
from peephole.nn.explanation import explain_backend
from peephole.nn.layers import GRU, LSTM
from peephole.nn.recurrent import Recurrent
from peephole.ops import Call, choose, run_layer, supports
from peephole.spec import FAMILIES, CellSpec, Family

from ..cells import MATRIX

NATIVE = "native: compiled kernels, a whole sequence in one call"
SWITCHED_OFF = f"{instructions.VARIABLE}=none switches the compiled kernels off"

# Prints the instruction set in use, the kernel that runs a layer and the sum of what it gives, or the error.
PROGRAM = """
import torch
from peephole._native import instructions
from peephole.errors import InputError
from peephole.ops import Call, choose, run_layer
from peephole.ops.random import random_words
from peephole.spec import FAMILIES, CellSpec, Family
spec = CellSpec("gru", layer_norm=True)
weights = [torch.full(shape, 0.125) for shape in spec.parameter_shapes(2, 3).values()]
try:
    print(repr(instructions.chosen()))
    print(choose("auto", Call(spec, "cpu", torch.float32)).kernel)
    y, _ = run_layer(spec, torch.ones(4, 2, 2), [torch.zeros(2, 3)], weights)
    print(f"{float(y.sum()):.4f}", int(random_words(torch.tensor(1), 0, 0, 1, 1, 1)))
except InputError as problem:
    print(problem)
"""


def ask(variable: str | None, program: str = PROGRAM) -> list[str]:
    environment = {name: text for name, text in os.environ.items() if name != instructions.VARIABLE}
    if variable is not None:
        environment[instructions.VARIABLE] = variable
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_the_environment_chooses() -> None:
    """Every answer is of the same layer and the same random word, by other means."""
    best, *_, last = instructions.supported()
    assert last == "portable"
    other = "avx2" if "avx2" in instructions.supported() else "portable"
    named = {None: best, other: other, "none": ""}
    answers = {name: ask(name) for name in named}
    for variable, (name, kernel, _) in answers.items():
        used = named[variable]
        assert name == repr(used)
        assert kernel == ("native" if used else "reference")
    assert len({result for _, _, result in answers.values()}) == 1, answers


@pytest.mark.parametrize("nonsense", ["avx1024", " AVX2"])
def test_an_unknown_name_is_an_error_of_one_line(nonsense: str) -> None:
    known = ", ".join(instructions.supported())
    (line,) = ask(nonsense)
    assert line == (f"PEEPHOLE_INSTRUCTIONS is {nonsense!r}; expected one of {known}, or none for no compiled kernels")


def test_using_another_ends_with_its_block() -> None:
    best = instructions.chosen()
    with pytest.raises(InputError, match="PEEPHOLE_INSTRUCTIONS is 'avx1024'"), instructions.using("avx1024"):
        pass
    assert instructions.chosen() == best
    with instructions.using("portable"):
        assert instructions.chosen() == "portable"
    assert instructions.chosen() == best


@pytest.mark.parametrize("name", MATRIX)
def test_what_is_said_of_a_cell_that_runs_compiled(name: str) -> None:
    proj = 3 if MATRIX[name].projected else 0
    model = Recurrent(MATRIX[name], 3, 4, proj_size=proj, backend="native")
    head = f"Recurrent: {MATRIX[name].code}, float32 on cpu, many steps"
    assert explain_backend(model) == f"{head}\n  {NATIVE}"
    model.backend = "auto"
    assert explain_backend(model, lengths=True) == f"{head}, with lengths\n  {NATIVE}"


EXPLAIN = """
import torch
from peephole.nn.explanation import explain_backend
from peephole.nn.layers import GRU, LSTM
from peephole.nn.recurrent import Recurrent
from peephole.ops import Call, supports
from peephole.spec import parse_spec
import sys
for code in {codes!r}:
    spec = parse_spec(code)
    print(explain_backend(Recurrent(spec, 3, 4, proj_size=3 if spec.projected else 0)).replace(chr(10), "|"))
    print(supports("native", Call(spec, "cpu", torch.float32)).reason)
"""


def test_what_is_said_of_each_cell_without_compiled_kernels() -> None:
    codes = [spec.code for spec in MATRIX.values()]
    lines = ask("none", EXPLAIN.format(codes=codes))
    assert len(lines) == 2 * len(codes)
    for spec, text, reason in zip(MATRIX.values(), lines[::2], lines[1::2], strict=True):
        _, answer, *refusals = text.split("|")
        if spec.beyond_torch:
            assert answer == "  reference: the equations, step by step through autograd"
        else:
            assert answer.startswith("  torch: ")
        assert refusals[0] == f"    not native: {SWITCHED_OFF}"
        assert reason == f"native: {SWITCHED_OFF}"


def test_what_the_compiled_kernels_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "own", Family(("z",), ("h",), "nobody"))
    lstm = CellSpec("lstm")
    for call, reason in (
        (Call(CellSpec("own"), "cpu", torch.float32), "know the cells of ours, not 'own'"),
        (Call(lstm, "cpu", torch.float16), "the compiled kernels have no float16"),
        (Call(lstm, "cpu", torch.int64), "the compiled kernels have no int64"),
        (Call(lstm, "meta", torch.float32), "run on the CPU, the tensors are on meta"),
        (Call(lstm, "cuda", torch.float32), "run on the CPU, the tensors are on cuda"),
        (Call(lstm, "cpu", torch.float32, empty=True), "the batch is empty"),
        (Call(CellSpec("rnn", taps=11), "cpu", torch.float32), "carry 10 states, this cell has 11"),
    ):
        for recompute in (False, True):
            asked = Call(call.spec, call.device, call.dtype, empty=call.empty, recompute=recompute)
            assert not supports("native", asked)
            with pytest.raises(InputError) as caught:
                choose("native", asked)
            text = str(caught.value)
            assert text.startswith(f"back end 'native' cannot run {call.spec.code}: ")
            assert text.endswith("use backend='auto'")
            assert reason in text
            assert "\n" not in text


def test_the_most_taps_that_they_carry() -> None:
    spec = CellSpec("rnn", taps=10)
    assert supports("native", Call(spec, "cpu", torch.float32)).kernel == "native"
    weights = [torch.randn(shape).mul(0.3) for shape in spec.parameter_shapes(2, 3).values()]
    states = [torch.randn(2, 3) for _ in range(10)]
    x = torch.randn(15, 2, 2)
    got, _ = run_layer(spec, x, states, weights, backend="native")
    want, _ = run_layer(spec, x, states, weights, backend="reference")
    assert bool((got - want).abs().max() <= 1e-5)


@pytest.mark.parametrize(("dtype", "device"), [(torch.float16, "cpu"), (torch.float32, "meta")])
def test_a_layer_asked_for_compiled_kernels_that_cannot_run_says_why(dtype: torch.dtype, device: str) -> None:
    model = LSTM(3, 4, backend="native", dtype=dtype, device=device)
    reason = "have no float16" if device == "cpu" else "run on the CPU, the tensors are on meta"
    with pytest.raises(InputError, match=reason):
        model(torch.zeros(5, 2, 3, dtype=dtype, device=device))


def test_what_auto_runs_step_by_step() -> None:
    """A single step of torch's cells is not worth packing the weights; of ours it is, for nothing else is fast."""
    assert choose("auto", Call(CellSpec("gru"), "cpu", torch.float32, one=True)).kernel == "stepwise"
    assert choose("native", Call(CellSpec("gru"), "cpu", torch.float32, one=True)).kernel == "native"
    assert choose("auto", Call(MATRIX["lstm FGR"], "cpu", torch.float32, one=True)).kernel == "native"
    assert choose("auto", Call(CellSpec("gru"), "cpu", torch.float32, recompute=True)).kernel == "recomputing"
    assert explain_backend(GRU(3, 4)).splitlines()[1] == f"  {NATIVE}"
