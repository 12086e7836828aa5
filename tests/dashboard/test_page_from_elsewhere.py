"""The page behind a proxy with a path of its own, and at the other end of a tunnel."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from foresight.board import NS
from foresight.page_link import page_token
from tests.dashboard.chromium import PROGRAM, Chromium
from tests.dashboard.homes import busy_home
from tests.dashboard.in_between import proxy, tunnel
from tests.dashboard.serving import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.dashboard.homes import Home

pytestmark = [
    pytest.mark.timeout(240),  # a browser on a busy machine, yielding to everybody
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]

NAMED = "bots.localhost"  # a browser finds it on this machine, the page knows it from its words
# Links to other bots lead elsewhere on purpose.
LINKS = (
    "[...document.querySelectorAll('[href]:not([data-port]), [src]')]"
    ".map((each) => each.href || each.src)"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return busy_home(tmp_path_factory.mktemp("busy"), until_ns=time.time_ns() + 600 * NS)


@pytest.fixture(scope="module")
def served(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("log") / "page.log"
    with Served(home.path, log=log, words=("--host", NAMED)) as page:
        yield page


@pytest.mark.parametrize("keeps_host", [True, False])
def test_a_proxy_may_put_the_page_below_a_path(
    home: Home, served: Served, tmp_path: Path, *, keeps_host: bool
) -> None:
    """People have one host and several bots: a path each, and a name that is not this machine's."""
    with (
        proxy(served.address, "/bots/one/", keeps_host=keeps_host) as here,
        Chromium(tmp_path / "profile") as browser,
    ):
        address = here.replace("127.0.0.1", NAMED)
        browser.open(f"{address}#token={page_token(home.path)}")
        check_all_is_there(browser, home, address, f"behind a proxy, {keeps_host}")


def test_a_tunnel_may_have_another_port(home: Home, served: Served, tmp_path: Path) -> None:
    with tunnel(served.address) as address, Chromium(tmp_path / "profile") as browser:
        assert urlsplit(address).port != urlsplit(served.address).port
        browser.open(f"{address}#token={page_token(home.path)}")
        check_all_is_there(browser, home, address, "through a tunnel")


def check_all_is_there(browser: Chromium, home: Home, address: str, note: str) -> None:
    assert browser.value("location.href") == address
    browser.expect_that("document.querySelectorAll('.slot').length === 16")
    assert [each for each in browser.value(LINKS) if not each.startswith(address)] == []
    home.pause(note=note)
    browser.expect_that(f"document.body.innerText.includes({json.dumps(note)})")  # events come
    as_json = "fetch(document.querySelector('footer a').href).then((said) => said.status)"
    assert browser.promised(as_json) == 200
    browser.call("Page.reload")
    browser.expect_that("document.querySelectorAll('.slot').length === 16")  # the cookie holds
    assert [each for each in browser.asked if not each.startswith((address, "data:"))] == []
    assert browser.complaints == []
    assert browser.failed == []
