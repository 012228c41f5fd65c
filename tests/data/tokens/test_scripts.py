"""Text without spaces between words is told by its letters, and nothing else is taken for it."""

import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from peephole.data.tokens.scripts import refuse_without_spaces
from peephole.errors import InputError

CHINESE = "每个人都有受教育的权利,教育应当免费。\n教育的目的在于充分发展人的个性。\n"
JAPANESE = "すべて人は、教育を受ける権利を有する。 教育は、無償でなければならない。\n"
THAI = "ทุกคนมีสิทธิในการศึกษา การศึกษาจะต้องให้เปล่าอย่างน้อยในชั้นประถมศึกษา\n"
POEM = "床前明月光\n疑是地上霜\n举头望明月\n低头思故乡\n"


def check(text: str) -> None:
    refuse_without_spaces(Counter(text), [text])


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, THAI, POEM, CHINESE + "about education\n"])
def test_such_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"without spaces between words, .* pass --tokens bpe") as caught:
        check(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "每 个 人 都 有 受 教育 的 权利 , 教育 应当 免费 。",  # somebody has put spaces
        "ทุก คน มี สิทธิ ใน การ ศึกษา การ ศึกษา จะ ต้อง ให้ เปล่า อย่าง น้อย",
        "모든 사람은 교육을 받을 권리를 가진다",
        "Rechtsschutzversicherungsgesellschaften Donaudampfschifffahrtselektrizitätenhauptbetriebswerk",
        "https://example.org/a/very/long/path?with=arguments&and=more#than-enough",
        "x=lambda*a:[f(b)for(b)in(a)if(b)];y=x(*range(10))",
        "हर व्यक्ति को शिक्षा का अधिकार है",
        "The word 教育 is Chinese for education, and 日本語 is Japanese",
        "0123456789" * 50,
        "",
    ],
)
def test_other_text_is_not(text: str) -> None:
    check(text)


def test_source_is_not() -> None:
    check(Path(sysconfig.get_path("stdlib"), "argparse.py").read_text())
