"""The LSTMs that Bai, Kolter & Koltun 2018 compare their TCN with (arXiv 1803.01271): table 3 of appendix A.2.

It has the key settings only: layers, units, dropout, the longest gradient, the forget gate's bias, and notes. Where it
is silent we take what the code published with it, locuslab/TCN, does for the TCN on the same text, and else our own;
the reasons say which. Its rows for WikiText-103 and LAMBADA give no values but name Grave et al. 2017. `ROWS` has those
of other tasks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from peephole.tasks.text.presets.preset import Reasoned, TextPreset, preset

TABLE = "Table 3."
SILENT = "Ours; the paper does not say."
DROPOUT = "Table 3, which does not say where: ours are the outputs of each layer."


def _tcn(name: str, text: str, tokens: Literal["char", "word"], differing: dict[str, Reasoned]) -> TextPreset:
    return preset(
        name,
        f"Bai, Kolter & Koltun 2018, arXiv 1803.01271, table 3: LSTM, {text}; open values by locuslab/TCN, or ours.",
        tokens,
        {
            "cell": ("lstm", TABLE),
            "softmax": ("full", SILENT),
            "input_dropout": (0.0, SILENT),
            "embedding_dropout": (0.0, SILENT),
            "locked_dropout": (False, SILENT),
            "weight_drop": (0.0, SILENT),
            "activation_penalty": (0.0, SILENT),
            "temporal_penalty": (0.0, SILENT),
            "narrow_last": (False, TABLE),
            "init": ("torch", "The paper does not say; torch's, in which its code is written."),
            "embedding_range": (0.1, "Ours, as in the code of Merity et al. 2018; the paper does not say."),
            "zipf_start": (False, SILENT),
            "vary_window": (False, SILENT),
            "carry": (True, "Ours, as is usual for an LSTM; the paper does not say."),
            "per": ("symbol", "The means of torch's losses, in which its code is written."),
            "momentum": (0.0, SILENT),
            "weight_decay": (0.0, SILENT),
            "epochs": (100.0, "The TCN's: word_cnn_test.py and char_cnn_test.py --epochs, their default."),
            "schedule": (
                "plateau",
                "Nearly the TCN's, whose rate falls once a validation is no better than the worst of the last few.",
            ),
            "warmup": (0, SILENT),
            "clip_value": (None, SILENT),
            "average_trigger": (0, SILENT),
            "evaluations_per_epoch": (1, "The TCN's: at the end of each epoch."),
            "keep": ("best", "The TCN's: what was best on the validation part."),
            **differing,
        },
    )


PRESETS = (
    _tcn(
        "tcn-lstm-ptb-words",
        "words of the Penn Treebank",
        "word",
        {
            "layers": (3, TABLE),
            "hidden_size": (700, TABLE),
            "embedding_size": (700, "Table 3, note."),
            "tied": (True, "The TCN's: word_cnn_test.py --tied, its default."),
            "dropout": (0.4, DROPOUT),
            "forget_bias": (1.0, TABLE),
            "optimizer": ("sgd", "Table 3, note."),
            "learning_rate": (30.0, "Table 3, note."),
            "clip_norm": (0.3, TABLE),
            "batch_size": (16, "The TCN's: word_cnn_test.py --batch_size, its default."),
            "window": (40, "The TCN's: word_cnn_test.py --validseqlen, its default."),
        },
    ),
    _tcn(
        "tcn-lstm-ptb-characters",
        "characters of the Penn Treebank",
        "char",
        {
            "layers": (2, TABLE),
            "hidden_size": (600, TABLE),
            "embedding_size": (120, "Table 3, note."),
            "tied": (False, SILENT),
            "dropout": (0.1, DROPOUT),
            "forget_bias": (None, "Table 3 names none; as torch draws it."),
            "optimizer": ("adam", "Ours: one of the four that the paper tried; it does not say which."),
            "learning_rate": (2e-3, SILENT),
            "clip_norm": (0.5, TABLE),
            "batch_size": (32, "The TCN's: char_cnn_test.py --batch_size, its default."),
            "window": (320, "The TCN's: char_cnn_test.py --validseqlen, its default."),
        },
    ),
    _tcn(
        "tcn-lstm-text8",
        "characters of text8",
        "char",
        {
            "layers": (1, TABLE),
            "hidden_size": (1024, TABLE),
            "embedding_size": (100, "The TCN's: char_cnn_test.py --emsize, its default."),
            "tied": (False, SILENT),
            "dropout": (0.15, DROPOUT),
            "forget_bias": (None, "Table 3 names none; as torch draws it."),
            "optimizer": ("adam", "Table 3, note."),
            "learning_rate": (1e-2, "Table 3, note."),
            "clip_norm": (0.5, TABLE),
            "batch_size": (32, "The TCN's: char_cnn_test.py --batch_size, its default."),
            "window": (320, "The TCN's: char_cnn_test.py --validseqlen, its default."),
        },
    ),
)


@dataclass(frozen=True)
class Row:
    """A row of table 3 that is no text: its task there, its values by the names that they have here, and its note."""

    task: str
    settings: Mapping[str, Any]
    note: str = ""


def _row(
    task: str,
    layers: int,
    hidden_size: int,
    dropout: float,
    clip_norm: float,
    forget_bias: float | None,
    note: str = "",
    **training: Any,
) -> Row:
    net = {"layers": layers, "hidden_size": hidden_size, "dropout": dropout, "forget_bias": forget_bias}
    return Row(task, {**net, "clip_norm": clip_norm, **training}, note)


ROWS = (
    _row("adding, T = 200", 2, 77, 0.0, 50.0, 5.0, optimizer="sgd", learning_rate=1e-3),
    _row("adding, T = 400", 2, 77, 0.0, 50.0, 10.0, optimizer="adam", learning_rate=2e-3),
    _row("adding, T = 600", 1, 130, 0.0, 5.0, 1.0, "no optimiser named"),
    _row("sequential MNIST", 1, 130, 0.0, 1.0, 1.0, optimizer="rmsprop", learning_rate=1e-3),
    _row("permuted MNIST", 1, 130, 0.0, 1.0, 10.0, optimizer="rmsprop", learning_rate=1e-3),
    _row("copy memory, T = 500", 1, 50, 0.05, 0.25, None, "RMSprop or Adam"),
    _row("copy memory, T = 1000", 1, 50, 0.05, 1.0, None, "RMSprop or Adam"),
    _row("copy memory, T = 2000", 3, 28, 0.05, 1.0, None, "RMSprop or Adam"),
    _row("JSB chorales", 2, 200, 0.2, 1.0, 10.0, "SGD or Adam"),
    _row("Nottingham, three layers", 3, 280, 0.1, 0.5, None, optimizer="adam", learning_rate=4e-3),
    _row("Nottingham, one layer", 1, 500, 0.1, 1.0, None, optimizer="adam", learning_rate=4e-3),
)
