"""Properties are what they are called."""

import pytest

from peephole.units.properties import PROPERTIES, Text
from peephole.units.scanning import scan
from peephole.units.syntax import Syntax, syntax_of


def values(name: str, text: str, syntax: Syntax = "hash") -> list[float]:
    (found,) = [one for one in PROPERTIES if one.name == name]
    return found.values(Text.of(text, syntax)).tolist()


def marks(text: str, syntax: Syntax, what: str) -> str:
    """The text with a _ in place of each character at which it does not hold."""
    held = getattr(scan(text, syntax), what)
    return "".join(character if holds else "_" for character, holds in zip(text, held, strict=True))


@pytest.mark.parametrize(
    ("syntax", "text", "inside"),
    [
        ("prose", 'He said "no" it\'s', '________"no______'),
        ("prose", "„a“ «b» “c”", "„a__«b__“c_"),
        ("prose", 'left "open\n\nnew', '_____"open\n____'),
        ("hash", "a = 'x\\'y' + \"z\"", "____'x\\'y____\"z_"),
        ("hash", "it's\nb", "__'s__"),
        ("hash", "# it's\n'a'", "_______'a_"),
        ("hash", '"a # b"', '"a # b_'),
        ("slashes", "f('\"') /* ' */ 'b'", "__'\"___________'b_"),
        ("hash", '"a␄b"', '"a__"'),
    ],
)
def test_inside_quotes(syntax: Syntax, text: str, inside: str) -> None:
    assert marks(text, syntax, "quoted") == inside


def test_inside_triple_quotes() -> None:
    text, inside = '"""a "b"\nc""" "d"', '"""a "b"\nc_______'
    assert marks(text, "hash", "threefold") == inside
    assert marks(text, "hash", "quoted") == "_" * 14 + '"d_'
    assert not scan(text, "slashes").threefold.any()


@pytest.mark.parametrize(
    ("syntax", "text", "inside"),
    [
        ("hash", "a # b\nc '#'", "__# b______"),
        ("slashes", "a // b\nc /* d\n */ # e", "__// b___/* d\n ______"),
        ("prose", "# a // b", "________"),
        ("hash", "# a␄b", "# a__"),
    ],
)
def test_inside_a_comment(syntax: Syntax, text: str, inside: str) -> None:
    assert marks(text, syntax, "comment") == inside


def test_brackets_count_outside_of_strings_and_never_below_zero() -> None:
    assert values("bracket depth", "(a[')'])])(") == [1, 1, 2, 2, 2, 2, 1, 0, 0, 0, 1]
    assert values("bracket depth", '("(")', "prose") == [1, 1, 2, 2, 1]
    assert values("bracket depth", "((␄(") == [1, 2, 0, 1]


def test_lines_and_words() -> None:
    assert values("position in the line", "ab\n\ncd␄e") == [1, 2, 0, 0, 1, 2, 0, 1]
    assert values("position in the word", "ab c_1-d") == [1, 2, 0, 1, 2, 3, 0, 1]
    assert values("length of the word", "ab c_1-d") == [2, 2, 0, 3, 3, 3, 0, 1]
    assert values("indentation of the line", " a  b\n\t c\n\n  ") == [1, 1, 1, 1, 1, 0, 1, 2, 2, 0, 0, 1, 2]
    assert values("digit", "a1é٣") == [0, 1, 0, 1]
    assert values("capital letter", "aBÉ1") == [0, 1, 1, 0]
    assert values("blank", "a \n\t.") == [0, 1, 1, 1, 0]
    assert all(len(one.values(Text.of("", "prose"))) == 0 for one in PROPERTIES)


def test_the_kind_of_text_is_seen_from_its_lines() -> None:
    prose = "It was (as they said) a day; nobody\nknew of it.\nA = 1 was written there,\nand nothing else:\n" * 5
    python = "def f(a):\n    return g(a)\n\n# that\nx = f(1)\n" * 5
    c = "int f(int a) {\n  return g(a);\n}\n// that\n" * 5
    assert [syntax_of(text) for text in (prose, python, c, "")] == ["prose", "hash", "slashes", "prose"]
