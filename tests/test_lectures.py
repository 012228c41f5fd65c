"""The pages of the lectures: whole, and what they show runs. `python docs/lectures/make.py` makes them."""

import re
import warnings
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[1] / "docs" / "lectures"
PAGES = sorted(FOLDER.glob("[0-9][0-9]-*.md"))
MODULES = sorted(path.stem for path in (FOLDER / "pages").glob("*.py"))


def names(pages: list[Path]) -> list[str]:
    return [page.stem[3:] for page in pages]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_page_is_made_and_listed() -> None:
    assert sorted(names(PAGES)) == MODULES, "run `python docs/lectures/make.py`"
    assert [int(page.stem[:2]) for page in PAGES] == list(range(1, len(PAGES) + 1))
    assert re.findall(r"^\d+\. \[.+?\]\((.+?)\)", text_of(FOLDER / "README.md"), re.MULTILINE) == [
        page.name for page in PAGES
    ]


def test_every_picture_is_there_and_shown() -> None:
    shown = [picture for page in PAGES for picture in re.findall(r"!\[.+?\]\(images/(.+?)\)", text_of(page))]
    assert sorted(shown) == sorted(path.name for path in (FOLDER / "images").iterdir())
    for name in shown:
        content = (FOLDER / "images" / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) <= 120_000


def test_every_link_leads_somewhere() -> None:
    for page in [*PAGES, FOLDER / "README.md"]:
        text = re.sub(r"^```.*?^```|`[^`\n]+`", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, anchor = link.partition("#")
            if ":" in file:
                continue
            target = FOLDER / file if file else page
            assert target.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


def anchors(page: Path) -> set[str]:
    """What a heading is called in a link."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_poll_is_answered() -> None:
    headings = [line for page in PAGES for line in text_of(page).splitlines() if line.startswith("#")]
    for number in (1, 2, 3, 4):
        assert any(re.search(rf"\bPoll {number}\b", heading) for heading in headings), number


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_snippets_run(page: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)
    assert blocks
    found: dict[str, object] = {}
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in blocks:
            exec(compile(block, page.name, "exec"), found)
