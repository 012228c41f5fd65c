"""The AWD-LSTM of Merity, Keskar & Socher 2018, "Regularizing and Optimizing LSTM Language Models" (arXiv 1708.02182).

Values are those of the code published with it, salesforce/awd-lstm-lm: the commands of its README, which are said to
be as good as the paper's or better, and the defaults of `main.py`. Left out are two runs of their own: fine-tuning
(`finetune.py`) and the cache (`pointer.py`; `peephole eval` has one). Two accidents of torch's ASGD are not repeated:
the rate of the step before, and an average without its first step.
"""

from peephole.tasks.text.presets.preset import Reasoned, TextPreset, preset


def _awd(name: str, corpus: str, differing: dict[str, Reasoned]) -> TextPreset:
    return preset(
        name,
        f"Merity, Keskar & Socher 2018, arXiv 1708.02182, for {corpus}: salesforce/awd-lstm-lm, README and main.py.",
        "word",
        {
            "vocabulary": (None, "data.py: every word of the text, whose rare ones are `<unk>` already."),
            "cell": ("lstm", "main.py --model, its default."),
            "layers": (3, "main.py --nlayers, its default."),
            "hidden_size": (1150, "main.py --nhid, its default."),
            "embedding_size": (400, "main.py --emsize, its default."),
            "narrow_last": (True, "model.py: the last layer is as wide as a word's vector, so that they can be tied."),
            "tied": (True, "main.py --tied, its default (Inan et al. 2017, Press & Wolf 2017)."),
            "softmax": ("full", "splitcross.py parts the softmax from 75,000 words on."),
            "output_dropout": (0.4, "main.py --dropout, after the last layer, its default."),
            "embedding_dropout": (0.1, "main.py --dropoute, its default."),
            "weight_drop": (0.5, "main.py --wdrop, on what is recurrent in each layer, its default."),
            "locked_dropout": (True, "locked_dropout.py: one mask for all steps of a window (Gal & Ghahramani 2016)."),
            "activation_penalty": (2.0, "main.py --alpha, on what dropout left of the last layer, its default."),
            "temporal_penalty": (1.0, "main.py --beta, on the last layer before dropout, its default."),
            "init": ("torch", "model.py leaves the layers as torch draws them."),
            "embedding_range": (0.1, "model.py, init_weights; the softmax's bias begins at zero."),
            "zipf_start": (False, "model.py, init_weights: the softmax's bias begins at zero."),
            "forget_bias": (None, "model.py leaves it as torch draws it."),
            "window": (70, "main.py --bptt, its default."),
            "vary_window": (True, "main.py, train: half of it with probability 0.05, then normal, the rate with it."),
            "carry": (True, "main.py, train: a window begins with the state that the one before it ended with."),
            "per": ("symbol", "main.py: the mean of all symbols of a window."),
            "optimizer": ("sgd", "main.py --optimizer, its default."),
            "momentum": (0.0, "main.py: plain."),
            "learning_rate": (30.0, "main.py --lr, its default."),
            "weight_decay": (1.2e-6, "main.py --wdecay, its default."),
            "schedule": ("constant", "main.py: the average takes the place of a smaller rate."),
            "warmup": (0, "main.py: none."),
            "clip_norm": (0.25, "main.py --clip, its default."),
            "clip_value": (None, "main.py: none."),
            "average_trigger": (5, "main.py --nonmono, its default."),
            "evaluations_per_epoch": (1, "main.py: at the end of each epoch."),
            "keep": ("best", "main.py keeps what was best on the validation part."),
            **differing,
        },
    )


PRESETS = (
    _awd(
        "awd-lstm-ptb",
        "the Penn Treebank",
        {
            "dropout": (0.25, "main.py --dropouth, between the layers: README (the paper has 0.3)."),
            "input_dropout": (0.4, "main.py --dropouti: README."),
            "batch_size": (20, "README, which says that the paper had 40."),
            "epochs": (500.0, "README."),
            "seed": (141, "README."),
        },
    ),
    _awd(
        "awd-lstm-wikitext-2",
        "WikiText-2",
        {
            "dropout": (0.2, "main.py --dropouth, between the layers: README."),
            "input_dropout": (0.65, "main.py --dropouti, its default."),
            "batch_size": (80, "main.py --batch_size, its default."),
            "epochs": (750.0, "README."),
            "seed": (1882, "README."),
        },
    ),
)
