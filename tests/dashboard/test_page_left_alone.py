"""A page that nobody looks at, and one whose whole installation stands still."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

import pytest

from foresight.board import NS
from handoff.processes import identity_of
from tests.dashboard.chromium import HIDE, PROGRAM, Chromium
from tests.dashboard.homes import busy_home
from tests.dashboard.serving import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(240),  # a browser on a busy machine, yielding to everybody
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]

SHOWN: Final = "document.querySelector('[data-region=footer] a') !== null"
OLD: Final = "document.documentElement.classList.contains('old')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


def test_ten_open_tabs_of_one_browser_all_live(browser: Chromium, tmp_path: Path) -> None:
    """A browser has six streams for one server: hidden tabs give theirs back, and one that is
    shown again is up to date, or says that it is not.
    """
    home = busy_home(tmp_path / "home", until_ns=time.time_ns() + 600 * NS)
    with Served(home.path, log=tmp_path / "log") as page:
        browser.open(page.link)
        first = browser.tab
        tabs = [first]
        for _ in range(9):
            browser.value(HIDE % "true")
            tabs.append(browser.add_tab())
            browser.open(page.address)
        home.pause(note="all tabs hear of it")
        browser.expect_that("document.body.innerText.includes('all tabs hear of it')")
        browser.value(HIDE % "true")
        browser.go_to(first)
        assert "all tabs hear of it" not in browser.value("document.body.innerText")
        browser.value(HIDE % "false")
        browser.expect_that("document.body.innerText.includes('all tabs hear of it')")
        for tab in tabs[1:]:
            browser.go_to(tab)
            browser.close_tab()
        browser.go_to(first)


def test_a_tab_that_is_shown_again_judges_at_once(browser: Chromium, tmp_path: Path) -> None:
    """It heard nothing while it was hidden, whatever became of its server."""
    home = busy_home(tmp_path / "home", until_ns=time.time_ns() + 600 * NS)
    with Served(home.path, log=tmp_path / "log") as page:
        browser.open(page.link)
        browser.value(HIDE % "true")
        page.signal(signal.SIGSTOP)
        browser.expect_that(OLD, limit_s=10)
        browser.value(HIDE % "false")
        assert browser.value(OLD)
        page.signal(signal.SIGCONT)
        browser.expect_that(f"!({OLD})", limit_s=20)


def test_an_installation_that_stands_still_is_seen_by_the_browser_alone(
    browser: Chromium, tmp_path: Path
) -> None:
    """Owner, launcher and page are all stopped: nobody is left who could tell."""
    with subprocess.Popen(["/bin/sleep", "120"]) as owner:
        home = busy_home(tmp_path / "home", until_ns=time.time_ns() + 600 * NS)
        found = identity_of(owner.pid)
        assert found is not None
        home.owner = home.launcher = found
        home.write_children()
        with Served(home.path, log=tmp_path / "log") as page:
            browser.open(page.link)
            assert browser.value(OLD) is False
            owner.send_signal(signal.SIGSTOP)
            page.signal(signal.SIGSTOP)
            browser.expect_that(OLD, limit_s=4)
            page.signal(signal.SIGCONT)
        owner.kill()
