"""The page as a browser shows it. Skipped where Playwright, Chromium or axe-core are missing; nothing is fetched.

`PEEPHOLE_AXE` names axe.min.js (else it is looked for in node_modules), `PEEPHOLE_CHROMIUM` the browser.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peephole import report

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def axe() -> str:
    """The script that looks for barriers."""
    named = os.environ.get("PEEPHOLE_AXE")
    path = Path(named) if named else PROJECT / "node_modules/axe-core/axe.min.js"
    if not path.is_file():
        pytest.skip(f"no axe-core at {path} (PEEPHOLE_AXE names another place)")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = os.environ.get("PEEPHOLE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium (PEEPHOLE_CHROMIUM names one)")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page_path(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    report.write(report.look_at(trained), path)
    return path


class Visit:
    """A page open in a browser, and everything that it asked for or complained of."""

    def __init__(self, browser: Any, path: Path, width: int = 1600, scheme: str = "light", script: bool = True) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        size = {"width": width, "height": 900}
        self.context = browser.new_context(color_scheme=scheme, viewport=size, java_script_enabled=script)
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_no_request_no_complaint_no_barrier(browser: Any, axe: str, page_path: Path, width: int, scheme: str) -> None:
    with Visit(browser, page_path, width, scheme) as visit:
        asked = [url for url in visit.asked if not url.startswith("data:")]
        assert asked == [page_path.as_uri()]
        assert visit.complaints == []
        assert visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        visit.page.evaluate(axe)
        violations = visit.page.evaluate("axe.run(document)")["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == []


def test_colours_follow_the_system_and_the_button(browser: Any, page_path: Path) -> None:
    with Visit(browser, page_path, scheme="dark") as visit:

        def ground() -> str:
            return visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

        dark = ground()
        button = visit.page.locator("#theme")
        assert button.inner_text() == "Light colours"
        button.click()
        assert ground() == "rgb(255, 255, 255)" != dark
        assert button.inner_text() == "Dark colours"
        visit.page.emulate_media(media="print")
        visit.page.evaluate("document.documentElement.dataset.theme = 'dark'")
        assert ground() == "rgb(255, 255, 255)"  # paper is white


def test_units_are_chosen_by_keyboard_and_all_can_be_read_without_script(browser: Any, page_path: Path) -> None:
    with Visit(browser, page_path) as visit:
        figures, select = visit.page.locator(".choice figure"), visit.page.locator(".choice select")
        count = figures.count()
        assert count > 1
        assert [figures.nth(place).is_visible() for place in range(count)] == [True] + [False] * (count - 1)
        select.focus()
        visit.page.keyboard.press("ArrowDown")
        assert figures.nth(1).is_visible()
        assert not figures.nth(0).is_visible()
    with Visit(browser, page_path, script=False) as visit:
        figures = visit.page.locator(".choice figure")
        assert all(figures.nth(place).is_visible() for place in range(figures.count()))
        assert not visit.page.locator("#theme").is_visible()


def test_a_page_cannot_be_made_to_run_anything_else(browser: Any, page_path: Path) -> None:
    with Visit(browser, page_path) as visit:
        visit.page.evaluate(
            "(() => { const one = document.createElement('script'); one.textContent = 'window.run = 1';"
            "document.body.append(one); })()"
        )
        assert visit.page.evaluate("window.run === undefined")
        assert any("Content Security Policy" in said for said in visit.complaints)
