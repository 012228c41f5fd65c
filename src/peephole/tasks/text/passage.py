"""`Passage`: the text that a language model is measured on, and how much of it there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peephole.data.files import find_files, read_text
from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.tasks.text.model import TextModel


@dataclass(frozen=True, eq=False)
class Passage:
    """A text as one stream of tokens, of which the first is only read.

    Attributes:
        name: what it is, in words.
        part: `test` or `held out` of the run's text; `files` of others.
        tokens: `[N]`.
        counts: which of `tokens[1:]` are paid for, `[N − 1]`. Of words all but the ends of documents: published
            perplexities know of none. Of characters and pieces all.
        counted: how many tokens means are over: those but the ends of documents, whose price is shared by the others.
        words: what stands between spaces, and line ends, so that runs of characters, pieces and words compare.
        characters: of the same text; of words that were cut at spaces with one space between them, and `<unk>` as it
            is spelled. An unknown character is one.
        unknown: how many tokens training never saw, `<unk>`.
    """

    name: str
    part: str
    tokens: NDArray[np.unsignedinteger]
    counts: NDArray[np.bool_]
    counted: int
    words: int
    characters: int
    unknown: int

    @classmethod
    def of(cls, tokenizer: Tokenizer, tokens: NDArray[np.unsignedinteger], name: str, part: str) -> "Passage":
        """Of tokens as a corpus holds them. `InputError` where no token has one before it."""
        targets = tokens[1:]
        said = targets[targets != tokenizer.eod]
        unknown = int((targets == tokenizer.unk).sum())
        counts = targets != tokenizer.eod if tokenizer.unit == "words" else np.ones(len(targets), dtype=np.bool_)
        if tokenizer.cut == "spaces":
            words, characters = len(said), _spaced(tokenizer, said)
        else:
            text = tokenizer.decode(said)
            words, characters = len(text.split()) + text.count("\n"), len(text)
            if tokenizer.unit == "characters":  # `<unk>` is spelled with five and stands for one
                characters -= unknown * (len(tokenizer.symbols[tokenizer.unk]) - 1)
        counted = characters if tokenizer.unit == "characters" else len(said)  # bytes make characters together
        if not characters:
            one = tokenizer.unit.removesuffix("s")
            raise InputError(f"{name}: nothing to measure, no {one} has one before it; give a longer text")
        return cls(name, part, tokens, counts, counted, max(words, 1), characters, unknown)

    def described_beside(self, measured: "Passage") -> str:
        """As the text that something was chosen on for `measured`, and whether it is part of that."""
        where = "of what is measured" if self.part == measured.part else f"of the {self.part.replace(' ', '-')} text"
        return f"the first {len(self.tokens) - 1:,} tokens {where}"


def passage_of(
    model: TextModel,
    files: Sequence[Path] = (),
    part: str | None = None,
    limit: int | None = None,
    encoding: str = "utf-8",
) -> Passage:
    """The files, each a document; or a part of the run's text: without a name `test` where there is one.

    `limit`: only about the first so many tokens.

    Raises:
        InputError: a file cannot be used, the run's text is gone, or it has no such part.
    """
    tokenizer = model.tokenizer
    if files:
        paths = find_files(files, encoding=encoding)
        tokens = _tokens_of(tokenizer, paths, encoding, limit)
        name = ", ".join(path.name for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        return Passage.of(tokenizer, tokens, name, "files")
    corpus = model.corpus
    if part == "test" and corpus.test is None:
        raise InputError(
            f"{model.run.folder}: its text has no test part; expected --part held-out, FILES, or a run trained with "
            "--test"
        )
    if corpus.test is not None and part != "held_out":
        name, part, tokens = "test text of the run", "test", np.asarray(corpus.test.tokens)
    else:
        name, part, tokens = "held-out text of the run", "held out", np.asarray(corpus.held_out.tokens)
    return Passage.of(tokenizer, tokens if limit is None else tokens[: limit + 1], name, part)


def _tokens_of(
    tokenizer: Tokenizer, paths: Sequence[Path], encoding: str, limit: int | None
) -> NDArray[np.unsignedinteger]:
    eod = np.array([tokenizer.eod], dtype=tokenizer.dtype)
    parts = [eod]
    for path in paths:
        encode = tokenizer.encoder()
        parts += [encode(piece) for piece in read_text(path, encoding)]
        parts += [encode(None), eod]
        if limit is not None and sum(map(len, parts)) > limit:
            break
    tokens = np.concatenate(parts)
    if len(tokens) < 3:
        raise InputError("nothing to measure: the text is empty")
    return tokens if limit is None else tokens[: limit + 1]


def _spaced(tokenizer: Tokenizer, words: NDArray[np.unsignedinteger]) -> int:
    """Characters of words with one space between them, and one character for each line end."""
    lengths = np.array([len(symbol) for symbol in tokenizer.symbols])
    assert tokenizer.eos is not None
    lengths[tokenizer.eos] = 1
    ends = words == tokenizer.eos
    return int(lengths[words].sum()) + int((~ends[:-1] & ~ends[1:]).sum())
