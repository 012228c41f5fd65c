"""The net of Bengio et al. 2003, trained as it is done today; what `peephole embed tdnn` begins with."""

from peephole.tasks.text.presets.preset import preset

PRESETS = (
    preset(
        "tdnn",
        "Ours, for the net of Bengio, Ducharme, Vincent & Jauvin 2003 (JMLR 3), two million words and half an hour on "
        "two cores; compared on WikiText-2's valid.txt.",
        "word",
        {
            "minutes": (30.0, "What it is for."),
            "context": (10, "After 1.3 million words perplexity 293, with 5 words 300."),
            "direct": (False, "On the paper's smaller text it ended slightly better without (section 4.2)."),
            "layers": (1, "The paper's one tanh layer."),
            "hidden_size": (256, "As laptop; the output is then tied, which the paper's is not."),
            "embedding_size": (256, "As many as units, so that it is tied; the paper has 30 to 100."),
            "softmax": ("sampled", "As laptop; Bengio & Senécal drew samples for this net first."),
            "samples": (4096, "As laptop."),
            "zipf_start": (True, "As laptop."),
            "dropout": (0.25, "As laptop."),
            "input_dropout": (0.2, "As laptop."),
            "window": (35, "As laptop; without recurrence it only says how many words a step learns from."),
            "batch_size": (64, "As laptop."),
            "optimizer": ("adamw", "As laptop."),
            "learning_rate": (3e-3, "With 5 words, after 0.4 million perplexity 399, with 1e-3 523."),
            "warmup": (100, "Adam's first estimates are wild."),
            "schedule": ("cosine", "It ends low whatever the budget."),
            "precision": ("auto", "As laptop."),
            "clip_norm": (1.0, "As laptop."),
        },
    ),
)
