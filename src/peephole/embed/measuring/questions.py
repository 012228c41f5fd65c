"""Files of analogy questions, as word2vec brought them: `: section` lines, and four words a line."""

from dataclasses import dataclass
from pathlib import Path

from peephole.embed.measuring.reading_lines import numbered_lines
from peephole.errors import InputError

Question = tuple[str, str, str, str]
EXPECTED = "analogy questions, `: section` lines and four words a line, as in questions-words.txt"
SYNTACTIC = "gram"  # what the names of sections on grammar begin with; all others are on meaning


@dataclass(frozen=True)
class Section:
    """Questions of one kind: a is to b as c is to d."""

    name: str
    questions: tuple[Question, ...]

    @property
    def syntactic(self) -> bool:
        """Whether they ask for a form of a word, rather than for what it means."""
        return self.name.startswith(SYNTACTIC)


def read_questions(path: Path) -> tuple[Section, ...]:
    """The sections of a file in its order; those without a question are left out.

    Raises:
        InputError: a file that cannot be read, holds no question, begins without a section, or has a line of other
            than four words.
    """
    found: list[tuple[str, list[Question]]] = []
    for number, line in numbered_lines(path, EXPECTED):
        if line.startswith(":"):
            found.append((line[1:].strip(), []))
            continue
        if not found:
            raise InputError(f"{path}: line {number:,}, {_cut(line)!r}, stands before any section; expected {EXPECTED}")
        match line.split():
            case [one, two, three, four]:
                found[-1][1].append((one, two, three, four))
            case words:
                raise InputError(
                    f"{path}: line {number:,}, {_cut(line)!r}, has {len(words)} word{'s' * (len(words) != 1)}; "
                    "expected four, a b c d for a is to b as c is to d"
                )
    sections = tuple(Section(name, tuple(questions)) for name, questions in found if questions)
    if not sections:
        raise InputError(f"{path}: no question in it; expected {EXPECTED}")
    return sections


def _cut(line: str) -> str:
    return line if len(line) <= 60 else f"{line[:60]}…"
