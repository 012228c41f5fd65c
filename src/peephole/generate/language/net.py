"""A recurrent net over characters as a language model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.config import Sampling
from peephole.generate.language.spelled import END, Spelled, SpelledModel
from peephole.generate.sampling import Writing
from peephole.streams.snapshot import Streaming
from peephole.streams.stream import Stream

MOST_TOGETHER = 256  # streams that step side by side
DRAWN = 512  # symbols that it finds into the text with: some ten utterances


class CharacterNet(SpelledModel):
    """A net that was trained on utterances ended by line ends: `peephole train text` on a file with one a line.

    It begins where it would be after utterances of its own: a net that learnt from one long text has hardly seen how a
    text begins, and may take many symbols to find into it.

    States are rows of numbers that a few native streams are set to, so that a text which two hypotheses share is read
    once. One call at a time.
    """

    def __init__(self, model: Streaming, tokenizer: Tokenizer) -> None:
        """Raises `InputError` for a net that is not over the tokenizer's characters, or has never seen a line end."""
        super().__init__(tokenizer)
        if tokenizer.kind != "char":
            raise InputError(f"a language model over {tokenizer.unit}; expected one over characters")
        self._stream: Stream = model.stream(1)
        if self._stream.symbols != len(tokenizer):
            raise InputError(
                f"a language model of {self._stream.symbols} symbols with a vocabulary of {len(tokenizer)}; "
                "expected a run of `peephole train text` and its own tokenizer"
            )
        if tokenizer.unk in tokenizer.encode(END):
            raise InputError(
                "the language model has never seen a line end; expected one trained on a text with an utterance a line"
            )
        end = int(tokenizer.encode(END)[0])
        self._begin = self._read([tokenizer.eod, end, *own_utterances(model, tokenizer.eod, end, DRAWN)])

    def begin(self) -> Spelled:
        """After the line end of another utterance."""
        return self._begin

    def step(self, states: Sequence[Spelled], symbols: Sequence[int]) -> list[Spelled]:
        """Each state, one symbol on."""
        found: list[Spelled] = []
        for start in range(0, len(states), MOST_TOGETHER):
            some = slice(start, start + MOST_TOGETHER)
            inner: list[Tensor] = [state.inner for state in states[some]]
            if len(inner) > len(self._stream):
                self._stream.join(len(inner) - len(self._stream))
            ids = self._stream.ids[: len(inner)]
            self._stream.put_states(torch.stack(inner), ids)
            logs = self._stream.step(torch.tensor(symbols[some], dtype=torch.int64), ids)
            found += self._spelled(logs, self._stream.states(ids))
        return found

    def _read(self, symbols: Sequence[int]) -> Spelled:
        self._stream.reset()
        logs = self._stream.read(torch.tensor(symbols)[:, None], last=True)
        return self._spelled(logs, self._stream.states())[0]

    def _spelled(self, logs: Tensor, states: Tensor) -> list[Spelled]:
        rows = logs.detach().double().numpy()
        return [Spelled(row, state) for row, state in zip(rows, states.unbind(), strict=True)]


def own_utterances(model: Streaming, eod: int, end: int, count: int, never: Sequence[int] = ()) -> list[int]:
    """What a net draws, `count` symbols and the same each time, up to its last line end; nothing where it finds none.

    Symbols in `never` are not drawn, nor the end of a document.
    """
    writing = Writing(model, [eod, end], Sampling(seed=0), never=[eod, *never])
    drawn: list[int] = []
    while len(drawn) < count:
        drawn += writing.take(count - len(drawn))[:, 0].tolist()
    return drawn[: len(drawn) - drawn[::-1].index(end)] if end in drawn else []
