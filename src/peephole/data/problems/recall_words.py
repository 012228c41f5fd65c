"""The words of `recall`: names, the pronouns that go back to them, and sentences in which nobody is named."""

import itertools
from functools import cache

import numpy as np
from numpy.typing import NDArray

CUE = "then"

# Whoever is named, by the pronoun that will go back to them.
NAMES = {
    "she": ("jane", "mary", "anna", "emma", "alice", "clara", "ruth", "nora"),
    "he": ("john", "peter", "paul", "henry", "james", "david", "oscar", "tom"),
    "they": ("neighbours", "twins", "friends", "students", "teachers", "visitors", "musicians", "players"),
}

# Words that can stand in place of one in capitals.
SLOTS = {
    "HAD": ("had", "ordered", "enjoyed", "finished", "paid"),
    "QUICK": ("quick", "late", "light", "cheap", "warm", "cold", "small"),
    "LUNCH": ("lunch", "breakfast", "supper", "snack", "coffee", "soup"),
    "BISTRO": ("bistro", "market", "station", "museum", "library", "harbour", "garden", "bakery"),
    "NEAR": ("in", "near", "behind", "opposite"),
    "RAIN": ("rain", "snow", "fog", "sunlight", "dust", "smoke"),
    "FELL": ("fell", "hung", "drifted", "lay"),
    "TRAM": ("tram", "bus", "train", "taxi", "cart"),
    "STOPPED": ("stopped", "waited", "passed", "turned"),
    "DISH": ("bread", "soup", "cheese", "salad", "cake", "tea", "coffee"),
    "OPENED": ("opened", "closed"),
    "EARLY": ("early", "late", "again", "today", "yesterday"),
}

# What follows a name, and the sentences that can follow that. No person, no pronoun, and no cue.
OPENING = "HAD a QUICK LUNCH NEAR the BISTRO ."
SENTENCES = (
    "RAIN FELL over the BISTRO .",
    "a TRAM STOPPED NEAR the BISTRO .",
    "the DISH was QUICK .",
    "there was no DISH left NEAR the BISTRO .",
    "the BISTRO OPENED EARLY .",
    "the DISH and a QUICK LUNCH were on sale EARLY .",
)


@cache
def vocabulary(patterns: int) -> tuple[str, ...]:
    """Every word: the cue, the names of so many pronouns, and what the sentences are made of."""
    names = itertools.chain.from_iterable(list(NAMES.values())[:patterns])
    written = " ".join((OPENING, *SENTENCES)).split()
    others = itertools.chain.from_iterable(SLOTS.get(word, (word,)) for word in written)
    return tuple(dict.fromkeys([CUE, *names, *others]))


@cache
def variants(template: str, patterns: int) -> list[NDArray[np.int64]]:
    """Each sentence that a template stands for, as places in `vocabulary(patterns)`."""
    place = {word: number for number, word in enumerate(vocabulary(patterns))}
    choices = [SLOTS.get(word, (word,)) for word in template.split()]
    return [np.array([place[word] for word in sentence]) for sentence in itertools.product(*choices)]


def filler(random: np.random.Generator, steps: int, patterns: int) -> NDArray[np.int64]:
    """`steps` words that tell nothing of the name: an opening, then sentences, the first of them cut at its front."""
    openings, *others = (variants(template, patterns) for template in (OPENING, *SENTENCES))
    words = [openings[random.integers(len(openings))]]
    missing = steps - len(words[0])
    if missing > 0:
        enough = -(-missing // min(len(ways[0]) for ways in others))
        templates, places = random.integers(len(others), size=enough), random.random(enough)
        for template, place in zip(templates.tolist(), places.tolist(), strict=True):
            ways = others[template]
            words.insert(1, ways[int(place * len(ways))][-missing:])
            missing -= len(words[1])
            if not missing:
                break
    joined = np.concatenate(words)
    return joined[len(joined) - steps :]
