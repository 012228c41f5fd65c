"""Gradients through depth: what of the divergence's gradient reaches each layer of a feed-forward stack.

A recurrent net unrolled over time is a deep net with equal layers; any deep net, fully connected or not, has the same
trouble. For Div(f_N(… f_1(x))) the gradient at layer k is ∇Div · ∇f_N ⋯ ∇f_{k+1}, so that each Jacobian's singular
values stretch or shrink it. `stability.flow` does this for time.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev
from torch.linalg import vector_norm

from peephole.errors import InputError
from peephole.nn.cells import Cell
from peephole.stability.recordings.recording import RECURRENT, measured_mode

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGEST = 1024  # numbers a row of a layer's input or output may have for its Jacobian to be taken
LITTLE = 1e-2  # of the output's gradient: what is less at the input (or more than its inverse) is a verdict


@dataclass(frozen=True, eq=False)
class Layer:
    """Layer k: its name, and what one row of the batch means to it, in the order of `DepthFlow.rows`.

    `largest` and `smallest` `[R]` are the singular values of its Jacobian ∂f_k/∂f_{k−1}; NaN where a row has more
    numbers than `LARGEST`. `parameter_gradient` is the norm of ∂Div/∂(its parameters) and `participation` the share of
    them that carries it, (Σ g²)² / (N Σ g⁴): 1 where all are alike, 1/N where one carries all; both NaN without
    parameters, the share also where the gradient is zero.
    """

    name: str
    largest: Float[Tensor, " rows"]
    smallest: Float[Tensor, " rows"]
    parameters: int
    parameter_gradient: float
    participation: float


@dataclass(frozen=True, eq=False)
class DepthFlow:
    """The gradient at each depth k = 0 … N of a stack; k = 0 is the input, N the output. Made by `depth_flow`.

    `gradient_norms[k, b]` is ‖∂Div/∂f_k‖ for row b. For the chosen `rows`, `chain_largest[k]` and `chain_smallest[k]`
    are the extreme singular values of ∂f_N/∂f_k, the product of the Jacobians, and `chain_bound[k]` the product of
    their norms, which the chain never exceeds and often misses by far; NaN below a layer without Jacobian.
    """

    layers: tuple[Layer, ...]
    rows: tuple[int, ...]
    divergence: float
    gradient_norms: Float[Tensor, "depths batch"]
    chain_largest: Float[Tensor, "depths rows"]
    chain_smallest: Float[Tensor, "depths rows"]
    chain_bound: Float[Tensor, "depths rows"]

    @property
    def mean_norms(self) -> Float[Tensor, " depths"]:
        """‖∂Div/∂f_k‖, the mean over the batch."""
        return self.gradient_norms.mean(1)

    @property
    def ratio(self) -> float:
        """The mean gradient norm at the input over that at the output."""
        means = self.mean_norms
        return float(means[0] / means[-1])

    @property
    def factor(self) -> float:
        """The factor per layer that makes `ratio`: its N-th root."""
        return self.ratio ** (1 / len(self.layers))

    @property
    def verdict(self) -> str:
        """One sentence: whether the gradient reaches the first layer, and where in the layers it sits."""
        means = self.mean_norms
        if not float(means[-1]):
            return "no gradient: the divergence is flat at this output, so that there is nothing to carry back."
        word = "vanishes" if self.ratio < LITTLE else "explodes" if self.ratio > 1 / LITTLE else "flows"
        said = (
            f"{word}: through {len(self.layers)} layers the gradient goes from {float(means[-1]):.3g} at the output to "
            f"{float(means[0]):.3g} at the input, {self.factor:.3g} times a layer"
        )
        if not bool(means.all()):
            dead = int((means == 0).nonzero()[-1])
            said += f"; none of it passes layer {dead + 1} ({self.layers[dead].name})"
        learning = [layer for layer in self.layers if not math.isnan(layer.participation)]
        if len(learning) > 1:
            first, last = learning[0], learning[-1]
            said += (
                f"; that of {first.name}'s parameters is carried by about {100 * first.participation:.2g} % of them, "
                f"of {last.name}'s by {100 * last.participation:.2g} %"
            )
        return said + "."

    def plot(self, ax: "Axes") -> None:
        """Draw, over depth, gradients and Jacobian chains relative to the output, on a log scale."""
        depths = list(range(len(self.gradient_norms)))
        # a divergence that is flat at the output has nothing to be relative to
        output = self.gradient_norms[-1].masked_fill(self.gradient_norms[-1] == 0, math.nan)
        mean = self.mean_norms / self.mean_norms[-1]
        if len(self.rows):
            whose = f"row {self.rows[0]}" if len(self.rows) == 1 else f"{len(self.rows)} rows"
            # where the smallest is 0, as under a narrow layer or a dead ReLU, the band goes down to the axis
            lower, upper = self.chain_smallest.amin(1).clamp_min(1e-300), self.chain_largest.amax(1)
            style = {"color": "C0", "alpha": 0.15, "linewidth": 0}
            label = f"singular values of ∂f$_N$/∂f$_k$, {whose}"
            ax.fill_between(depths, lower.tolist(), _above(upper), label=label, **style)  # pyright: ignore[reportArgumentType]
            bound = _above(self.chain_bound.amax(1))
            ax.plot(depths, bound, color="C1", linestyle=":", label=f"product of the layers' norms, {whose}")
        ax.plot(depths, _above(self.gradient_norms / output), color="0.6", linewidth=0.5, alpha=0.5)
        ax.plot(depths, _above(mean), color="black", marker="o", markersize=3, label="‖∂Div/∂f$_k$‖, mean")
        ax.plot([], [], color="0.6", linewidth=0.5, label="‖∂Div/∂f$_k$‖, each row")
        ax.axhline(1.0, color="0.85", linewidth=1, zorder=0)
        ax.set(yscale="log", ylabel="relative to the output", xlim=(0, len(self.layers)))
        if len(self.layers) <= 24:
            names = ["input", *(layer.name for layer in self.layers)]
            ax.set_xticks(depths, names, rotation=90 if len(depths) > 8 else 30)
        else:
            ax.set_xlabel("layer k")
        shown = torch.cat([mean, self.chain_largest.flatten(), self.chain_bound.flatten()])
        shown = shown[torch.isfinite(shown) & (shown > 0)]
        if len(shown):
            lower = self.chain_smallest[self.chain_smallest > 1e-2 * shown.min()]
            ax.set_ylim(0.3 * float(torch.cat([lower, shown]).min()), 3 * float(shown.max()))
        if not bool(torch.isfinite(mean).any()):
            ax.text(0.5, 0.5, "no gradient at the output", color="0.4", ha="center", transform=ax.transAxes)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize="small")


def depth_flow(
    stack: nn.Sequential | Sequence[nn.Module],
    batch: Tensor,
    divergence: Callable[[Tensor], Tensor],
    *,
    rows: Sequence[int] = (0,),
) -> DepthFlow:
    """Carry the gradient of `divergence(stack(batch))` back through a feed-forward stack, layer by layer.

    `stack` is an `nn.Sequential` or a sequence of modules, each taking one tensor `[B, ...]` and giving one; an
    `nn.Sequential` among them counts as its parts. `batch` `[B, ...]` is floating point; `divergence` takes the output
    and gives a scalar. Jacobians are taken for the chosen `rows` of the batch, where layer and row are small enough
    (`LARGEST` numbers a row); everything is computed in the stack's dtype and given in float64.

    The stack is measured in eval mode, without dropout, which is said once as a warning of the logger `peephole` if it
    trains; frozen parameters are measured like others. Parameters, their `.grad`, buffers and modes stay as they are.

    Source: the lecture's chain ∇_{f_k} Div = ∇D ∇f_N W_{N−1} ⋯ ∇f_{k+1} W_k; Glorot & Bengio 2010, "Understanding the
    difficulty of training deep feedforward neural networks"; Saxe, McClelland & Ganguli 2014 for the singular values
    of the whole chain. Participation ratio: Bell & Dean 1970.

    Raises `InputError` for a stack without layers or with a recurrent one, a layer that does not take what comes or
    mixes the rows of the batch, a batch without rows, a divergence that is no finite scalar or does not depend on the
    output, and rows that are not in the batch.

    >>> stack = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    >>> depth_flow(stack, torch.ones(5, 3), lambda y: y.square().sum()).gradient_norms.shape
    torch.Size([4, 5])
    """
    modules = _flattened(stack)
    chosen = _checked(modules, batch, rows)
    with measured_mode(nn.ModuleList(modules)), torch.inference_mode(False), torch.enable_grad():
        # a module may stand at several depths: each has tensors of its own, which carry that depth's gradient alone
        leaves = [_detached(module) for module in modules]
        values = [batch.detach().clone().requires_grad_()]
        for depth, module in enumerate(modules):
            values.append(_through(module, leaves[depth], values[-1], depth + 1))
        value = _scalar(divergence, values[-1])
        learning = [[leaf for leaf in own.values() if leaf.requires_grad] for own in leaves]
        wanted = [*values, *(leaf for own in learning for leaf in own)]
        gradients = torch.autograd.grad(value, wanted, materialize_grads=True)
        chains: list[tuple[Tensor, Tensor]] = []
        for row in chosen:
            each = zip(modules, leaves, values[:-1], values[1:], strict=True)
            chains.append(_chain([_jacobian(*own, row, depth + 1) for depth, own in enumerate(each)]))
    at = len(values)
    norms = torch.stack([vector_norm(one.double().flatten(1), dim=1).cpu() for one in gradients[:at]])
    layers: list[Layer] = []
    for depth, module in enumerate(modules):
        own = gradients[at : at + len(learning[depth])]
        at += len(own)
        extremes = torch.stack([each[:, depth] for each, _ in chains], dim=1) if chains else torch.empty(2, 0).double()
        layers.append(_layer(f"{depth + 1} {type(module).__name__}", extremes, own))
    whole = torch.stack([chain for _, chain in chains], dim=2) if chains else torch.empty(3, len(values), 0).double()
    return DepthFlow(tuple(layers), chosen, float(value.detach()), norms, whole[0], whole[1], whole[2])


def _flattened(stack: nn.Sequential | Sequence[nn.Module]) -> list[nn.Module]:
    """The layers, one level of nesting undone. `InputError` for what is no feed-forward stack."""
    if not isinstance(stack, nn.Sequential | nn.ModuleList) and not (
        isinstance(stack, Sequence) and all(isinstance(one, nn.Module) for one in stack)
    ):
        raise InputError(f"stack is a {type(stack).__name__}; expected an nn.Sequential or a sequence of modules")
    parts = [[*one] if isinstance(one, nn.Sequential) else [one] for one in stack]
    modules = [module for some in parts for module in some]
    if not modules:
        raise InputError("stack has no layers; expected one at least")
    for depth, module in enumerate(modules):
        if any(isinstance(part, (*RECURRENT, nn.RNNBase, nn.RNNCellBase, Cell)) for part in module.modules()):
            raise InputError(
                f"layer {depth + 1} ({type(module).__name__}) is recurrent; expected a feed-forward stack: "
                "gradient_flow measures a net through time"
            )
    return modules


def _checked(modules: list[nn.Module], batch: Tensor, rows: Sequence[int]) -> tuple[int, ...]:
    """The rows, if they and the batch can be measured."""
    if not isinstance(batch, Tensor) or not batch.is_floating_point():
        kind = str(batch.dtype).removeprefix("torch.") if isinstance(batch, Tensor) else type(batch).__name__
        raise InputError(f"batch is {kind}; expected a floating-point tensor [B, ...] (embed symbols before)")
    if batch.dim() < 2 or not batch.numel():
        raise InputError(f"batch has shape {list(batch.shape)}; expected [B, ...] with at least one row")
    floats = [leaf.dtype for module in modules for leaf in module.parameters() if leaf.is_floating_point()]
    if floats and floats[0] != batch.dtype:
        want, got = (str(dtype).removeprefix("torch.") for dtype in (floats[0], batch.dtype))
        raise InputError(f"batch is {got} and the stack {want}; expected one dtype: batch.to(torch.{want})")
    wrong = [row for row in rows if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < len(batch)]
    if wrong:
        raise InputError(f"rows has {wrong[0]!r}; expected rows of the batch, 0 to {len(batch) - 1}")
    return tuple(rows)


def _detached(module: nn.Module) -> dict[str, Tensor]:
    """Copies of a layer's parameters, which take gradients, and of its buffers."""
    parameters = {name: leaf.detach().clone() for name, leaf in module.named_parameters()}
    for leaf in parameters.values():
        leaf.requires_grad_(leaf.is_floating_point())
    return {**parameters, **{name: buffer.detach().clone() for name, buffer in module.named_buffers()}}


def _run(module: nn.Module, own: dict[str, Tensor], x: Tensor) -> Any:
    """The layer on a copy of x and of its buffers, as it may work in place."""
    copies = {name: leaf if leaf.requires_grad else leaf.clone() for name, leaf in own.items()}
    return functional_call(module, copies, (x.clone(),))


def _through(module: nn.Module, own: dict[str, Tensor], x: Tensor, depth: int) -> Tensor:
    """f_k, if it can be followed."""
    name = f"layer {depth} ({type(module).__name__})"
    try:
        y = _run(module, own, x)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{name} does not take {list(x.shape)}: {str(error).splitlines()[0]}") from error
    if not isinstance(y, Tensor) or not y.is_floating_point():
        raise InputError(f"{name} gives a {type(y).__name__}; expected one floating-point tensor")
    if y.dim() < 2 or len(y) != len(x):
        raise InputError(f"{name} turns {list(x.shape)} into {list(y.shape)}; expected [{len(x)}, ...], row by row")
    return y


def _scalar(divergence: Callable[[Tensor], Tensor], output: Tensor) -> Tensor:
    value = divergence(output)
    if not isinstance(value, Tensor) or value.dim():
        got = f"shape {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise InputError(f"divergence gives {got}; expected a scalar tensor, for example its sum over the batch")
    if not bool(torch.isfinite(value)):
        got = float(value.detach())
        raise InputError(f"divergence is {got}; expected a finite number, look at the output and the targets")
    reaches = value.requires_grad and torch.autograd.grad(value, output, retain_graph=True, allow_unused=True)[0]
    if not isinstance(reaches, Tensor):
        raise InputError("divergence does not depend on the output; expected one that does, and without detach()")
    return value


def _jacobian(
    module: nn.Module, own: dict[str, Tensor], x: Tensor, y: Tensor, row: int, depth: int
) -> Float[Tensor, "out in"] | None:
    """∂f_k/∂f_{k−1} of one row in float64, None where it would be too large."""
    if x[row].numel() > LARGEST or y[row].numel() > LARGEST:
        return None
    if type(module) is nn.Linear and x.dim() == 2:
        return own["weight"].detach().double().cpu()
    alone = {name: leaf.detach() for name, leaf in own.items()}

    def single(one: Tensor) -> Tensor:
        return _run(module, alone, one[None])[0]

    where = f"layer {depth} ({type(module).__name__})"
    mixes = f"{where} mixes the rows of the batch; expected one that takes each by itself"
    start = x[row].detach()
    try:
        found = single(start)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{mixes}: {str(error).splitlines()[0]}") from error
    together = y[row].detach()
    near = math.sqrt(torch.finfo(y.dtype).eps) * float(together.abs().max().clamp_min(1.0))
    if found.shape != together.shape or not float((found - together).abs().max()) <= near:
        raise InputError(mixes)
    # pieces bound the memory: a piece of rows of the Jacobian at a time goes back through the layer
    return jacrev(single, chunk_size=256)(start).reshape(together.numel(), -1).detach().double().cpu()


def _layer(name: str, extremes: Float[Tensor, "2 rows"], gradients: Sequence[Tensor]) -> Layer:
    gradient = torch.cat([one.double().flatten().cpu() for one in gradients]) if gradients else torch.empty(0)
    count = gradient.numel()
    size = float(vector_norm(gradient)) if count else math.nan
    share = math.nan
    if size > 0:
        squares = (gradient / gradient.abs().max()).square()  # scaled, as g⁴ of a vanishing g is zero
        share = float(squares.sum().square() / (count * squares.square().sum()))
    return Layer(name, extremes[0], extremes[1], count, size, share)


def _extremes(matrix: Tensor | None) -> tuple[float, float]:
    """Largest and smallest singular value, of min(out, in); NaN without a matrix of finite numbers."""
    if matrix is None or not bool(torch.isfinite(matrix).all()):
        return math.nan, math.nan
    diagonal = torch.diagonal(matrix)
    if matrix.shape[0] == matrix.shape[1] and int(matrix.count_nonzero()) == int(diagonal.count_nonzero()):
        return float(diagonal.abs().max()), float(diagonal.abs().min())  # an activation's, known without a search
    sizes = torch.linalg.svdvals(matrix)
    return float(sizes[0]), float(sizes[-1])


def _chain(jacobians: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """Extreme singular values of each layer's Jacobian `[2, N]`; and of ∂f_N/∂f_k, with the bound, `[3, N + 1]`."""
    layers = torch.tensor([_extremes(jacobian) for jacobian in jacobians], dtype=torch.float64).mT
    found = torch.full((3, len(jacobians) + 1), math.nan, dtype=torch.float64)
    found[:, -1] = 1.0
    chain: Tensor | None = None
    for depth in range(len(jacobians) - 1, -1, -1):
        jacobian = jacobians[depth]
        if jacobian is None:
            break
        chain = jacobian if chain is None else chain @ jacobian
        found[:2, depth] = torch.tensor(_extremes(chain), dtype=torch.float64)
        found[2, depth] = found[2, depth + 1] * layers[0, depth]
    return layers, found


def _above(values: Tensor) -> list[list[float]] | list[float]:
    """For a log scale: nothing where a value is zero."""
    return values.masked_fill(values <= 0, math.nan).tolist()
