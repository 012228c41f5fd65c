"""Language models as they are before training."""

import torch

from peephole.data.tokenizer import Tokenizer
from peephole.models.language.model import LanguageModel
from peephole.models.language.time_delay import language_model
from peephole.runs.folder import Run
from peephole.tasks.beginning import Start, start_of
from peephole.tasks.config import TextTask


def new_model(task: TextTask, tokenizer: Tokenizer, start: Start | None = None) -> LanguageModel:
    """An untrained net for the task, with the vectors that it is to start from, where there are any."""
    torch.manual_seed(task.training.seed)
    model = language_model(len(tokenizer), task.model, ranked=tokenizer.kind == "word")
    if start is not None:
        start.give(model.embedding)
    return model


def start_for(run: Run, task: TextTask, tokenizer: Tokenizer) -> Start | None:
    """The vectors that a net starts from, if any."""
    return start_of(run, task, _names(tokenizer))


def _names(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The words that symbols are: of pieces, those that begin one are."""
    if tokenizer.kind != "bpe":
        return tuple(tokenizer.symbols)
    return tuple(symbol[1:] if symbol.startswith(" ") else "" for symbol in tokenizer.symbols)
