"""What turns in a training: a sentence when something goes wrong, once, and again only after it had been well.

Thresholds are of the literature where it has any. Those of our own are wide: a healthy training says nothing.
"""

from collections import deque
from collections.abc import Mapping
from statistics import mean, median
from typing import Any

from peephole.train.watch.row import WatchRow

COLLAPSED = 0.25  # of the best horizon so far, both medians of three looks
GROWN = 1000.0  # times lag 0, from which on a flow explodes (Pascanu et al. 2013); c of nets that learn well reaches 40
# Of the values of a layer's gates under 0.1 or above 0.9 (the thresholds of Karpathy et al. 2015). Of all its gates: a
# net that remembers well has forget gates that are nearly always open, as they found too.
SATURATED = 0.95
DIED = 0.1  # of the units, more than when training began
USUAL_UPDATE = 1e-3  # of the weights: the rule of thumb of Karpathy's lecture notes (Stanford CS231n, Learning)
LARGE_UPDATE, SMALL_UPDATE = 100 * USUAL_UPDATE, USUAL_UPDATE / 100
CLIPPED, CLIPPED_STEPS = 0.95, 20  # of the steps since the last look, which were at least so many
BLOWN_UP, LARGE_STATE = 10.0, 1000.0  # times the largest |state| that was usual; c of an LSTM counts into the hundreds
WELL_AGAIN = 3  # looks in a row after which something may turn again


class Turns:
    """Hears the rows of a history in order. What is so from the first look on has not turned, and is not said.

    `learning_rate` is that at its largest: updates are small where the schedule makes them so.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self._looks: list[WatchRow] = []
        self._horizons: deque[int] = deque(maxlen=3)
        self._best = 0.0
        self._well: dict[str, int] = {}  # looks since it was so, of everything that has been said

    def hear(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The sentences for what has turned in this row; none for a row without a look."""
        look = WatchRow.read(row)
        if look is None:
            return ()
        found = {
            name: sentence
            for name, sentence in {
                "horizon": self._horizon(look),
                "growing gradients": self._growing(look),
                "gates": self._gates(look),
                "dead units": self._dead(look),
                "updates": self._updates(look),
                "clipping": self._clipping(look),
                "states": self._states(look),
            }.items()
            if sentence
        }
        first = not self._looks
        said = tuple(sentence for name, sentence in found.items() if name not in self._well and not first)
        self._well = {
            name: count + 1 for name, count in self._well.items() if name not in found and count + 1 < WELL_AGAIN
        }
        self._well |= dict.fromkeys(found, 0)
        self._looks.append(look)
        return said

    def _horizon(self, look: WatchRow) -> str:
        """A fresh net says little about how far it will reach: the first look does not count."""
        if look.reach is None or not self._looks:
            return ""
        self._horizons.append(look.reach)
        now = median(self._horizons)
        if len(self._horizons) == 3:
            self._best = max(self._best, now)
        if now > COLLAPSED * self._best:
            return ""
        return (
            f"gradients reach {now:.0f} steps back, and reached {self._best:.0f}: what lies further back is no longer "
            "learnt (vanishing gradients, Hochreiter 1991)"
        )

    def _growing(self, look: WatchRow) -> str:
        grown = {
            f"{state} in {layer}": max(curve) / curve[0]
            for layer, by in look.flow.items()
            for state, curve in by.items()
            if curve and curve[0] > 0
        }
        worst = max(grown, key=lambda name: grown[name], default=None)
        if worst is None or not grown[worst] > GROWN:
            return ""
        return (
            f"the gradient of {worst} grows {grown[worst]:.3g}-fold on its way back (exploding gradients, Pascanu et "
            "al. 2013); a smaller --learning-rate or --clip-norm holds it"
        )

    def _gates(self, look: WatchRow) -> str:
        shares = {layer: mean(map(sum, by.values())) for layer, by in look.saturation.items() if by}
        stuck = {layer: share for layer, share in shares.items() if share > SATURATED}
        if not stuck:
            return ""
        named = ", ".join(f"{layer} {share:.1%} of the time" for layer, share in stuck.items())
        return f"gates are under 0.1 or above 0.9 nearly always ({named}): they hardly learn any more"

    def _dead(self, look: WatchRow) -> str:
        units, dead = sum(look.units.values()), sum(look.dead.values())
        before = sum((self._looks or [look])[0].dead.values())
        if dead - before <= DIED * units:
            return ""
        return (
            f"{dead} of {units} units are dead, and {before} were when training began: their output no longer depends "
            "on the input; a smaller --learning-rate keeps them alive"
        )

    def _updates(self, look: WatchRow) -> str:
        share = look.learning_rate / self.learning_rate
        if look.update is None or share < 1e-3:
            return ""
        if look.update > LARGE_UPDATE:
            return (
                f"one step changes the weights by {look.update:.0%} of their size, where {USUAL_UPDATE:.1%} is usual; "
                "try a smaller --learning-rate"
            )
        if look.update / share < SMALL_UPDATE:
            return (
                f"one step changes the weights by {look.update:.1g} of their size, where {USUAL_UPDATE} is usual: "
                "nothing is learnt any more, or --learning-rate is too small"
            )
        return ""

    def _clipping(self, look: WatchRow) -> str:
        steps = look.step - (self._looks[-1].step if self._looks else 0)
        if steps < CLIPPED_STEPS or look.clipped < CLIPPED:
            return ""
        return (
            f"{look.clipped:.0%} of the last {steps:,} steps were clipped: the length of a step says nothing about the "
            "slope any more; raise --clip-norm or lower --learning-rate"
        )

    def _states(self, look: WatchRow) -> str:
        """Against the looks between the first and this one."""
        usual = [each.largest for each in self._looks[1:]]
        if not usual or look.largest <= max(LARGE_STATE, BLOWN_UP * median(usual)):
            return ""
        return f"states reach {look.largest:.3g}, and {median(usual):.3g} was usual: they are growing without bound"
