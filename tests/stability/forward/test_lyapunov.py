"""Lyapunov exponents of systems whose answer is known, against autograd, and with bad input."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import peephole
from peephole.errors import InputError
from peephole.stability.forward.exponents import entropy_rate, kaplan_yorke
from peephole.stability.forward.lyapunov import lyapunov_spectrum
from peephole.stability.recordings.recording import record
from peephole.stability.recurrences.gain import critical_gain, largest_exponent, largest_exponents

from ...cells import MATRIX
from ..nets import lively, same, snapshot
from ..steps_by_autograd import jacobian_by_autograd

# Well apart, so that 300 steps turn the basis into its directions: one, a pair, one, a pair.
EIGENVALUES = [(0.95,), (0.8, 1.1), (-0.6,), (0.4, 0.5)]
SIZES = (1, 2, 1, 2)
RATES = torch.tensor([math.log(abs(value[0])) for value in EIGENVALUES], dtype=torch.float64)


def draw(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def matrix() -> Tensor:
    """The eigenvalues above, modulus and angle of pairs, in a basis that is not orthogonal."""
    blocks = []
    for value in EIGENVALUES:
        if len(value) == 1:
            blocks.append(torch.tensor([[value[0]]], dtype=torch.float64))
        else:
            a, b = value[0] * math.cos(value[1]), value[0] * math.sin(value[1])
            blocks.append(torch.tensor([[a, -b], [b, a]], dtype=torch.float64))
    basis = torch.eye(6, dtype=torch.float64) + 0.3 * draw(6, 6)
    return basis @ torch.block_diag(*blocks) @ torch.linalg.inv(basis)


def linear(layers: int = 1, bidirectional: bool = False) -> peephole.RNN:
    net = peephole.RNN(
        3, 6, layers, nonlinearity="identity", bidirectional=bidirectional, dtype=torch.float64, init="orthogonal"
    )
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if name.startswith("weight_hh"):
                weight.copy_(matrix())
    return net


@pytest.mark.parametrize("every", [None, 1, 3, 10])
def test_a_linear_recurrence_has_the_logarithms_of_its_eigenvalues(every: int | None) -> None:
    found = lyapunov_spectrum(linear(), draw(400, 2, 3), every=every, burn_in=300).layers[0]
    assert (found.averaged(SIZES) - RATES).abs().max() <= 1e-6
    assert found.complete
    assert found.errors is not None
    assert found.errors.max() <= 1e-12
    assert found.kaplan_yorke == 0.0
    assert found.entropy_rate == 0.0


def test_a_stack_in_both_directions_has_those_of_its_layers() -> None:
    net = linear(layers=2, bidirectional=True)
    found = lyapunov_spectrum(net, draw(400, 1, 3), burn_in=300)
    assert [layer.name for layer in found.layers] == ["layer 0", "layer 0 reverse", "layer 1", "layer 1 reverse"]
    for layer in found.layers:
        assert (layer.averaged(SIZES) - RATES).abs().max() <= 1e-6
    assert (found.exponents.reshape(6, 4)[:1] - RATES[0]).abs().max() <= 1e-6
    assert len(found.exponents) == 24
    chosen = lyapunov_spectrum(net, draw(400, 1, 3), burn_in=300, layers=[1], exponents=1)
    assert [layer.name for layer in chosen.layers] == ["layer 1", "layer 1 reverse"]
    assert (chosen.exponents - RATES[0]).abs().max() <= 1e-6


def test_directions_that_part_fast_are_measured_where_rounding_would_hide_them() -> None:
    net = peephole.RNN(1, 3, nonlinearity="identity", dtype=torch.float64)
    basis = torch.linalg.qr(draw(3, 3)).Q + 0.2 * draw(3, 3, seed=6)
    with torch.no_grad():
        net.weight_hh_l0.copy_(basis @ torch.diag(torch.tensor([0.9, 1e-3, 1e-7]).double()) @ torch.linalg.inv(basis))
    want = torch.tensor([0.9, 1e-3, 1e-7], dtype=torch.float64).log()
    found = lyapunov_spectrum(net, draw(60, 1, 1))
    assert (found.exponents - want).abs().max() <= 1e-6
    hidden = lyapunov_spectrum(net, draw(60, 1, 1), every=10)
    assert (hidden.exponents[0] - want[0]).abs() <= 1e-6
    assert hidden.exponents[2] == -torch.inf
    assert "2 too small to be measured" in hidden.verdict or "1 too small to be measured" in hidden.verdict


def test_scaled_orthogonal_weights_leave_no_direction_apart() -> None:
    net = peephole.RNN(2, 5, nonlinearity="identity", dtype=torch.float64)
    with torch.no_grad():
        net.weight_hh_l0.copy_(1.02 * torch.linalg.qr(draw(5, 5)).Q)
    found = lyapunov_spectrum(net, draw(30, 3, 2))
    assert (found.exponents - math.log(1.02)).abs().max() <= 1e-12
    assert found.kaplan_yorke == 5.0
    assert found.entropy_rate is not None
    assert abs(found.entropy_rate - 5 * math.log(1.02)) <= 1e-12
    assert "+0.0198" in found.verdict
    assert "5 of 5 exponents are positive" in found.verdict


def test_one_tanh_unit_has_the_mean_logarithm_of_its_slope() -> None:
    net = nn.RNN(1, 1, dtype=torch.float64)
    x = draw(50, 3, 1)
    found = lyapunov_spectrum(net, x, burn_in=10)
    h = net(x)[0].detach()[..., 0]  # [T, B]
    slopes = (net.weight_hh_l0.detach() * (1 - h.square())).abs().log()[10:]
    assert (found.layers[0].by_row[:, 0] - slopes.mean(0)).abs().max() <= 1e-12
    assert abs(found.largest - float(slopes.mean())) <= 1e-12
    error = slopes.mean(0).std() / 3**0.5
    assert found.layers[0].errors is not None
    assert abs(float(found.layers[0].errors[0] - error)) <= 1e-12
    history = slopes.cumsum(0).mean(1) / torch.arange(1, 41)
    assert (found.layers[0].history[:, 0] - history[found.layers[0].times - 1]).abs().max() <= 1e-12
    assert found.layers[0].times[-1] == 40


CELLS = [
    *("rnn tanh", "rnn sigmoid", "rnn softmax", "rnn 3 taps", "rnn residual full", "rnn residual input"),
    *("lstm", "lstm projected", "lstm V", "lstm CIFG", "lstm FGR", "lstm full candidate peephole", "lstm layer norm"),
    *("gru", "gru before", "gru writes", "gru layer norm"),
]


@pytest.mark.parametrize("name", CELLS)
def test_against_jacobians_by_autograd(name: str) -> None:
    both = name in ("rnn tanh", "lstm V", "gru")
    net, x = lively(MATRIX[name], layers=1 + both, bidirectional=both), draw(8, 2, 3)
    found = lyapunov_spectrum(net, x, every=2, burn_in=4, seed=3)
    for passage, layer in zip(record(net, x).passages, found.layers, strict=True):
        states = sum(passage.sizes)
        generator = torch.Generator().manual_seed(3)
        begun = torch.linalg.qr(torch.randn(states, states, dtype=torch.float64, generator=generator)).Q
        sums = torch.zeros(2, states, dtype=torch.float64)
        for row in range(2):
            basis = begun
            for place, t in enumerate(passage.order):
                basis = jacobian_by_autograd(passage, t, row) @ basis
                if place % 2:
                    basis, triangle = torch.linalg.qr(basis)
                    sums[row] += triangle.diagonal().abs().log() if place > 4 else 0.0
        want = (sums / 4).mean(0).sort(descending=True).values
        finite = layer.exponents.isfinite()
        assert finite.sum() >= states // 2
        assert want[~finite].numel() == 0 or want[~finite].max() < -6  # singular: nothing but rounding
        # What is left of a direction after cancellation is known to rounding of what it was a part of.
        sharp = want > want[0] - 6
        assert (layer.exponents - want)[finite & sharp].abs().max() <= 1e-9


def closed_lstm() -> nn.Module:
    net = nn.LSTM(2, 3, dtype=torch.float64)
    with torch.no_grad():
        net.bias_ih_l0[3:6] = -1000.0  # forget gates are 0
        net.weight_hh_l0[3:6] = 0.0
    return net


def dead_relu() -> nn.Module:
    net = nn.RNN(2, 4, nonlinearity="relu", dtype=torch.float64)
    with torch.no_grad():
        net.bias_ih_l0.fill_(100.0)
        net.bias_ih_l0[:2] = -1000.0
        net.weight_hh_l0.mul_(0.5)
    return net


def no_recurrence() -> nn.Module:
    net = nn.GRU(2, 3, dtype=torch.float64)
    with torch.no_grad():
        net.weight_hh_l0.zero_()
        net.bias_ih_l0[3:6] = -1000.0  # the update gate keeps nothing
    return net


SINGULAR: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "forget gates at 0": (closed_lstm, 3),
    "dead relu units": (dead_relu, 2),
    "taps of weight 0": (
        lambda: peephole.RNN(2, 3, nonlinearity="identity", taps=2, dtype=torch.float64, init="orthogonal"),
        3,
    ),
    "softmax": (lambda: peephole.RNN(2, 3, nonlinearity="softmax", dtype=torch.float64), 1),
    "nothing comes back": (no_recurrence, 3),
}


@pytest.mark.parametrize("name", SINGULAR)
@pytest.mark.parametrize("every", [None, 1, 10])
def test_singular_jacobians_have_exponents_of_minus_infinity(name: str, every: int | None) -> None:
    make, singular = SINGULAR[name]
    torch.manual_seed(1)
    net = make()
    if "taps" in name:
        with torch.no_grad():
            net.weight_hh_l0[:, 3:] = 0.0  # pyright: ignore[reportIndexIssue]
    found = lyapunov_spectrum(net, draw(60, 2, 2), every=every)
    layer = found.layers[0]
    hidden = int(layer.exponents.isneginf().sum())
    assert hidden == singular if every != 10 else hidden >= singular
    for tensor in (layer.exponents, layer.by_row, layer.history, layer.errors):
        assert tensor is not None
        assert not tensor.isnan().any()
    assert f"{hidden} too small to be measured" in found.verdict
    assert found.kaplan_yorke is not None
    figure = Figure()
    found.plot(figure.add_subplot())
    found.plot_convergence(figure.add_subplot())
    figure.canvas.draw()


@pytest.mark.parametrize("name", ["rnn tanh", "lstm V", "gru"])
def test_a_row_alone_is_as_in_the_batch(name: str) -> None:
    net, x = lively(MATRIX[name], bidirectional=True), draw(30, 4, 3)
    lengths = [30, 17, 0, 24]
    together = lyapunov_spectrum(net, {"input": x, "lengths": lengths}, every=1, burn_in=5)
    for place, row in enumerate((0, 1, 3)):
        alone = lyapunov_spectrum(net, x[: lengths[row], row : row + 1], every=1, burn_in=5)
        for layer, other in zip(together.layers, alone.layers, strict=True):
            assert (layer.by_row[place].sort().values - other.by_row[0].sort().values).abs().max() <= 1e-9


def test_a_border_inside_a_row_ends_no_direction() -> None:
    net, x = lively(MATRIX["lstm"]), draw(40, 2, 3)
    resets = torch.zeros(40, 2, dtype=torch.bool)
    resets[20] = True
    found = lyapunov_spectrum(net, {"input": x, "resets": resets}, burn_in=0)
    assert found.layers[0].exponents.isfinite().all()


def test_zoneout_is_part_of_the_step() -> None:
    net = peephole.RNN(3, 6, nonlinearity="identity", zoneout=0.25, dtype=torch.float64).eval()
    with torch.no_grad():
        net.weight_hh_l0.copy_(matrix())
    found = lyapunov_spectrum(net, draw(500, 1, 3), burn_in=400).layers[0]
    values = torch.linalg.eigvals(0.25 * torch.eye(6, dtype=torch.float64) + 0.75 * matrix()).abs().log()
    want = values.sort(descending=True).values
    assert (
        found.averaged((1, 2, 2, 1)) - torch.stack([part.mean() for part in want.split([1, 2, 2, 1])])
    ).abs().max() <= 1e-6


def test_float32_follows_the_module() -> None:
    net, x = nn.GRU(3, 8), draw(60, 2, 3)
    narrow = lyapunov_spectrum(net, x.float())
    wide = lyapunov_spectrum(net.double(), x)
    assert (narrow.exponents - wide.exponents).abs().max() <= 1e-3
    assert (narrow.exponents - wide.exponents).abs().max() > 0


def test_the_dimension_is_kaplan_and_yorkes() -> None:
    lorenz = torch.tensor([0.9056, 0.0, -14.5723])
    assert abs(float(kaplan_yorke(lorenz) or 0) - (2 + 0.9056 / 14.5723)) <= 1e-6
    assert kaplan_yorke(torch.tensor([-0.1, -0.2])) == 0.0
    assert kaplan_yorke(torch.tensor([0.3, 0.1])) == 2.0
    assert kaplan_yorke(torch.tensor([0.3, 0.1]), complete=False) is None
    assert kaplan_yorke(torch.tensor([0.3, -torch.inf])) == 1.0
    assert entropy_rate(lorenz) == pytest.approx(0.9056)
    assert entropy_rate(torch.tensor([0.3, 0.1]), complete=False) is None


def test_the_module_stays_as_it_was_and_the_result_is_frozen() -> None:
    net = nn.LSTM(3, 4, 2, dropout=0.5)
    before, random = snapshot(net), torch.get_rng_state()
    found = lyapunov_spectrum(net, draw(20, 2, 3).float())
    assert same(before, snapshot(net))
    assert torch.equal(random, torch.get_rng_state())
    again = lyapunov_spectrum(net, draw(20, 2, 3).float())
    assert torch.equal(found.exponents, again.exponents)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.steps = 3  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.layers[0].states = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_the_verdict_names_chaos_and_order() -> None:
    torch.manual_seed(0)
    net = nn.RNN(1, 60, dtype=torch.float64)
    with torch.no_grad():
        net.weight_hh_l0.copy_(3 * draw(60, 60) / 60**0.5)
    chaotic = lyapunov_spectrum(net, torch.zeros(300, 2, 1, dtype=torch.float64) + 0.1, exponents=20)
    assert chaotic.largest > 0.1
    assert "doubles in" in chaotic.verdict
    assert "(chaos, if" in chaotic.verdict
    with torch.no_grad():
        net.weight_hh_l0.mul_(0.2)
    calm = lyapunov_spectrum(net, draw(300, 2, 1), exponents=20)
    assert calm.largest < -0.1
    assert "is halved every" in calm.verdict
    assert "0 of 20 exponents are positive" in calm.verdict
    assert calm.layers[0].complete is False


GOOD = draw(10, 2, 3)


@pytest.mark.parametrize(
    ("module", "batch", "options", "message"),
    [
        (nn.Linear(3, 3), GOOD, {}, "Linear has no recurrent net in it"),
        ("lstm", GOOD, {}, "got a str"),
        (None, GOOD[:1], {}, "2 sequences of 1 step;"),
        (None, GOOD[:, :0], {}, "0 sequences of 10 steps"),
        (None, GOOD, {"exponents": 0}, "exponents is 0; expected 1 to 10"),
        (None, GOOD, {"exponents": 11}, "exponents is 11; expected 1 to 10"),
        (None, GOOD, {"exponents": 2.5}, "exponents is 2.5; expected 1 to 10"),
        (None, GOOD, {"every": 0}, "every is 0; expected a number of steps of at least 1, or None"),
        (None, GOOD, {"burn_in": 10}, "burn_in is 10; expected a whole number from 0 to 9"),
        (None, GOOD, {"burn_in": -1}, "burn_in is -1; expected a whole number from 0 to 9"),
        (None, GOOD, {"layers": [1]}, "layers are [1]; expected numbers from 0 to 0"),
        (None, GOOD, {"layers": []}, "layers are []; expected numbers from 0 to 0"),
        (None, {"input": GOOD, "lengths": [3, 2]}, {"burn_in": 5}, "no row of the batch has more than burn_in=5 steps"),
        (None, GOOD * torch.inf, {}, "not finite"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_bad_input_is_named(module: Any, batch: Any, options: dict[str, Any], message: str) -> None:
    module = peephole.LSTM(3, 5, dtype=torch.float64) if module is None else module
    with pytest.raises(InputError) as caught:
        lyapunov_spectrum(module, batch, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_groups_that_do_not_fill_the_spectrum_are_refused() -> None:
    layer = lyapunov_spectrum(linear(), draw(20, 1, 3)).layers[0]
    for sizes in ((1, 2), (7,), (6, 0), (-1, 7)):
        with pytest.raises(InputError, match="expected positive ones, of 6 in total"):
            layer.averaged(sizes)


# --- without input ---


def test_the_largest_exponent_of_a_linear_map_is_that_of_its_spectral_radius() -> None:
    gains = [0.5, 1.0, 1.05]
    found = largest_exponents(matrix(), gains, activation="identity", steps=300, burn_in=300)
    assert (found - (0.95 * torch.tensor(gains).double()).log()).abs().max() <= 1e-6
    assert abs(largest_exponent(matrix(), 0.5, "identity", 300, 300) - float(found[0])) <= 1e-12
    assert largest_exponent(torch.zeros(3, 3), steps=5) == -math.inf


def test_a_map_that_turns_has_none_and_one_that_is_chaotic_a_positive() -> None:
    turn = 1.3 * torch.tensor([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]]).double()
    assert abs(largest_exponent(turn, steps=2000)) <= 2e-3
    assert largest_exponent(draw(100, 100) / 10, gain=4.0, steps=500) > 0.3
    # Against the QR method on the same trajectory: a net without input.
    net = peephole.RNN(1, 100, bias=False, dtype=torch.float64)
    with torch.no_grad():
        net.weight_hh_l0.copy_(0.4 * draw(100, 100))
        net.weight_ih_l0.zero_()
    hx = draw(1, 1, 100, seed=9)
    spectrum = lyapunov_spectrum(net, (torch.zeros(700, 1, 1).double(), hx), exponents=1, burn_in=200)
    assert abs(spectrum.largest - largest_exponent(draw(100, 100) / 10, gain=4.0, steps=600)) <= 0.03


@pytest.mark.parametrize("seed", range(3))
def test_the_exponent_of_a_small_random_map_reaches_zero_where_rest_ends(seed: int) -> None:
    weight = draw(60, 60, seed=seed) / 60**0.5
    found = critical_gain(weight, steps=800, count=31)
    radius = float(torch.linalg.eigvals(weight).abs().max())
    assert found.rest == pytest.approx(1 / radius)
    assert abs(found.zero - 1 / radius) <= 0.003
    assert found.chaos is None or found.chaos >= found.zero
    assert (found.exponents[found.gains < found.zero - 0.01] < 0).all()
    assert f"{found.zero:.4g}" in found.verdict
    figure = Figure()
    found.plot(figure.add_subplot())
    figure.canvas.draw()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])  # a leading eigenvalue that is real: the exponent only touches zero
def test_the_critical_gain_of_a_random_map_is_near_one(seed: int) -> None:
    found = critical_gain(draw(500, 500, seed=seed) / 500**0.5, low=0.8, high=1.1, steps=600, count=16)
    assert abs(found.zero - 1) <= 0.05
    above = found.exponents[(found.gains > found.zero + 0.01) & (found.gains < 1.05)]
    assert (above < -0.005).all()  # it rests elsewhere: no chaos yet, though the exponent was at zero


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: largest_exponent(torch.ones(2, 3)), "weight is [2, 3]; expected a square matrix"),
        (lambda: largest_exponent(torch.full((2, 2), torch.nan)), "weight holds numbers that are not finite"),
        (lambda: largest_exponent(torch.eye(2), activation="softmax"), "softmax acts on a vector"),
        (lambda: largest_exponent(torch.eye(2), activation="tan"), "activation is 'tan'"),
        (lambda: largest_exponent(torch.eye(2), gain=math.nan), "gains are [nan]"),
        (lambda: largest_exponent(torch.eye(2), steps=0), "steps is 0"),
        (lambda: largest_exponent(torch.eye(2), burn_in=-1), "burn_in is -1"),
        (lambda: largest_exponent(9 * torch.eye(2), activation="relu"), "the state left all bounds at gain 1"),
        (lambda: critical_gain(torch.eye(2), low=2.0, high=1.0), "low is 2.0 and high is 1.0"),
        (lambda: critical_gain(torch.eye(2), count=2), "count is 2"),
        (lambda: critical_gain(3 * torch.eye(2), activation="tanh", low=0.33333333, steps=50), "already at low"),
        (lambda: critical_gain(0.1 * torch.eye(2), steps=50), "stays under zero up to high=1.5"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_bad_maps_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_rounding_leaves_of_zero_is_no_chaos() -> None:
    net = peephole.RNN(3, 8, nonlinearity="identity", init="orthogonal", dtype=torch.float64)
    found = lyapunov_spectrum(net, torch.randn(60, 3, 3, dtype=torch.float64))
    assert found.layers[0].positive == 0
    assert "not to be told from zero" in found.verdict
    assert "0 of 8 exponents are positive" in found.verdict


def test_weights_so_large_that_a_few_steps_overflow_are_measured_step_by_step() -> None:
    """W = s (1 + noise) from a state of zero: exponents of log s and more; beyond the range of float32 a refusal."""
    torch.manual_seed(0)
    net = peephole.RNN(3, 6, nonlinearity="identity", bias=False)
    noise = 0.1 * torch.randn(6, 6)
    found = []
    for size in (1e2, 1e16):
        with torch.no_grad():
            net.weight_hh_l0.copy_(size * (torch.eye(6) + noise))
        found.append(lyapunov_spectrum(net, torch.zeros(60, 2, 3)).layers[0].exponents - math.log(size))
    assert float((found[0] - found[1]).abs().max()) <= 1e-4
    with torch.no_grad():
        net.weight_hh_l0.fill_(1e38)
    with pytest.raises(InputError, match="derivatives of layer 0 are not finite"):
        lyapunov_spectrum(net, torch.zeros(60, 2, 3))
