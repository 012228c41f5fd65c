"""What was measured of a problem's net, beside the static one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peephole.tasks.exactness import Exactness
from peephole.tasks.probes import Probes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Measured:
    """At which sizes a net is exact, and the static net beside it; of brackets, how it does by distance and depth.

    None where there is none.
    """

    net: Exactness
    static: Exactness | None
    probes: Probes | None = None

    @property
    def verdict(self) -> str:
        """Up to which size the net is exact, and what the static one does one size further."""
        if self.static is None:
            return self.net.verdict
        beyond = next((row for row in self.static.rows if row.size > self.static.trained), self.static.rows[-1])
        return (
            f"{self.net.verdict} The static net, trained on the same examples: {beyond.right:.1%} of answers right at "
            f"{self.static.size_name} {beyond.size:,}."
        )

    def plot(self, ax: "Axes") -> None:
        """Both over size."""
        self.net.plot(ax)
        if self.static is not None:
            sizes = [row.size for row in self.static.rows]
            ax.plot(
                sizes, [row.right for row in self.static.rows], "^:", color="0.4", label="answers of the static net"
            )
            ax.legend(frameon=False)

    def as_dict(self) -> dict[str, Any]:
        """Both in JSON's types."""
        static = None if self.static is None else self.static.as_dict()
        probes = None if self.probes is None else self.probes.as_dict()
        return {"verdict": self.verdict, "net": self.net.as_dict(), "static": static, "probes": probes}
