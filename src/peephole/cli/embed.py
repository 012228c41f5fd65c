"""`peephole embed tdnn|cbow|skipgram …`: dispatch by the first word."""

from peephole.cli.parsing import emit
from peephole.errors import InputError

KINDS = {
    "tdnn": "predict the next word from the projections of the last few (Bengio et al. 2003): a language model",
    "cbow": "a soft bag of words: the mean of the words around predicts the one in the middle (Mikolov et al. 2013)",
    "skipgram": "each word around predicts the one in the middle (Mikolov et al. 2013); better for rare words",
}


def run(words: list[str]) -> int:
    """Hand the words to the command of the kind."""
    if not words or words[0] in ("-h", "--help"):
        emit(_help())
        return 0
    kind = words[0]
    if kind == "tdnn":
        from peephole.cli.embed_tdnn import run as tdnn

        return tdnn(words[1:])
    if kind == "skipgram" or kind == "cbow":  # as the type checker can follow
        from peephole.cli.embed_words import run as learn

        return learn(kind, words[1:])
    raise InputError(f"embed {kind!r}; expected one of {', '.join(KINDS)}, for example peephole embed skipgram FILE")


def _help() -> str:
    width = max(map(len, KINDS))
    kinds = "\n".join(f"  {name.ljust(width)}   {summary}" for name, summary in KINDS.items())
    return (
        "Learn a vector for each word of a text: the projection of its one-hot vector.\n\n"
        f"usage: peephole embed KIND FILES [OPTIONS]     peephole embed KIND --help has the options\n\n{kinds}\n\n"
        "Next: peephole words RUN king man, --analogies FILE, --picture capitals.svg; and --vectors RUN to start a "
        "language model or a tagger from them.\n"
    )
