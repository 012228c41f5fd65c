"""Interpolated modified Kneser-Ney as its paper writes it, with dictionaries, recursion and fractions."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

BEGIN, END = "<s>", "</s>"
Token = int | str | None


class ByHand:
    """Chen and Goodman 1999, section 4.1.6 and equation 26; counts of what `<s>` begins as SRILM and KenLM have them.

    `texts` are sentences, which get `<s>` and `</s>`, or one stream. `size` tokens can come, with `</s>` among them.
    """

    def __init__(self, texts: Sequence[Sequence[int]], size: int, order: int, sentences: bool) -> None:
        self.size, self.order = size, order
        padded: list[list[Token]] = [[BEGIN, *text, END] if sentences else [None, *text] for text in texts]
        self.counts: list[dict[tuple[Token, ...], int]] = []
        for length in range(1, order + 1):
            often: Counter[tuple[Token, ...]] = Counter()
            before: defaultdict[tuple[Token, ...], set[Token]] = defaultdict(set)
            for text in padded:
                for start in range(len(text) - length + 1):
                    gram = tuple(text[start : start + length])
                    if gram[0] is None or gram == (BEGIN,):
                        continue
                    often[gram] += 1
                    if start:
                        before[gram].add(text[start - 1])
            raw = {gram for gram in often if length == order or gram[0] == BEGIN}
            self.counts.append({gram: often[gram] if gram in raw else len(before[gram]) for gram in often})
        self.discounts = [self._discounts(list(counts.values())) for counts in self.counts]
        self.after: list[dict[tuple[Token, ...], list[int]]] = []
        for counts in self.counts:
            after: defaultdict[tuple[Token, ...], list[int]] = defaultdict(list)
            for gram, count in counts.items():
                after[gram[:-1]].append(count)
            self.after.append(after)
        self.probability = cache(self._probability)

    @staticmethod
    def _discounts(counts: list[int]) -> list[Fraction]:
        n = [sum(count == number for count in counts) for number in range(5)]
        if not n[1] or not n[2]:
            return [Fraction(0), *[Fraction(1, 2)] * 3]
        y = Fraction(n[1], n[1] + 2 * n[2])
        if min(n[1:]) >= 10:
            found = [number - (number + 1) * y * Fraction(n[number + 1], n[number]) for number in (1, 2, 3)]
            if all(0 < each <= number for number, each in enumerate(found, 1)):
                return [Fraction(0), *found]
        return [Fraction(0), y, y, y]

    def _probability(self, context: tuple[Token, ...], token: Token) -> Fraction:
        """p of a token after all of a context that is as long as it should be."""
        length = len(context) + 1
        shorter = self.probability(context[1:], token) if context else Fraction(1, self.size)
        followers = self.after[length - 1].get(context)
        if not followers:
            return shorter
        discounts = self.discounts[length - 1]
        count = self.counts[length - 1].get((*context, token), 0)
        left = sum(discounts[min(each, 3)] for each in followers)
        return (count - discounts[min(count, 3)] + left * shorter) / sum(followers)
