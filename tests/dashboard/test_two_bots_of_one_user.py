"""Two bots of one user before one browser: each has its address and its login.

Cookies ignore ports, so a login at one page is sent to the other, too.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

from deploy import frozen_directory
from foresight.page_link import page_token
from tests.dashboard.chromium import PROGRAM, Chromium
from tests.dashboard.serving import Served
from tests.process.own_project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(400),  # two installations on a busy machine
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]

SHOWN: Final = "document.querySelector('[data-release]')?.dataset.release"
SESSION: Final = "fetch('session', { cache: 'no-store' }).then((answer) => answer.status)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


def sessions(browser: Chromium, links: Sequence[str]) -> list[int]:
    """Come in at each of the links in turn, then ask each whether it still knows this browser."""
    tabs = []
    for link in links:
        tabs.append(browser.add_tab())
        browser.open(link)
    found = []
    for tab in tabs:
        browser.go_to(tab)
        browser.call("Page.reload")
        browser.expect_that("window.foresight && document.readyState === 'complete'")
        found.append(browser.promised(SESSION))
    return found


def test_bots_of_one_name_do_not_log_each_other_out(browser: Chromium, tmp_path: Path) -> None:
    """Two clones of one project: the homes alone tell their cookies apart."""
    with (
        Served(tmp_path / "one", log=tmp_path / "one.log") as one,
        Served(tmp_path / "other", log=tmp_path / "other.log") as other,
    ):
        assert sessions(browser, (one.link, other.link)) == [204, 204]
        stranger = {"Authorization": f"Bearer {page_token(tmp_path / 'other')}"}
        assert one.ask("GET", "/api/state", stranger)[0] == 401


@pytest.mark.slow
def test_two_that_are_started_as_readme_says_both_stay_open(
    browser: Chromium, tmp_path: Path
) -> None:
    """The second one's `up` printed the first one's address, and its own page had none."""
    with ExitStack() as stack:
        stack.callback(frozen_directory.remove, tmp_path)
        bots, links = [], []
        for name in ("my-bot", "other-bot"):
            bot = Project(tmp_path, name=name, page="")
            bot.begin()
            stack.callback(bot.run, "down")
            done = bot.run("up", "-d")
            assert done.returncode == 0, done.stderr
            address = done.stdout.strip().removeprefix("page ")
            links.append(f"{address}/#token={page_token(tmp_path / 'state/foresight' / name)}")
            bots.append(bot)
        assert links[0].partition("#")[0] != links[1].partition("#")[0]
        assert sessions(browser, links) == [204, 204]
        for bot, link in zip(bots, links, strict=True):
            address = link.partition("#")[0]
            browser.call("Page.navigate", url=address)
            browser.expect_that(f"location.href === {json.dumps(address)} && {SHOWN}", limit_s=60)
            status = bot.done("status")
            assert f"{status['page']}/" == address
            assert browser.value(SHOWN) == status["owner"]["release"], "its own figures"
