"""Words that come and go move nothing that somebody reads."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

import pytest

from foresight.board import NS
from tests.dashboard.chromium import PROGRAM, Chromium
from tests.dashboard.homes import Home, busy_home
from tests.dashboard.serving import Served

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(240),  # a browser on a busy machine, yielding to everybody
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]

# Where on the screen each part of the page is: not what lies over it at its edge, nor the other
# bots of this user at its end, which may start and stop meanwhile.
PLACES: Final = """
[...document.querySelectorAll(".page:not(.dock) :is(.region, .chart, .views, h2)")]
  .filter((each) => !each.closest(".neighbours, .footer"))
  .map((each) => [each.className || each.textContent, each.getBoundingClientRect()])
  .map(([name, { top, height }]) => `${name} ${top.toFixed(1)} ${height.toFixed(1)}`)
"""
BANNER: Final = "document.querySelector('.banner').checkVisibility()"
SILENCE: Final = "document.querySelector('.silence').checkVisibility()"
IN_SIGHT: Final = """
(() => {
  const { top, bottom } = document.querySelector(".trouble").getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
})()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return busy_home(tmp_path_factory.mktemp("busy"), until_ns=time.time_ns() + 600 * NS)


@pytest.fixture(scope="module")
def served(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(home.path, log=tmp_path_factory.mktemp("log") / "page.log") as page:
        yield page


@pytest.fixture(scope="module")
def browser(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        chromium.screen(1440, 900, calm=True)
        chromium.open(served.link)
        yield chromium


@pytest.mark.parametrize(
    ("width", "scrolled"), [(1440, "0"), (390, "400"), (390, "document.body.scrollHeight")]
)
def test_a_banner_comes_and_goes_and_all_else_stays(
    browser: Chromium, home: Home, width: int, scrolled: str
) -> None:
    """Whoever was about to press a button pressed another one; a reader lost the line."""
    browser.screen(width, 700, calm=True)
    browser.expect_that(f"document.documentElement.scrollWidth === {width}")
    browser.expect_that("document.querySelector('.over-time canvas')")
    browser.value(f"scrollTo(0, {scrolled})")
    before = browser.value(PLACES)
    assert len(before) > 20
    home.pause(note="the operator has a look at something that takes long to say " * 3)
    browser.expect_that(BANNER)
    assert browser.value(IN_SIGHT), "wherever one has scrolled to"
    assert browser.value(PLACES) == before
    home.resume()
    browser.expect_that(f"!{BANNER}")
    assert browser.value(PLACES) == before


def test_silence_moves_nothing(browser: Chromium, served: Served) -> None:
    browser.screen(390, 700, calm=True)
    browser.value("scrollTo(0, document.body.scrollHeight)")
    before = browser.value(PLACES)
    served.signal(signal.SIGSTOP)
    browser.expect_that(SILENCE)
    assert browser.value(PLACES) == before
    served.signal(signal.SIGCONT)
    browser.expect_that(f"!{SILENCE}", limit_s=30)
    assert browser.value(PLACES) == before


def test_what_came_of_an_act_moves_nothing(browser: Chromium) -> None:
    browser.screen(1440, 700, calm=True)
    browser.value("scrollTo(0, 0)")
    browser.value("document.querySelector('details[data-key=commands]').open = true")
    before = browser.value(PLACES)
    browser.value("document.querySelector('[data-copy]').click()")
    browser.expect_that("document.querySelector('.outcome').innerText.includes('foresight pause')")
    assert browser.value(PLACES) == before
