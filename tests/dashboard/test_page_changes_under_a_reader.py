"""An open page while another version of it answers on its socket: its reader loses nothing."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Final

import pytest

from foresight.board import NS
from foresight.dashboard.frames import FORMAT
from foresight.dashboard.shell import shell
from tests.dashboard.chromium import HIDE, PROGRAM, Chromium
from tests.dashboard.homes import Home, busy_home
from tests.dashboard.serving import ROOT, Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(240),  # a browser on a busy machine, yielding to everybody
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]

NOTE: Final = "document.querySelector('.renewal')"
SHOWN: Final = "window.foresight && document.querySelector('[data-region=footer] a')"
STYLED: Final = "getComputedStyle(document.querySelector('.page'))"
PLACE: Final = "[Math.round(scrollY), document.querySelector('.cards-key').open]"


def tree_of_another(place: Path, *, style: str, number: int = FORMAT) -> Path:
    """Make a tree with this program whose page has another style, and speaks that format."""
    package = place / "foresight"
    shutil.copytree(ROOT / "foresight/dashboard", package / "dashboard")
    for name in ("handoff", "deploy", "state"):
        (place / name).symlink_to(ROOT / name)
    for each in (ROOT / "foresight").iterdir():
        if each.name != "dashboard":
            (package / each.name).symlink_to(each)
    with (package / "dashboard/static/dashboard.css").open("a", encoding="utf-8") as file:
        file.write(f"\n{style}\n")
    frames = package / "dashboard/frames.py"
    before, found, after = frames.read_text(encoding="utf-8").partition(f"FORMAT: Final = {FORMAT}")
    assert found
    frames.write_text(f"{before}FORMAT: Final = {number}{after}", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return busy_home(tmp_path_factory.mktemp("busy"), until_ns=time.time_ns() + 600 * NS)


@pytest.fixture
def page(browser: Chromium, home: Home, tmp_path: Path) -> Iterator[Served]:
    """A page in the browser, whose reader has opened something and scrolled to it."""
    with Served(home.path, log=tmp_path / "log") as served:
        browser.screen(1440, 500)
        browser.open(served.link)
        browser.value("document.querySelector('.cards-key').open = true")
        browser.value("scrollTo(0, 400); window.sameWindow = true")
        browser.complaints.clear()
        yield served


def test_a_page_of_the_same_format_is_offered_and_loaded_when_its_reader_likes(
    browser: Chromium, page: Served, home: Home, tmp_path: Path
) -> None:
    """It loaded itself anew at each deploy that touched its looks, whoever read where."""
    page.leave(tree_of_another(tmp_path / "next", style=".page { --another: 1; }"))
    browser.expect_that(f"{NOTE}.checkVisibility()", limit_s=30)
    assert "load the other when you like" in browser.value(f"{NOTE}.innerText")
    home.pause(note="told by the next one")
    browser.expect_that("document.body.innerText.includes('told by the next one')")
    assert browser.value("window.sameWindow")
    assert browser.value(PLACE) == [400, True]
    browser.value(f"{NOTE}.querySelector('[data-load]').click()")
    browser.expect_that(f"!window.sameWindow && {SHOWN}")
    browser.expect_that("scrollY > 0")
    assert browser.value(PLACE) == [400, True], "it is where its reader was"
    assert browser.value(f"{NOTE}.checkVisibility()") is False
    assert browser.value(f"{STYLED}.getPropertyValue('--another')") == "1"
    assert browser.complaints == []


def test_a_page_that_nobody_looks_at_becomes_the_other_one(
    browser: Chromium, page: Served, tmp_path: Path
) -> None:
    page.leave(tree_of_another(tmp_path / "next", style=".page { --another: 2; }"))
    browser.expect_that(f"{NOTE}.checkVisibility()", limit_s=30)
    browser.value(f"{NOTE}.querySelector('[data-leave]').click()")
    assert browser.value(f"{NOTE}.checkVisibility()") is False
    browser.value(HIDE % "true")
    browser.expect_that(f"!window.sameWindow && {SHOWN}", limit_s=30)
    browser.expect_that("scrollY > 0")
    assert browser.value(PLACE) == [400, True]
    assert browser.complaints == []


def test_a_page_that_does_not_know_the_format_loads_itself_and_says_why(
    browser: Chromium, page: Served, tmp_path: Path
) -> None:
    """Half of what comes it could not show, and would look as if all were well."""
    page.leave(tree_of_another(tmp_path / "next", style=".page { --another: 3; }", number=99))
    browser.expect_that(f"!window.sameWindow && {SHOWN}", limit_s=30)
    assert browser.value("document.documentElement.dataset.format") == "99"
    browser.expect_that(f"{NOTE}.innerText.includes('did not know the format')")
    assert browser.value("document.querySelector('[data-load]').checkVisibility()") is False
    assert browser.value(PLACE) == [400, True]
    browser.value(f"{NOTE}.querySelector('[data-leave]').click()")
    browser.call("Page.reload")
    browser.expect_that(SHOWN)
    assert browser.value(f"{NOTE}.checkVisibility()") is False, "said once"
    assert browser.complaints == []


def test_a_file_is_not_kept_under_the_digest_of_another_version(page: Served) -> None:
    """Where two processes answer, a page of one may ask the other for its files."""
    for version, kept in ((shell().digest, True), ("0123456789abcdef", False), ("", False)):
        status, _, headers = page.ask("GET", f"/assets/renewal.js?v={version}")
        assert (status, "immutable" in headers["Cache-Control"]) == (200, kept)
