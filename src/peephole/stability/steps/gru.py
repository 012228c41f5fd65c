"""The GRU's step as a linear map, reset before or after the product, update that keeps or writes."""

import torch
from torch import Tensor

from peephole.reference.preactivation import by_gate, from_input, from_state
from peephole.stability.recordings.passage import Passage
from peephole.stability.steps.layer_norm import LayerNorm, Plain, normalisation, scale_gradients
from peephole.stability.steps.linearised import At, Linearised, Pulled, States, product


class GRUSteps(Linearised):
    """h_t = k ∘ h_{t−1} + (1 − k) ∘ n, where k is z (update keeps) or 1 − z (update writes), so that

    ∂h_t = D(k) ∂h_{t−1} + D((h_{t−1} − n) k′) ∂z_z + D((1 − k) n′) ∂z_n

    with ∂z_n = D(r) W_hn ∂h + D((W_hn h + b_hn) r′) ∂z_r after the product, W_hn (D(r) ∂h + D(h r′) ∂z_r) before it,
    and ∂z_z = W_hz ∂h, ∂z_r = W_hr ∂h.
    """

    def __init__(self, passage: Passage) -> None:
        super().__init__(passage)
        spec, weights = self.spec, dict(passage.weights)
        (h,) = passage.before
        z_x, z_h = by_gate(spec, from_input(passage.x, weights)), by_gate(spec, from_state(h, weights))
        self.norms: dict[str, LayerNorm | Plain] = {}
        self.gates: dict[str, Tensor] = {}
        for gate in spec.gates[:-1]:
            self.norms[gate] = normalisation(spec, gate, z_x[gate] + z_h[gate], weights)
            self.gates[gate] = torch.sigmoid(self.norms[gate].value)
        reset = self.gates.get("r")
        self.recurrent = z_h["n"]  # W_hn h + b_hn
        if reset is None:
            fed = self.recurrent
        elif spec.reset == "before":
            fed = by_gate(spec, from_state(reset * h, weights))["n"]
        else:
            fed = reset * self.recurrent
        self.norms["n"] = normalisation(spec, "n", z_x["n"] + fed, weights)
        n = self.gates["n"] = torch.tanh(self.norms["n"].value)
        z, keeps = self.gates["z"], spec.update == "keeps"
        self.kept = z if keeps else 1 - z
        self.factors = {
            "z": (h - n if keeps else n - h) * z * (1 - z),
            "n": (1 - self.kept) * (1 - n.square()),
        }
        if reset is not None:  # from the reset gate's pre-activation to what it weighs
            self.factors["r"] = (h if spec.reset == "before" else self.recurrent) * reset * (1 - reset)
        self._blocks = dict(zip(spec.gates, weights["weight_hh"].chunk(len(spec.gates)), strict=True))

    def pull_cell(self, at: At, gradients: States) -> Pulled:
        """Gradient of h_{t−1}."""
        spec, (dh,) = self.spec, gradients
        dnormal = {gate: dh * self.factors[gate][at] for gate in ("z", "n")}
        dz = {gate: self.norms[gate].pull(at, dnormal[gate]) for gate in ("z", "n")}
        before = dh * self.kept[at] + dz["z"] @ self._blocks["z"]
        fed = dz["n"]  # of the candidate's recurrent product
        if spec.reset == "none":
            before = before + fed @ self._blocks["n"]
        else:
            if spec.reset == "before":
                dweighed = fed @ self._blocks["n"]
                before = before + dweighed * self.gates["r"][at]
            else:
                dweighed, fed = fed, fed * self.gates["r"][at]
                before = before + fed @ self._blocks["n"]
            dnormal["r"] = dweighed * self.factors["r"][at]
            dz["r"] = self.norms["r"].pull(at, dnormal["r"])
            before = before + dz["r"] @ self._blocks["r"]
        from_input_side = torch.cat([dz[gate] for gate in spec.gates], dim=-1)
        from_state_side = torch.cat([fed if gate == "n" else dz[gate] for gate in spec.gates], dim=-1)
        normal = torch.cat([dnormal[gate] for gate in spec.gates], dim=-1)
        return Pulled((before,), (dh,), from_input_side, from_state_side, {"dnormal": normal})

    def push_cell(self, at: At, tangents: States) -> States:
        """Tangent of h_t."""
        spec, (th,) = self.spec, tangents
        if spec.reset == "before":
            tz = {gate: th @ self._blocks[gate].t() for gate in ("r", "z")}
        else:
            tz = by_gate(spec, th @ self.weights["weight_hh"].t())
        new = self.kept[at] * th + self.factors["z"][at] * self.norms["z"].push(at, tz["z"])
        if spec.reset == "none":
            fed = tz["n"]
        else:
            opened = self.factors["r"][at] * self.norms["r"].push(at, tz["r"])
            if spec.reset == "before":
                fed = (self.gates["r"][at] * th + opened) @ self._blocks["n"].t()
            else:
                fed = self.gates["r"][at] * tz["n"] + opened
        return (new + self.factors["n"][at] * self.norms["n"].push(at, fed),)

    def parameter_gradients(self, at: slice, gradients: States, pulled: Pulled) -> dict[str, Tensor]:
        """Of W_ih, W_hh, the biases and the normalisation."""
        h = self.passage.before[0][at]
        found = self._common_gradients(at, pulled, h)
        if self.spec.reset == "before":  # the candidate's product sees r ∘ h
            size = h.shape[-1]
            candidate = pulled.dz_state[..., -size:]
            found["weight_hh"][-size:] = product(candidate, self.gates["r"][at] * h)
        ordered = {gate: self.norms[gate] for gate in self.spec.gates}
        return found | scale_gradients(self.spec, ordered, at, pulled.more["dnormal"])
