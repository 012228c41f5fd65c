"""A decoder whose probabilities are drawn anew after each beginning of an answer, so that nothing is regular."""

import torch
from torch import Tensor

END = 0


class Invented:
    """`Speaking`, of `sources`, numbers that say how each speaks; `steep` makes some symbols much likelier than others.

    It looks at the place that is as far on as what it says, `places` of them.
    """

    def __init__(self, sources: list[int], symbols: int, steep: float = 2.0, places: int | None = None) -> None:
        self.sources, self.symbols, self.steep, self.places = sources, symbols, steep, places
        self.attention: Tensor | None = None
        self.calls: list[int] = []  # rows of each
        self._said: list[tuple[int, ...]] = []  # source and symbols, of each row

    def after(self, source: int, said: tuple[int, ...]) -> Tensor:
        """Log-probabilities `[V]` of what follows."""
        generator = torch.Generator().manual_seed(hash((source, *said)) % 2**40)
        return torch.log_softmax(torch.randn(self.symbols, generator=generator) * self.steep, -1)

    def log_probability(self, source: int, said: tuple[int, ...]) -> float:
        """Of a whole answer."""
        return sum(float(self.after(source, said[:place])[symbol]) for place, symbol in enumerate(said))

    def begin(self) -> Tensor:
        self._said = [(source,) for source in self.sources]
        return self._logs()

    def step(self, parents: Tensor, symbols: Tensor) -> Tensor:
        going = zip(parents.tolist(), symbols.tolist(), strict=True)
        self._said = [(*self._said[parent], symbol) for parent, symbol in going]
        return self._logs()

    def _logs(self) -> Tensor:
        self.calls.append(len(self._said))
        if self.places is not None:
            looking = torch.tensor([min(len(said), self.places) - 1 for said in self._said])
            self.attention = torch.nn.functional.one_hot(looking, self.places).float()
        return torch.stack([self.after(said[0], said[1:]) for said in self._said])
