"""Text of anybody's making: everything is seen, nothing moves what stands beside it."""

import unicodedata

import pytest

from peephole.report.showing import clusters, lines_of, plain_lines, visible_text


@pytest.mark.parametrize(
    ("character", "shown"),
    [
        ("\0", "␀"),
        ("\x1b", "␛"),
        ("\r", "␍"),
        ("\x7f", "␡"),
        ("\x85", "[U+0085]"),
        ("\u202e", "[U+202E]"),
        ("\u2066", "[U+2066]"),
        ("\ufeff", "[U+FEFF]"),
        ("\ufffe", "[U+FFFE]"),
        ("\ud800", "[U+D800]"),
        ("a", "a"),
        ("é", "é"),
        ("𝄞", "𝄞"),
        ("ש", "ש"),
        ("\n", "\n"),
    ],
)
def test_what_cannot_be_seen_is_shown(character: str, shown: str) -> None:
    assert visible_text(character) == shown


def test_no_character_that_steers_or_controls_is_left_in_all_of_unicode() -> None:
    steering = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN", "B", "S")

    def moves(character: str) -> bool:
        return unicodedata.bidirectional(character) in steering or unicodedata.category(character) in ("Cc", "Zl", "Zp")

    moving = [chr(code) for code in range(0x110000) if moves(chr(code))]
    assert len(moving) > 100
    assert {character for character in visible_text("".join(moving)) if moves(character)} == {
        "\n",
        "\t",
        "\u200c",  # joiners belong to the letters around them
        "\u200d",
    }


def test_marks_stay_with_their_letter_and_symbols_of_several_steps_count_together() -> None:
    found = clusters(["e", "\u0301", "", "", "€", "a", "\u200d", "b"])
    assert [(one.text, one.start, one.end) for one in found] == [
        ("e\u0301", 0, 2),
        ("€", 2, 5),
        ("a\u200db", 5, 8),
    ]


def test_a_mark_does_not_join_the_line_before() -> None:
    assert [one.text for one in clusters(["\n", "\u0301", "x"])] == ["\n", "\u0301", "x"]


def test_lines_keep_every_character_and_neighbours_of_one_class_together() -> None:
    lines = lines_of([("s1", "a"), ("s1", "b"), ("", "c"), ("s1", "\n"), ("", "\t"), ("", "d")])
    assert lines == ((("s1", "ab"), ("", "c"), ("s1", "⏎")), (("", "⇥\td"),))
    assert plain_lines("a\0\nb") == ((("", "a␀"),), (("", "b"),))
