"""`WordsAndCharacters`: an input layer that reads words, and how they are spelled."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec

Rows = Int[Tensor, "time batch one_and_characters"]


class WordsAndCharacters(nn.Module):
    """Of each word a learned vector, and what a small recurrent net makes of its characters, read from both ends.

    Input `[T, B, 1 + C]` of integers: the word's number, and its characters' with zeros after the last. Numbers of
    words from `words` on have no vector of their own and share that of 0, the unknown word; while training,
    `word_dropout` of the others do so too, so that this vector learns, and the characters say what words are when the
    word is of no help (Kiperwasser & Goldberg 2016). The characters' net ends in the states at the last and, from the
    other side, the first character, side by side (Ling et al. 2015). It runs once over each spelling of a batch,
    however often the word stands there; rows without a character, as after the end of a sentence, are one of them.

    Output `[T, B, word_size + 2 · character_hidden]`.
    """

    def __init__(
        self,
        words: int,
        characters: int,
        word_size: int = 100,
        character_size: int = 32,
        character_hidden: int = 64,
        cell: str = "lstm",
        word_dropout: float = 0.2,
    ) -> None:
        """`words` and `characters` count the numbers that there are, 0 included."""
        super().__init__()
        sizes = {"words": words, "characters": characters, "word_size": word_size}
        sizes |= {"character_size": character_size, "character_hidden": character_hidden}
        for name, size in sizes.items():
            if size < 1:
                raise InputError(f"{name} is {size}; expected at least 1")
        if not 0.0 <= word_dropout < 1.0:
            raise InputError(f"word_dropout is {word_dropout}; expected 0 to below 1")
        self.word_dropout = word_dropout
        self.words = nn.Embedding(words, word_size)
        self.characters = nn.Embedding(characters, character_size)
        self.spelling = Recurrent(CellSpec(cell), character_size, character_hidden, bidirectional=True)
        self.width = word_size + 2 * character_hidden

    def enter(
        self, inputs: Rows, lengths: Int[Tensor, " batch"] | None = None
    ) -> tuple[Float[Tensor, "time batch width"], Tensor | None]:
        """As the class says; the lengths stay as they are."""
        if inputs.shape[-1] < 2:
            raise InputError(f"{inputs.shape[-1]} numbers a word; expected its own and those of its characters")
        steps, batch = inputs.shape[:2]
        rows = inputs.flatten(0, 1)  # [T·B, 1 + C]
        numbers = torch.where(rows[:, 0] < self.words.num_embeddings, rows[:, 0], 0)
        if self.training and self.word_dropout:
            numbers = numbers * (torch.rand(numbers.shape, device=numbers.device) >= self.word_dropout)
        both = torch.cat([self.words(numbers), self._spelled(rows[:, 1:])], -1)
        return both.unflatten(0, (steps, batch)), lengths

    def _spelled(self, characters: Int[Tensor, "words characters"]) -> Float[Tensor, "words width"]:
        """Every spelling is read once; of a compiled graph, which cannot look at values, every word."""
        if torch.compiler.is_compiling():
            return self._read(characters)
        spellings, places = torch.unique(characters, dim=0, return_inverse=True)
        longest = int((spellings != 0).sum(1).max()) if len(spellings) else 0
        return self._read(spellings[:, : max(1, longest)])[places]

    def _read(self, spellings: Int[Tensor, "spellings characters"]) -> Float[Tensor, "spellings width"]:
        ends = (spellings != 0).sum(1)
        _, finals = self.spelling(spellings.t().contiguous(), lengths=ends, embedding=self.characters.weight)
        hidden = finals if isinstance(finals, Tensor) else finals[0]  # [2, spellings, H]
        return hidden.transpose(0, 1).flatten(1)
