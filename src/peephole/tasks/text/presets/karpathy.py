"""Characters as Karpathy, Johnson & Fei-Fei 2015 learnt them, "Visualizing and Understanding Recurrent Networks".

Values are those of the code of that time, karpathy/char-rnn, `train.lua`: its defaults, and the larger net of its
Readme. The paper (arXiv 1506.02078) crosses one to three layers with four sizes; `--layers` and `--hidden-size` do so
here. Its input is one-hot. Here each character has a learnt vector: the first layer's input matrix is a product.
"""

from peephole.tasks.text.presets.preset import Reasoned, TextPreset, preset

DEFAULT = "train.lua, its default."


def _characters(name: str, source: str, differing: dict[str, Reasoned]) -> TextPreset:
    return preset(
        name,
        f"Karpathy, Johnson & Fei-Fei 2015, arXiv 1506.02078, by karpathy/char-rnn: {source}.",
        "char",
        {
            "held_out": (0.05, "train.lua -val_frac, its default."),
            "cell": ("lstm", "train.lua -model, its default."),
            "layers": (2, "train.lua -num_layers, its default."),
            "tied": (False, "model/LSTM.lua: the decoder has a matrix of its own."),
            "softmax": ("full", "model/LSTM.lua; characters are few."),
            "input_dropout": (0.0, "model/LSTM.lua: none before the first layer."),
            "embedding_dropout": (0.0, "model/LSTM.lua: none."),
            "locked_dropout": (False, "model/LSTM.lua: drawn anew at each step."),
            "weight_drop": (0.0, "model/LSTM.lua: none."),
            "activation_penalty": (0.0, "train.lua: none."),
            "temporal_penalty": (0.0, "train.lua: none."),
            "narrow_last": (False, "model/LSTM.lua: layers of one size."),
            "init": ("uniform", "train.lua draws every parameter so."),
            "initial_range": (0.08, "train.lua."),
            "embedding_range": (None, "There are no vectors in char-rnn; drawn as the rest."),
            "zipf_start": (False, "train.lua draws the decoder's bias as the rest."),
            "forget_bias": (1.0, "train.lua sets it after drawing."),
            "batch_size": (50, "train.lua -batch_size, its default."),
            "window": (50, "train.lua -seq_length, its default."),
            "vary_window": (False, "train.lua: none."),
            "carry": (True, "train.lua: a window begins with the state that the one before it ended with."),
            "per": ("row", "train.lua sums over the steps: it matters for --clip-value alone, RMSprop divides it out."),
            "optimizer": ("rmsprop", "train.lua: optim.rmsprop."),
            "beta2": (0.95, "train.lua -decay_rate, its default."),
            "momentum": (0.0, "optim.rmsprop has none."),
            "learning_rate": (2e-3, "train.lua -learning_rate, its default."),
            "weight_decay": (0.0, "train.lua: none."),
            "epochs": (50.0, "train.lua -max_epochs, its default."),
            "schedule": ("epochs", "train.lua."),
            "flat_epochs": (10, "train.lua -learning_rate_decay_after, its default."),
            "decay": (0.97, "train.lua -learning_rate_decay, its default."),
            "warmup": (0, "train.lua: none."),
            "clip_norm": (None, "train.lua: none."),
            "clip_value": (5.0, "train.lua -grad_clip, its default, of each entry."),
            "average_trigger": (0, "train.lua: none."),
            "evaluate_every": (1000, "train.lua -eval_val_every, its default."),
            "keep": ("best", "Readme: take the checkpoint that is best on the validation part."),
            "seed": (123, "train.lua -seed, its default."),
            **differing,
        },
    )


PRESETS = (
    _characters(
        "karpathy-characters",
        "the defaults of train.lua",
        {
            "hidden_size": (128, "train.lua -rnn_size, its default."),
            "embedding_size": (128, "Ours: wide enough for each of about a hundred characters to be apart."),
            "dropout": (0.0, "train.lua -dropout, its default."),
            "output_dropout": (0.0, "train.lua -dropout, its default."),
        },
    ),
    _characters(
        "karpathy-characters-512",
        "the larger net of the Readme's example",
        {
            "hidden_size": (512, "Readme, -rnn_size 512."),
            "embedding_size": (128, "Ours: wide enough for each of about a hundred characters to be apart."),
            "dropout": (0.5, "Readme, -dropout 0.5: between the layers, model/LSTM.lua."),
            "output_dropout": (0.5, "Readme, -dropout 0.5: before the decoder too, model/LSTM.lua."),
        },
    ),
)
