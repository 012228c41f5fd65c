"""Ours: words of a text of some megabytes, in half an hour on two cores."""

from peephole.tasks.text.presets.preset import preset

PRESETS = (
    preset(
        "laptop",
        "Ours, for two million words and half an hour on two cores; compared with others on WikiText-2's valid.txt.",
        "word",
        {
            "minutes": (30.0, "What it is for."),
            "layers": (2, "As most language models of this size."),
            "hidden_size": (256, "400 learnt no faster from the first million words and take twice the time."),
            "embedding_size": (256, "As many as units, so that it can be tied."),
            "tied": (True, "Press & Wolf 2017: half of the parameters, and rare words learn at both ends."),
            "softmax": ("sampled", "After half a million words perplexity 353, adaptive 358, and a fifth faster."),
            "samples": (
                4096,
                "1024 learnt as well from the first 0.4 million words; a whole training was tried with this.",
            ),
            "zipf_start": (True, "After 0.4 million words of a smaller net perplexity 458 in place of 772."),
            "locked_dropout": (True, "Gal & Ghahramani 2016."),
            "dropout": (0.25, "Some fifteen passes over two million words are many for ten million parameters."),
            "input_dropout": (0.2, "Less than elsewhere, for it hides words."),
            "window": (35, "As the larger nets of Zaremba et al. 2014."),
            "batch_size": (64, "A step of 64 rows takes a quarter more time than one of 32."),
            "optimizer": ("adamw", "After 0.6 million words perplexity 420, where SGD at rate 1 has 485."),
            "learning_rate": (
                3e-3,
                "A smaller net learnt faster at first with 1e-2; a whole training was tried with this.",
            ),
            "warmup": (100, "Adam's first estimates are wild."),
            "schedule": ("cosine", "It ends low whatever the budget."),
            "precision": (
                "auto",
                "A step takes half to two thirds of the time in bfloat16 where the processor is fast at it.",
            ),
            "clip_norm": (1.0, "Four times the usual length of the gradient."),
        },
    ),
)
