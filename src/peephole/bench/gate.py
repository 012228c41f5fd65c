"""Results before speed: every contestant against the equations in float64, every output and every gradient."""

from torch import Tensor

from peephole.bench.peers import Contestant
from peephole.bench.results import OURS
from peephole.bench.setup import oracle, result_names

# Of the wanted tensor's norm, and of its largest number. bfloat16 has 8 bits: a product is off by 0.4 %, ours and its
# gradients by less than 1 %; a wrong gate by tens of per cent.
TOLERANCES = {"float32": 1e-4, "bfloat16": 3e-2}
# torch.nn's GRU and RNN under autocast add weight gradients up in bfloat16, step by step: 8 % off after 1000 steps.
TOLERANCES_OF_PEERS = TOLERANCES | {"bfloat16": 2e-1}


def relative_error(got: Tensor, want: Tensor) -> float:
    """The larger of ‖got − want‖ / ‖want‖ and max |got − want| / max |want|; infinite for another shape, or NaN."""
    if got.shape != want.shape:
        return float("inf")
    difference = got.detach().double() - want
    size, largest = float(want.norm()), float(want.abs().max())
    if not size:
        return 0.0 if not float(difference.abs().max()) else float("inf")
    errors = (float(difference.norm()) / size, float(difference.abs().max()) / largest)
    return max(errors) if all(error == error for error in errors) else float("inf")


def check(contestant: Contestant) -> tuple[float, str | None]:
    """The largest relative error of one run, and None or the complaint that keeps the contestant from being timed."""
    if contestant.case is None:
        return 0.0, None
    want, case = oracle(contestant.case), contestant.case
    names = result_names(case)
    results = contestant.run()
    if len(results) != len(names):
        return float("inf"), f"gave {len(results)} results; expected {len(names)}: {', '.join(names)}"
    errors = {name: relative_error(result, want[name]) for name, result in zip(names, results, strict=True)}
    worst = max(errors, key=lambda name: errors[name])
    tolerance = (TOLERANCES if contestant.name.startswith(OURS) else TOLERANCES_OF_PEERS)[case.dtype]
    if errors[worst] <= tolerance:
        return errors[worst], None
    return errors[worst], f"{worst} is off by {errors[worst]:.1e} of its size; at most {tolerance:.0e} is right"
