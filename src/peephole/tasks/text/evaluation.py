"""Measuring a language model: bits per character and perplexity, beside baselines that saw the same training text."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.files import find_files, read_text
from peephole.errors import InputError
from peephole.tasks.text.baselines import TRAINING_TOKENS, ngram_nats, xz_nats
from peephole.tasks.text.model import TextModel


@dataclass(frozen=True)
class Measurement:
    """One text measured by one model. Sums include the ends of documents; means are over characters.

    `baselines` are bits a character of the same text by name; None where the run's training text is gone.
    `trained_on` says how many tokens, from the end of the training part, the baselines have learned from. `lost` are
    bits a character more than with float32 weights; None where the weights are float32.
    """

    text: str
    characters: int
    nats_per_character: float
    bits_per_character: float
    perplexity: float
    unknown_characters: int
    baselines: dict[str, float] | None
    trained_on: int
    weights: str = "float32"
    lost: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields in JSON's types."""
        return asdict(self)


def evaluate(
    model: TextModel,
    files: Sequence[Path] = (),
    limit: int | None = None,
    baselines: bool = True,
    encoding: str = "utf-8",
    weights: str = "float32",
) -> Measurement:
    """Measure `model` on `files` (each a document), or on its run's held-out text.

    `limit`: measure only about the first so many characters. The result depends on no number of threads.

    Raises:
        InputError: a file cannot be used, or no files are given and the run's text is gone.
    """
    tokenizer = model.tokenizer
    if files:
        paths = find_files(files, encoding=encoding)
        tokens = _tokens_of(model, paths, encoding, limit)
        name = ", ".join(path.name for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    else:
        tokens = np.asarray(model.corpus.held_out.tokens)
        name = "held-out text of the run"
        if limit is not None:
            tokens = tokens[: limit + 1]
    targets = tokens[1:]
    characters = len(tokenizer.decode(targets[targets != tokenizer.eod]))
    unknown = int((targets == tokenizer.unk).sum())
    extra = unknown * model.unknown_price()
    # `<unk>` decodes to five characters and stands for one
    characters -= unknown * (len(tokenizer.symbols[tokenizer.unk]) - 1)
    if not characters:
        raise InputError(f"{name}: nothing to measure, no character has one before it; give a longer text")
    nats = float(model.price(tokens, weights=weights).sum()) / characters
    lost = None
    if weights != "float32":
        lost = (nats - float(model.price(tokens).sum()) / characters) / math.log(2)
    compared: dict[str, float] | None = None
    learned = 0
    if baselines and model.run.data_folder.exists():
        compared, learned = _baselines(model, tokens, extra, characters)
    return Measurement(
        text=name,
        characters=characters,
        nats_per_character=nats,
        bits_per_character=nats / math.log(2),
        perplexity=math.exp(nats),
        unknown_characters=unknown,
        baselines=compared,
        trained_on=learned,
        weights=weights,
        lost=lost,
    )


def _tokens_of(
    model: TextModel, paths: Sequence[Path], encoding: str, limit: int | None
) -> NDArray[np.unsignedinteger]:
    tokenizer = model.tokenizer
    eod = np.array([tokenizer.eod], dtype=tokenizer.dtype)
    parts = [eod]
    for path in paths:
        parts += [tokenizer.encode(piece) for piece in read_text(path, encoding)]
        parts.append(eod)
        if limit is not None and sum(map(len, parts)) > limit:
            break
    tokens = np.concatenate(parts)
    if len(tokens) < 3:
        raise InputError("nothing to measure: the text is empty")
    return tokens if limit is None else tokens[: limit + 1]


def _baselines(
    model: TextModel, tokens: NDArray[np.unsignedinteger], extra: float, characters: int
) -> tuple[dict[str, float], int]:
    """Bits a character by each baseline, and how many tokens they learned from."""
    tokenizer = model.tokenizer
    training = np.asarray(model.corpus.train.tokens[-TRAINING_TOKENS:])

    def text_of(part: NDArray[np.unsignedinteger]) -> str:
        return tokenizer.decode(part[(part != tokenizer.eod) & (part != tokenizer.unk)])

    with ThreadPoolExecutor(2) as pool:
        compressed = pool.submit(lambda: xz_nats(text_of(training), text_of(tokens[1:])))
        counted = pool.submit(ngram_nats, training, tokens, len(tokenizer))
        nats = {name: value + extra for name, value in counted.result().items()}
        nats["xz"] = compressed.result() + extra
    return {name: value / math.log(2) / characters for name, value in nats.items()}, len(training)
