"""Layer normalisation of a gate's pre-activation as a linear map (Ba, Kiros & Hinton 2016)."""

import torch
from torch import Tensor

from peephole.reference.preactivation import LAYER_NORM_EPSILON
from peephole.spec import CellSpec
from peephole.stability.steps.linearised import At


class LayerNorm:
    """n = w ∘ ẑ + b with ẑ = (z − mean z)/s. Its Jacobian is diag(w/s) (I − 1 1ᵀ/H − ẑ ẑᵀ/H)."""

    def __init__(self, z: Tensor, scale: Tensor, shift: Tensor | None) -> None:
        centred = z - z.mean(-1, keepdim=True)
        self._slope = 1 / torch.sqrt(centred.square().mean(-1, keepdim=True) + LAYER_NORM_EPSILON)  # 1/s
        self.unit, self._scale = centred * self._slope, scale
        self.value = self.unit * scale if shift is None else self.unit * scale + shift

    def pull(self, at: At, dn: Tensor) -> Tensor:
        """Gradient of z."""
        return self._project(at, dn * self._scale)

    def push(self, at: At, tangent: Tensor) -> Tensor:
        """Tangent of n."""
        return self._project(at, tangent) * self._scale

    def norms(self) -> Tensor:
        """A bound on ‖∂n/∂z‖ at each step, `[T, B]`: max |w| / s."""
        return self._scale.abs().max() * self._slope[..., 0]

    def _project(self, at: At, v: Tensor) -> Tensor:
        unit = self.unit[at]
        return (v - v.mean(-1, keepdim=True) - unit * (v * unit).mean(-1, keepdim=True)) * self._slope[at]


class Plain:
    """No normalisation."""

    def __init__(self, z: Tensor) -> None:
        self.value = z

    def pull(self, at: At, dn: Tensor) -> Tensor:
        """dn as it is."""
        return dn

    def push(self, at: At, tangent: Tensor) -> Tensor:
        """The tangent as it is."""
        return tangent

    def norms(self) -> Tensor:
        """1 at each step, `[T, B]`."""
        return torch.ones_like(self.value[..., 0])


def normalisation(spec: CellSpec, gate: str, z: Tensor, weights: dict[str, Tensor]) -> LayerNorm | Plain:
    """That of one gate, from its pre-activations `[T, B, H]`."""
    if not spec.layer_norm:
        return Plain(z)
    index, size = spec.gates.index(gate), z.shape[-1]
    part = slice(index * size, (index + 1) * size)
    return LayerNorm(z, weights["weight_ln"][part], weights["bias_ln"][part] if spec.bias else None)


def scale_gradients(spec: CellSpec, norms: dict[str, LayerNorm | Plain], at: At, dn: Tensor) -> dict[str, Tensor]:
    """Gradients of `weight_ln` and `bias_ln` from that of all gates' normalised pre-activations, `[T', B, G·H]`."""
    if not spec.layer_norm:
        return {}
    unit = torch.cat([norm.unit[at] for norm in norms.values() if isinstance(norm, LayerNorm)], dim=-1)
    found = {"weight_ln": (dn * unit).flatten(0, -2).sum(0)}
    if spec.bias:
        found["bias_ln"] = dn.flatten(0, -2).sum(0)
    return found
