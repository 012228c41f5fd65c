"""Who serves a call, and why not another."""

import logging
import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from peephole._torch import onednn, stepwise
from peephole.errors import InputError
from peephole.ops import Call, Choice, choose, run_layer, support, supports
from peephole.spec import CellSpec

from ..cells import MATRIX

LSTM, GRU = CellSpec("lstm"), CellSpec("gru")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (Call(GRU, "cpu", torch.float32), "torch gives oneDNN the LSTM alone, not the gru"),
        (Call(CellSpec("lstm", projected=True), "cpu", torch.float32), "oneDNN's LSTM has no projection here"),
        (Call(LSTM, "cpu", torch.float64), "oneDNN has no float64 LSTM"),
        (Call(LSTM, "cpu", torch.float32, masked=True), "oneDNN's LSTM knows no lengths or resets inside a row"),
        (Call(LSTM, "cpu", torch.float32, one=True), "packs the weights anew on each call"),
        (Call(LSTM, "cpu", torch.float32, empty=True), "oneDNN refuses an empty batch"),
    ],
)
@pytest.mark.usefixtures("without_native")
def test_a_call_that_onednn_refuses_goes_to_the_loop(call: Call, reason: str) -> None:
    choice = choose("torch", call)
    assert (choice.backend, choice.kernel) == ("torch", "stepwise")
    assert len(choice.refusals) == 2
    assert choice.refusals[0].startswith("cudnn: ")
    assert choice.refusals[1].startswith("onednn: ")
    assert reason in choice.refusals[1]
    auto = choose("auto", call)
    assert (auto.backend, auto.kernel, auto.refusals[1:]) == ("torch", "stepwise", choice.refusals)
    assert auto.refusals[0].startswith("native: ")


@pytest.mark.parametrize("spec", MATRIX.values(), ids=MATRIX)
def test_a_whole_sequence_of_any_cell_goes_to_the_compiled_kernels(spec: CellSpec) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        for masked, noisy in ((False, False), (True, True)):
            call = Call(spec, "cpu", dtype, masked=masked, noisy=noisy)
            if dtype == torch.bfloat16 and support.has_tiles() and supports("torch", call).kernel == "onednn":
                assert choose("auto", call).kernel == "onednn"
                continue
            assert choose("auto", call) == Choice("native", "native", ())
            assert choose("auto", replace(call, recompute=True)) == Choice("native", "recomputing", ())


def test_a_single_step_of_a_plain_cell_goes_to_the_loop() -> None:
    one = Call(LSTM, "cpu", torch.float32, one=True)
    choice = choose("auto", one)
    assert choice.kernel == "stepwise"
    assert choice.refusals[0].startswith("native: the weights are packed anew on each call")
    assert choose("native", one).kernel == "native"
    assert choose("auto", replace(one, spec=CellSpec("lstm", peephole="diagonal"))).kernel == "native"


def test_a_whole_sequence_of_an_lstm_goes_to_onednn() -> None:
    choice = choose("torch", Call(LSTM, "cpu", torch.float32))
    assert (choice.backend, choice.kernel) == ("torch", "onednn")
    assert choice.refusals == ("cudnn: cuDNN runs on CUDA devices, the tensors are on cpu",)
    assert str(choice).splitlines() == [
        "torch: oneDNN, a whole sequence in one call",
        "    not cudnn: cuDNN runs on CUDA devices, the tensors are on cpu",
    ]


def test_a_whole_sequence_on_a_gpu_goes_to_cudnn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "is_available", lambda: True)
    for spec in (LSTM, GRU, CellSpec("rnn", nonlinearity="relu"), CellSpec("lstm", projected=True)):
        support = supports("torch", Call(spec, "cuda", torch.float32))
        assert support.kernel == "cudnn"
        assert support
    for call, reason in (
        (Call(LSTM, "cuda", torch.float32, masked=True), "rows sorted by length"),
        (Call(LSTM, "cuda", torch.float32, empty=True), "cuDNN refuses an empty batch"),
        (Call(LSTM, "cuda", torch.float8_e4m3fn), "cuDNN has no float8_e4m3fn recurrence"),
    ):
        refused = supports("torch", call)
        assert refused.kernel == "stepwise"
        assert reason in refused.reason
        assert "oneDNN runs on the CPU, the tensors are on cuda" in refused.reason
    monkeypatch.setattr(torch.backends.cudnn, "is_available", lambda: False)
    assert "cuDNN missing or switched off" in supports("torch", Call(LSTM, "cuda", torch.float32)).reason


@pytest.mark.parametrize("name", ["fast", "onednn", ""])
def test_an_unknown_back_end_lists_the_known(name: str) -> None:
    with pytest.raises(InputError) as caught:
        choose(name, Call(LSTM, "cpu", torch.float32))
    assert str(caught.value) == f"unknown back end {name!r}; choose one of auto, native, torch, reference"


def test_a_named_back_end_that_cannot_serve_raises_with_its_reasons() -> None:
    call = Call(LSTM, "cpu", torch.int64)
    support = supports("torch", call)
    assert not support
    assert support.kernel is None
    with pytest.raises(InputError) as caught:
        choose("torch", call)
    text = str(caught.value)
    assert text.startswith("back end 'torch' cannot run lstm: cudnn: cuDNN runs on CUDA devices")
    for reason in ("oneDNN has no int64 LSTM", "stepwise: torch.int64 is not a floating dtype", "use backend='auto'"):
        assert reason in text
    assert "\n" not in text


@pytest.mark.usefixtures("without_native")
def test_auto_falls_back_and_says_so_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepwise, "refusal", lambda *call: "it is broken today")
    monkeypatch.setattr(onednn, "refusal", lambda *call: "so is this")
    choose.cache_clear()
    support._said.clear()
    try:
        with caplog.at_level(logging.WARNING, logger="peephole"):
            choices = [choose("auto", Call(LSTM, "cpu", torch.float32)) for _ in range(3)]
    finally:
        choose.cache_clear()
    assert {choice.kernel for choice in choices} == {"reference"}
    assert [record.getMessage() for record in caplog.records] == [
        "lstm runs on the back end reference, the equations, step by step through autograd: slow "
        "(stepwise: it is broken today; explain_backend says more)"
    ]
    assert "not stepwise: it is broken today" in str(choices[0])


def test_the_reference_serves_what_it_is_asked() -> None:
    choice = choose("reference", Call(GRU, "cpu", torch.float64, masked=True))
    assert (choice.backend, choice.kernel, choice.refusals) == ("reference", "reference", ())


@pytest.mark.parametrize(
    ("backend", "dtype", "steps", "masked", "kernel"),
    [
        ("auto", torch.float32, 5, False, "native"),
        ("auto", torch.float32, 1, False, "stepwise"),
        ("torch", torch.float32, 5, False, "onednn"),
        ("torch", torch.float32, 1, False, "stepwise"),
        ("torch", torch.float32, 5, True, "stepwise"),
        ("torch", torch.float64, 5, False, "stepwise"),
    ],
)
def test_what_is_chosen_is_what_runs(
    backend: str, dtype: torch.dtype, steps: int, masked: bool, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def watch(name: str) -> None:
        whole = support.KERNELS[name].forward

        def forward(*arguments: object) -> object:
            ran.append(name)
            return whole(*arguments)

        monkeypatch.setattr(support.KERNELS[name], "forward", forward)

    for name in ("native", "onednn", "stepwise"):
        watch(name)
    weights = [torch.randn(*shape, dtype=dtype) for shape in LSTM.parameter_shapes(3, 4).values()]
    states = [torch.zeros(2, 4, dtype=dtype)] * 2
    lengths = torch.tensor([steps, 1]) if masked else None
    run_layer(LSTM, torch.randn(steps, 2, 3, dtype=dtype), states, weights, lengths=lengths, backend=backend)
    assert ran == [kernel]


def layer(**changes: object) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A projected LSTM (I = 3, H = 4, P = 2, T = 5, B = 2) with some arguments replaced."""
    spec = CellSpec("lstm", projected=True)
    arguments: dict[str, object] = {
        "x": torch.zeros(5, 2, 3),
        "states": [torch.zeros(2, 2), torch.zeros(2, 4)],
        "weights": [torch.zeros(shape) for shape in spec.parameter_shapes(3, 4, 2).values()],
    }
    return run_layer(spec, **(arguments | changes))


WEIGHTS = [torch.zeros(shape) for shape in CellSpec("lstm", projected=True).parameter_shapes(3, 4, 2).values()]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": torch.zeros(5, 3)}, "input has shape [5, 3]; expected [T, B, I], time first"),
        ({"x": torch.zeros(0, 2, 3)}, "input has shape [0, 2, 3]: no time step; expected at least one"),
        ({"x": torch.zeros(5, 2, 7)}, "weight_ih has shape [16, 3]; expected [16, 7] for an input of 7 features"),
        ({"x": torch.zeros(5, 2, 3).double()}, "is torch.float32 on cpu and the input is torch.float64 on cpu"),
        (
            {"weights": WEIGHTS[:-1]},
            "got 4 weights; lstm projected=True has 5: weight_ih, weight_hh, bias_ih, bias_hh,",
        ),
        (
            {"weights": [*WEIGHTS[:2], torch.zeros(15), *WEIGHTS[3:]]},
            "bias_ih has shape [15]; expected [16] for an input of 3 features",
        ),
        (
            {"weights": [*WEIGHTS[:4], torch.zeros(2, 5)]},
            "weight_hr has shape [2, 5]; expected [2, 4] for an input of 3 features",
        ),
        ({"states": [torch.zeros(2, 2)]}, "got 1 states; lstm projected=True has 2: h, c"),
        ({"states": [torch.zeros(2, 4), torch.zeros(2, 4)]}, "state h has shape [2, 4]; expected [2, 2]"),
        ({"states": [torch.zeros(2, 2), torch.zeros(3, 4)]}, "state c has shape [3, 4]; expected [2, 4]"),
        (
            {"states": [torch.zeros(2, 2), torch.zeros(2, 4, device="meta")]},
            "state c is on meta, the input on cpu; move one to the other",
        ),
        ({"lengths": torch.tensor([5.0, 2.0])}, "lengths are torch.float32 [2]; expected torch.int64 [2], one per row"),
        ({"lengths": torch.tensor([5, 2]).int()}, "lengths are torch.int32 [2]; expected torch.int64 [2]"),
        ({"lengths": torch.tensor([5])}, "lengths are torch.int64 [1]; expected torch.int64 [2]"),
        ({"lengths": torch.tensor([6, 2])}, "lengths run from 2 to 6; expected 0 to 5, the number of steps"),
        ({"lengths": torch.tensor([5, -1])}, "lengths run from -1 to 5; expected 0 to 5"),
        ({"resets": torch.zeros(5, 2)}, "resets are torch.float32 [5, 2]; expected torch.bool [5, 2]"),
        ({"resets": torch.zeros(2, 5, dtype=torch.bool)}, "resets are torch.bool [2, 5]; expected torch.bool [5, 2]"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        layer(**changes)
    assert "\n" not in str(caught.value)
