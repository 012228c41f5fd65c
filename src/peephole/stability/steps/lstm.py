"""The LSTM's step as a linear map of (h, c), with every peephole and switch: the lecture's rules, all steps at once."""

import torch
from torch import Tensor

from peephole.reference.preactivation import by_gate, from_input, from_state
from peephole.stability.recordings.passage import Passage
from peephole.stability.steps.layer_norm import LayerNorm, Plain, normalisation, scale_gradients
from peephole.stability.steps.linearised import At, Linearised, Pulled, States, product, rows


class LSTMSteps(Linearised):
    """c_t = f ∘ c_{t−1} + i ∘ g and h_t = o ∘ tanh(c_t), so that with D for a diagonal matrix

    ∂c_t = D(f) ∂c_{t−1} + D(c_{t−1} f′) ∂z_f + D(g i′) ∂z_i + D(i g′) ∂z_g
    ∂h_t = D(o tanh′(c_t)) ∂c_t + D(tanh(c_t) o′) ∂z_o

    where ∂z_k = W_hk ∂h_{t−1} + W_ck ∂c, the c being c_{t−1}, and c_t for the output gate. `factors[k]` is what stands
    before ∂z_k; a coupled forget gate makes D((g − c_{t−1}) i′) of the input gate's.
    """

    def __init__(self, passage: Passage) -> None:
        super().__init__(passage)
        spec, weights = self.spec, dict(passage.weights)
        h, c, *gates_before = passage.before
        z = by_gate(spec, from_input(passage.x, weights).add_(from_state(h, weights)))
        if spec.gate_recurrence:
            fed_back = torch.cat(gates_before, dim=-1) @ weights["weight_gh"].t()
            for gate, part in zip(spec.sigmoid_gates, fed_back.chunk(len(spec.sigmoid_gates), dim=-1), strict=True):
                z[gate] = z[gate] + part
        parts = weights["weight_ch"].chunk(len(spec.peephole_gates)) if spec.peephole_gates else ()
        self.peepholes = dict(zip(spec.peephole_gates, parts, strict=True))
        self.norms: dict[str, LayerNorm | Plain] = {}
        self.gates: dict[str, Tensor] = {}
        self._slopes: dict[str, Tensor] = {}
        for gate in spec.gates:
            if gate != "o":
                self._open(gate, z[gate] + self._see(gate, c) if gate in self.peepholes else z[gate])
        one = c.new_ones(())
        i, g = self.gates.get("i", one), self.gates["g"]
        self.kept = self.gates["f"] if "f" in self.gates else (1 - i if spec.coupled else torch.ones_like(c))
        self.cell = self.kept * c + i * g  # c_t, before zoneout
        if "o" in spec.gates:
            self._open("o", z["o"] + self._see("o", self.cell) if "o" in self.peepholes else z["o"])
        o = self.gates.get("o", one)
        shown = torch.tanh(self.cell) if spec.output_activation else self.cell
        self.shown = o * shown  # h_t before its projection
        self.to_h = o * (1 - shown.square()) if spec.output_activation else o.expand_as(shown)
        reach = {"i": g - c if spec.coupled else g, "f": c, "g": i, "o": shown}
        self.factors = {gate: reach[gate] * self._slopes[gate] for gate in spec.gates}
        if not spec.gate_recurrence:
            self._slopes = {}

    def _open(self, gate: str, z: Tensor) -> None:
        norm = normalisation(self.spec, gate, z, dict(self.weights))
        self.norms[gate] = norm
        if gate != "g":
            self.gates[gate] = torch.sigmoid(norm.value)
            self._slopes[gate] = self.gates[gate] * (1 - self.gates[gate])
        elif self.spec.input_activation:
            self.gates[gate] = torch.tanh(norm.value)
            self._slopes[gate] = 1 - self.gates[gate].square()
        else:
            self.gates[gate], self._slopes[gate] = norm.value, torch.ones_like(norm.value)

    def _see(self, gate: str, c: Tensor) -> Tensor:
        """W_ck c."""
        peephole = self.peepholes[gate]
        return c @ peephole.t() if self.spec.peephole == "full" else c * peephole

    def _unsee(self, gate: str, dz: Tensor) -> Tensor:
        """dz W_ck."""
        peephole = self.peepholes[gate]
        return dz @ peephole if self.spec.peephole == "full" else dz * peephole

    def pull_cell(self, at: At, gradients: States) -> Pulled:
        """Gradients of h_{t−1}, c_{t−1} and the gates of the step before."""
        spec, (dh, dc, *dgates) = self.spec, gradients
        dgate = dict(zip(spec.sigmoid_gates, dgates, strict=True)) if spec.gate_recurrence else {}
        dshown = dh @ self.weights["weight_hr"] if spec.projected else dh
        hidden = dc.shape[-1]
        shape = torch.broadcast_shapes(dc.shape, self.cell[at].shape)
        dz = dc.new_empty(*shape[:-1], len(spec.gates), hidden)
        dn = torch.empty_like(dz) if spec.layer_norm else dz  # of the normalised pre-activations

        def back(gate: str, source: Tensor) -> Tensor:
            row = spec.gates.index(gate)
            torch.mul(source, self.factors[gate][at], out=dn[..., row, :])
            if gate in dgate:
                dn[..., row, :] += dgate[gate] * self._slopes[gate][at]
            if spec.layer_norm:
                dz[..., row, :] = self.norms[gate].pull(at, dn[..., row, :])
            return dz[..., row, :]

        dcell = torch.addcmul(dc, dshown, self.to_h[at])
        if "o" in spec.gates:
            dz_o = back("o", dshown)
            if "o" in self.peepholes:
                dcell = dcell + self._unsee("o", dz_o)
        dc_before = dcell * self.kept[at]
        for gate in spec.gates:
            if gate != "o":
                dz_gate = back(gate, dcell)
                if gate in self.peepholes:
                    dc_before += self._unsee(gate, dz_gate)
        flat = dz.flatten(-2)
        before = [flat @ self.weights["weight_hh"], dc_before]
        if spec.gate_recurrence:
            fed = torch.cat([dz[..., spec.gates.index(gate), :] for gate in spec.sigmoid_gates], dim=-1)
            before += (fed @ self.weights["weight_gh"]).chunk(len(spec.sigmoid_gates), dim=-1)
        return Pulled(tuple(before), (dh, dcell), flat, flat, {"dnormal": dn.flatten(-2)})

    def push_cell(self, at: At, tangents: States) -> States:
        """Tangents of h_t, c_t and the gates."""
        spec, (th, tc, *tgates) = self.spec, tangents
        tz = by_gate(spec, th @ self.weights["weight_hh"].t())
        if spec.gate_recurrence:
            fed = torch.cat(tgates, dim=-1) @ self.weights["weight_gh"].t()
            for gate, part in zip(spec.sigmoid_gates, fed.chunk(len(spec.sigmoid_gates), dim=-1), strict=True):
                tz[gate] = tz[gate] + part
        tnormal: dict[str, Tensor] = {}

        def on(gate: str, seen: Tensor) -> Tensor:
            total = tz[gate] + self._see(gate, seen) if gate in self.peepholes else tz[gate]
            tnormal[gate] = self.norms[gate].push(at, total)
            return tnormal[gate]

        tcell = self.kept[at] * tc
        for gate in spec.gates:
            if gate != "o":
                tcell.addcmul_(self.factors[gate][at], on(gate, tc))
        tshown = self.to_h[at] * tcell
        if "o" in spec.gates:
            tshown.addcmul_(self.factors["o"][at], on("o", tcell))
        new = tshown @ self.weights["weight_hr"].t() if spec.projected else tshown
        opened = tuple(self._slopes[gate][at] * tnormal[gate] for gate in spec.sigmoid_gates if self._slopes)
        return (new, tcell, *opened)

    def parameter_gradients(self, at: slice, gradients: States, pulled: Pulled) -> dict[str, Tensor]:
        """Of every parameter; what the peepholes see is c_{t−1}, and c_t for the output gate."""
        spec, passage = self.spec, self.passage
        h, c, *gates_before = (state[at] for state in passage.before)
        found = self._common_gradients(at, pulled, h)
        dz = dict(zip(spec.gates, pulled.dz.chunk(len(spec.gates), dim=-1), strict=True))
        if spec.peephole_gates:
            of_gate = (
                (dz[gate], self.cell[at] if gate == "o" else c) for gate in spec.peephole_gates
            )  # in the order in which they are stacked
            found["weight_ch"] = torch.cat(
                [product(each, seen) if spec.peephole == "full" else rows(each * seen).sum(0) for each, seen in of_gate]
            )
        if spec.gate_recurrence:
            fed = torch.cat([dz[gate] for gate in spec.sigmoid_gates], dim=-1)
            found["weight_gh"] = product(fed, torch.cat(gates_before, dim=-1))
        if spec.projected:
            found["weight_hr"] = product(self.inner(at, gradients)[0], self.shown[at])
        ordered = {gate: self.norms[gate] for gate in spec.gates}
        return found | scale_gradients(spec, ordered, at, pulled.more["dnormal"])
