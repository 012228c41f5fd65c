"""A recurrent net over words as a language model that answers letter by letter."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.language.arpa.model import NEVER, UNKNOWN, WORDS
from peephole.generate.language.characters import LEAST, CharacterNGram
from peephole.generate.language.look_ahead import SPELLING_ORDER, LookAhead, Within
from peephole.generate.language.net import own_utterances
from peephole.streams.snapshot import Streaming
from peephole.streams.stream import Stream

MOST_TOGETHER = 64  # streams that step side by side
DRAWN = 64  # words that it finds into the text with


class _Read:
    """The words of an utterance so far, which the net reads once somebody asks what may follow.

    Attributes:
        sums: of the probabilities of all numbers before each, `[V + 1]`; None until then.
        state: the net's, a row of numbers; None until then.
        before: what it reads `number` after; None once it has.
        after: what was made of it with each further word.
    """

    __slots__ = ("after", "before", "number", "state", "sums")

    def __init__(self, before: "_Read | None", number: int) -> None:
        self.before, self.number = before, number
        self.sums: NDArray[np.float64] | None = None
        self.state: Tensor | None = None
        self.after: dict[int, _Read] = {}


class WordNet(LookAhead):
    """A net that was trained on utterances ended by line ends, over words cut at spaces: see `LookAhead`.

    It begins where it would be after utterances of its own, as `CharacterNet` does. A word is read when it is whole and
    a hypothesis goes on behind it, once for all hypotheses that share it: a step of the net a word, not a letter.

    Where a space is written nothing is charged for the utterance going on: the first letter after it pays for that.
    What a whole text has is the same, and a space needs no step of the net.
    """

    def __init__(self, model: Streaming, tokenizer: Tokenizer) -> None:
        """Raises `InputError` for a net that is not over the tokenizer's symbols, or these are no words at spaces."""
        if tokenizer.kind != "word" or tokenizer.cut != "spaces" or tokenizer.eos is None:
            kind = "words with marks apart" if tokenizer.kind == "word" else tokenizer.unit
            raise InputError(
                f"the language model is over {kind}; expected one over characters, or over words that spaces part "
                "(--tokens word --words spaces)"
            )
        self._stream: Stream = model.stream(1)
        if self._stream.symbols != len(tokenizer):
            raise InputError(
                f"a language model of {self._stream.symbols} symbols with a vocabulary of {len(tokenizer)}; "
                "expected a run of `peephole train text` and its own tokenizer"
            )
        special = [tokenizer.eod, tokenizer.unk, tokenizer.eos]
        ranked = sorted((symbol, token) for token, symbol in enumerate(tokenizer.symbols) if token not in special)
        if not ranked:
            raise InputError("the language model has no word but <unk>; expected one of a text with words in it")
        words = [word for word, _ in ranked]
        super().__init__(words, CharacterNGram.fit(words, SPELLING_ORDER))
        self._tokens = np.array([*special, *(token for _, token in ranked)])  # by number, as `LookAhead` has them
        end = tokenizer.eos
        prime = [tokenizer.eod, end, *own_utterances(model, tokenizer.eod, end, DRAWN, [tokenizer.unk])]
        self._root = _Read(None, NEVER)
        self._stream.reset()
        logs = self._stream.read(torch.tensor(prime)[:, None], last=True)
        self._keep([self._root], logs, self._stream.states())

    def scores(self, states: Sequence[Within], pieces: Sequence[str]) -> Float[np.ndarray, "states pieces"]:
        """log P of every piece after every state, in nats."""
        self._read([state.context for state in states])
        return super().scores(states, pieces)

    def end(self, states: Sequence[Within]) -> Float[np.ndarray, " states"]:
        """log P that the utterance is over at each state, in nats."""
        self._read([state.context for state in states])
        self._read([self._whole(state)[1] for state in states if state.said])
        return super().end(states)

    def _first(self) -> _Read:
        return self._root

    def _after(self, context: _Read, number: int) -> _Read:
        found = context.after.get(number)
        if found is None:
            found = context.after[number] = _Read(context, number)
        return found

    def _going(self, context: _Read) -> float:
        return 0.0

    def _sum(self, context: _Read, first: int, last: int | None = None) -> float:
        if context.sums is None:
            self._read([context])
        assert context.sums is not None
        return float(context.sums[first + 1 if last is None else last] - context.sums[first])

    def _read(self, contexts: Sequence[_Read]) -> None:
        """Let the net read the last word of those that it has not read yet."""
        waiting = [context for context in dict.fromkeys(contexts) if context.sums is None]
        self._read_first([context.before for context in waiting if context.before is not None])
        for start in range(0, len(waiting), MOST_TOGETHER):
            some = waiting[start : start + MOST_TOGETHER]
            if len(some) > len(self._stream):
                self._stream.join(len(some) - len(self._stream))
            ids = self._stream.ids[: len(some)]
            states = [context.before.state for context in some if context.before is not None]
            self._stream.put_states(torch.stack([state for state in states if state is not None]), ids)
            tokens = self._tokens[[context.number for context in some]]
            logs = self._stream.step(torch.from_numpy(tokens), ids)
            self._keep(some, logs, self._stream.states(ids))

    def _read_first(self, contexts: Sequence[_Read]) -> None:
        if any(context.sums is None for context in contexts):
            self._read(contexts)

    def _keep(self, contexts: Sequence[_Read], logs: Tensor, states: Tensor) -> None:
        shares = np.maximum(np.exp(logs.double().numpy()), LEAST)[:, self._tokens]
        shares[:, NEVER] = 0.0
        shares /= shares.sum(1, keepdims=True)
        for context, row, state in zip(contexts, shares, states.unbind(), strict=True):
            context.sums = np.concatenate([[0.0], np.cumsum(row)])
            context.state, context.before = state.clone(), None


assert (NEVER, UNKNOWN, WORDS) == (0, 1, 3)  # the order of `special` above, with the line end between them
