"""The effect of an intervention is the difference of two runs, and many at once are what each is by itself."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import peephole
from peephole.errors import InputError
from peephole.inside import effect_copies
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec

T, B, I, H = 4, 3, 4, 5


def build(spec: CellSpec | None = None, **options: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(spec or CellSpec("lstm"), I, H, 2, dtype=torch.float64, **options)


def some(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def squares(output: Any) -> Tensor:
    return output.square().sum(-1)


def test_it_is_the_difference_computed_by_hand() -> None:
    net, x = build(backend="reference"), some(T, B, I)
    clamped = peephole.clamp(net, layer=1, gate="f", value=1.0, steps=slice(2, 4))
    with torch.no_grad():
        without = squares(net(x)[0])
        with clamped:
            changed = squares(net(x)[0])
    found = clamped.effect(x, squares)
    assert found.without == float(without.sum())
    assert found.difference == float(changed.sum()) - float(without.sum())
    each, steps, rows = found.per_step_and_row, found.per_step, found.per_row
    assert each is not None
    assert steps is not None
    assert rows is not None
    assert torch.equal(each, changed - without)
    assert torch.allclose(steps, each.sum(1), atol=1e-14)
    assert torch.allclose(rows, each.sum(0), atol=1e-14)
    assert not bool(each[:2].any())
    assert "f in layer 1 at steps 2:4 held at 1 the divergence rises from" in found.verdict


def test_what_changes_nothing_makes_no_difference_whatever_the_kernel() -> None:
    net = build().float()
    found = peephole.effect(net, some(T, B, I).float(), squares, peephole.scale(net, gate="o", factor=1.0))
    assert found.difference == 0.0
    assert found.verdict == f"With o in layers 0, 1 times 1 the divergence stays at {found.without:.4g}."


def test_several_at_once_are_one_effect() -> None:
    net, x = build(), some(T, B, I)
    changes = [peephole.clamp(net, gate="f", value=1.0), peephole.clamp(net, gate="i", value=0.0)]
    found = peephole.effect(net, x, lambda output: squares(output).sum(), changes)
    assert found.changed == 0.0
    assert found.per_step is None
    assert "f in layers 0, 1 held at 1 and i in layers 0, 1 held at 0" in found.verdict


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


class Model(nn.Module):
    """A net among other parts, that is given states, lengths and resets, and gives two things."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.before, self.net, self.after = nn.Linear(I, I).double(), net, nn.Linear(H, 2).double()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor, **options: Any) -> tuple[Tensor, Any]:
        output, finals = self.net(self.before(x), **options)
        last = finals[0] if isinstance(finals, tuple) else finals
        return self.dropout(self.after(output)) + last.sum(), finals


def batches(kind: str) -> tuple[nn.Module, Any]:
    """A model and what it is called with."""
    if kind == "symbols":
        model = SequenceModel(7, ModelConfig(hidden_size=H, embedding_size=I, layers=2, cell="gru"), 2)
        return model.double(), torch.randint(0, 7, (T, B))
    if kind == "unbatched":
        return Model(build()), {"x": some(T, I), "hx": (some(2, H, seed=2), some(2, H, seed=3))}
    if kind == "batch first":
        net = build(CellSpec("gru"), batch_first=True, learned_states=True)
        cut = torch.zeros(B, T, dtype=torch.bool)
        cut[1, 2] = True
        return Model(net), {"x": some(B, T, I), "resets": cut, "lengths": [T, 3, 2]}
    if kind == "torch.nn":
        return Model(nn.LSTM(I, H, 2, dtype=torch.float64)), some(T, B, I)
    return Model(build()), {"x": some(T, B, I), "hx": (some(2, B, H, seed=2), some(2, B, H, seed=3))}


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("time first", 1 << 24),
        ("time first", 4 * T * B * H),  # four copies a call
        ("batch first", 1 << 24),
        ("unbatched", 1 << 24),
        ("symbols", 7 * T * B * H),
        ("torch.nn", 1 << 24),
    ],
)
def test_many_at_once_are_what_each_is_by_itself(
    kind: str, numbers: int, agree: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effect_copies, "NUMBERS_TOGETHER", numbers)
    model, batch = batches(kind)
    rows = [0] if kind == "unbatched" else [1, 0]
    value = torch.linspace(-1, 1, 3).double()
    changes = [
        *peephole.ablate(model, layer=0).each(),
        *peephole.clamp(model, state="h", value=value, units=[4, 0, 2], steps=[3, 1]).each(),
        peephole.scale(model, preactivation="z" if kind in ("batch first", "symbols") else "f", factor=3.0, rows=rows),
        peephole.clamp(model, layer=1, state="h", value=0.5, rows=rows[:1], steps=-1),
        *peephole.scale(model, layer=1, state="h", factor=0.0).each("step", steps=T),
    ]
    states = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    got = peephole.effects(model, batch, squares, changes)
    want = [peephole.effect(model, batch, squares, one) for one in changes]
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        assert one.text == other.text
        agree(number(one.changed), number(other.changed), 1e-12, one.text)
        if kind != "unbatched":
            assert one.after.both is not None
            assert other.after.both is not None
            agree(one.after.both, other.after.both, 1e-12, one.text)
    assert len({round(one.difference, 9) for one in got}) > 10
    assert model.training
    assert all(torch.equal(tensor, states[name]) for name, tensor in model.state_dict().items())
    assert not any("forward" in vars(part) for part in model.modules())


def test_packed_rows_and_nets_that_are_called_a_step_at_a_time_go_one_by_one(agree: Callable[..., None]) -> None:
    net = build()
    packed = pack_padded_sequence(some(T, B, I), torch.tensor([3, T, 1]), enforce_sorted=False)
    found = peephole.effects(net, packed, lambda y: squares(pad_packed_sequence(y)[0]), peephole.ablate(net, layer=1))
    assert len(found) == H

    class Stepper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> Tensor:
            outputs, state = [], None
            for step in x:
                output, state = self.net(step[None], state)
                outputs.append(output[0])
            return torch.stack(outputs)

    model, x = Stepper(), some(T, B, I)
    held = peephole.clamp(model, layer=0, gate="f", value=1.0)
    stepwise = peephole.effects(model, x, squares, held)
    whole = peephole.effects(net, x, squares, peephole.clamp(net, layer=0, gate="f", value=1.0))
    agree(stepwise.differences, whole.differences, 1e-10)
    assert stepwise[0].per_step is not None
    with pytest.raises(InputError, match="calls its net 4 times for one batch"):
        peephole.effects(model, x, squares, held, by="step")


def test_within_another_intervention_both_runs_have_it(agree: Callable[..., None]) -> None:
    net, x = build(), some(T, B, I)
    with peephole.ablate(net, layer=1, units=0):
        found = peephole.effects(net, x, squares, peephole.ablate(net, layer=1))
        assert found[0].difference == 0.0
        agree(number(found[1].without), squares(net(x)[0]).detach().sum(), 1e-12)


def test_the_top_layers_units_are_ranked_by_what_they_add() -> None:
    net, x = build(), some(T, B, I)
    with torch.no_grad():
        alone = net(x)[0].square().sum((0, 1))
        alone = alone[:1]  # what unit 0 adds itself, apart from what others make of it
    found = peephole.effects(net, x, lambda output: output[..., 0].square(), peephole.ablate(net, layer=1))
    assert found[0].difference == pytest.approx(-float(alone), rel=1e-9)
    assert found.order[0] == int(found.differences.abs().argmax())
    assert found.ranked[0].text == f"h of unit {found.order[0]} in layer 1 at zero"
    sizes = [abs(effect.difference) for effect in found.ranked]
    assert sizes == sorted(sizes, reverse=True)
    assert found.verdict.startswith(f"Of 5 interventions h of unit {found.order[0]} in layer 1 at zero changes")
    assert str(found).splitlines()[1].startswith(found.ranked[0].text)
    frame = found.frame()
    assert frame["number"].to_list() == list(found.order)
    assert frame["difference"].to_list() == [effect.difference for effect in found.ranked]


def test_layers_and_steps_are_taken_apart() -> None:
    net, x = build(), some(T, B, I)
    by_layer = peephole.effects(net, x, squares, peephole.ablate(net), by="layer")
    assert [effect.text for effect in by_layer] == ["h in layer 0 at zero", "h in layer 1 at zero"]
    by_step = peephole.effects(net, x, squares, peephole.ablate(net, layer=1), by="step")
    assert len(by_step) == T
    for t, effect in enumerate(by_step):
        assert effect.per_step is not None
        assert not bool(effect.per_step[:t].any())
        assert float(effect.per_step[t]) < 0


@pytest.mark.parametrize("divergence", [squares, lambda y: squares(y).sum(0), lambda y: squares(y).sum()])
def test_they_draw_themselves(divergence: Callable[[Any], Tensor]) -> None:
    from matplotlib.figure import Figure

    net, x = build(), some(T, B, I)
    found = peephole.effects(net, x, divergence, peephole.ablate(net))
    gates = [one for gate in "igo" for one in peephole.ablate(net, gate=gate).each()]
    many = peephole.effects(net, x, divergence, gates)
    axes = Figure().subplots(3)
    found[0].plot(axes[0])
    found.plot(axes[1])
    many.plot(axes[2])
    assert axes[0].get_title() == found[0].text
    assert [text.get_text() for text in axes[1].get_yticklabels()] == [effect.text for effect in found.ranked]
    assert len(axes[2].patches) == len(many) == 30
    assert axes[2].get_title() == f"largest: {many.ranked[0].text}"


@pytest.mark.usefixtures("unchecked_annotations")
def test_what_it_refuses() -> None:
    net, other, x = build(), build(), some(T, B, I)
    ablated = peephole.ablate(net)

    def check(said: str, *given: Any) -> None:
        with pytest.raises(InputError, match=said):
            peephole.effect(*given)

    check("is on another model than the Recurrent", other, x, squares, ablated)
    check(r"returned a tensor of torch.int64", net, x, lambda y: y.long(), ablated)
    check(
        r"shape \[4, 3, 5\]; expected one number, or one for each of 4 steps and 3 rows", net, x, lambda y: y, ablated
    )
    check("the divergence is inf without any intervention", net, x, lambda y: y.sum() / 0, ablated)
    check(r"does not take this batch \(RuntimeError", nn.Sequential(nn.Linear(9, I).double(), net), x, squares, ablated)
    check("input has 3 features", net, x[..., :3], squares, ablated)
    check("steps name 4", net, x, squares, peephole.ablate(net, steps=T))
    check("got no intervention", net, x, squares, [])
    model = Model(net)
    model.net = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
    model.kept = net  # pyright: ignore[reportAttributeAccessIssue]
    model.forward = lambda x: model.after(x[..., :1].expand(-1, -1, H))  # pyright: ignore
    check("does not run the net that the intervention is on", model, x, squares, ablated)
    with pytest.raises(InputError, match="by is 'row'"):
        peephole.effects(net, x, squares, ablated, by="row")  # pyright: ignore[reportArgumentType]
