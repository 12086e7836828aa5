"""Who sees figures: the token, the cookie that it is changed into, and where requests come from."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from foresight.page_link import METRICS_FILE, TOKEN_FILE, metrics_token, new_page_token, page_token
from tests.dashboard.chromium import PROGRAM, Chromium
from tests.dashboard.serving import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)  # a process of its own on a busy machine

NAMED = "bot.example"
OPENED = (
    *("/trades", "/deploys", "/releases", "/logs", "/charts/equity"),
    *("/slots/btc-5m", "/deploys/d1", "/charts/slots/btc-5m"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[Served]:
    words = ("--app", "bot", "--host", NAMED)
    with Served(place / "home", log=place / "log", words=words) as page:
        yield page


def cookie(page: Served, token: str) -> tuple[int, str]:
    status, _, headers = page.ask("POST", "/login", {"Authorization": f"Bearer {token}"})
    return status, headers.get("Set-Cookie", "")


def test_figures_are_for_whoever_has_the_token(served: Served) -> None:
    """Loopback is open to every account of the host, and figures say who holds what."""
    for path in ("/api/state", "/events", "/session", *OPENED):
        for said in ({}, {"Authorization": "Bearer "}, {"Cookie": "foresight-bot=x"}):
            assert served.ask("GET", path, said)[0] == 401, path
    assert served.get("/api/state")[0] == 200
    assert served.get("/session")[0] == 204


def test_an_opened_view_that_there_is_not_says_so(served: Served) -> None:
    """Whoever follows an old link reads a sentence and finds the way back."""
    for path, word in (("/slots/<b>", "No slot of this board"), ("/deploys/x", "No deploy is")):
        status, body = served.get(quote(path))
        assert (status, word in body.decode()) == (404, True)
        assert b"<b>" not in body
        assert b'href="../"' in body
    assert b"There is nothing at this address" in served.get("/slots")[1]
    status, body = served.get("/trades?span=2h")
    assert (status, b"There is no such range" in body) == (400, True)
    assert served.get("/trades", {"Origin": "http://evil.example"})[0] == 403
    assert served.get("/trades", {"Host": "evil.example"})[0] == 421
    for path in ("/trades", "/deploys", "/releases", "/logs", "/charts/equity"):
        assert served.get(path)[0] == 200, f"{path} of a home without anything"
    status, body, headers = served.ask("GET", "/trades")
    assert (status, headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert b"foresight dashboard" in body


def test_everybody_gets_the_page_without_figures_and_whether_it_is_well(served: Served) -> None:
    """A browser must load it to be let in; a probe has no token."""
    status, body, headers = served.ask("GET", "/")
    assert status == 200
    assert b"There is no record" not in body
    assert b"<script>" not in body
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert served.ask("GET", "/assets/dashboard.js")[0] == 200
    assert served.ask("GET", "/healthz")[:2] == (200, b'{"ok": true}')
    for path in ("/assets/..%2f..%2fpage.py", "/assets/nothing", "/metric"):
        assert served.ask("GET", path)[0] == 404, path


def test_metrics_are_for_whoever_has_the_token_of_scrapers(served: Served, place: Path) -> None:
    """It lies where Prometheus reads it: it must not open the page, nor a cookie the metrics."""
    home = place / "home"
    page, scraper = page_token(home), metrics_token(home)
    assert stat.S_IMODE((home / METRICS_FILE).stat().st_mode) == 0o600
    entered = {"Cookie": cookie(served, page)[1].partition(";")[0]}
    for said in ({}, entered, {"Authorization": f"Bearer {page}"}, {"Authorization": "Bearer "}):
        status, body, headers = served.ask("GET", "/metrics", said)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert b"foresight_" not in body
    brought = {"Authorization": f"Bearer {scraper}"}
    for path in ("/api/state", "/events", "/session"):
        assert served.ask("GET", path, brought)[0] == 401, path
    status, body, headers = served.ask("GET", "/metrics", brought)
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"\nforesight_running 0.0\n" in body
    assert b"python_" not in body, "nothing of this process itself"
    assert scraper not in served.said() + served.arguments()


def test_a_browser_changes_the_token_into_a_cookie(served: Served, place: Path) -> None:
    """It must not be readable by a script, nor sent along from a page of somebody else."""
    token = page_token(place / "home")
    status, said = cookie(served, token)
    assert status == 204
    assert said.startswith("foresight-bot-")
    assert token not in said, "who reads a browser's cookies has not got the token"
    for word in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert word in said
    assert served.ask("GET", "/session", {"Cookie": said.partition(";")[0]})[0] == 204
    assert cookie(served, token + "x") == (401, "")
    assert cookie(served, "") == (401, "")


def test_two_installations_do_not_log_each_other_out(served: Served, place: Path) -> None:
    """Cookies ignore ports: with one name, the second login would end the first."""
    with Served(place / "other", log=place / "log2", words=("--app", "bot")) as other:
        first = cookie(served, page_token(place / "home"))[1].partition(";")[0]
        second = cookie(other, page_token(place / "other"))[1].partition(";")[0]
        assert first.partition("=")[0] != second.partition("=")[0]
        both = {"Cookie": f"{first}; {second}"}
        assert served.ask("GET", "/session", both)[0] == 204
        assert other.ask("GET", "/session", both)[0] == 204
        assert other.ask("GET", "/session", {"Cookie": first})[0] == 401


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:1", "http://127.0.0.1:1", 204),
        ("localhost:9", "http://localhost:9", 204),
        ("localhost:9", f"https://{NAMED}", 204),
        (NAMED, f"https://{NAMED}:8443", 204),
        ("localhost:9", "http://localhost:8", 403),
        ("localhost:9", "http://evil.example", 403),
        ("localhost:9", "null", 403),
        ("localhost:9", "", 403),
        ("localhost:9", "none:none", 403),
        ("evil.example", "http://evil.example", 421),
    ],
)
def test_a_request_comes_from_this_page(
    served: Served, host: str, origin: str, status: int
) -> None:
    """A page on another port of this host is another page; a tunnel's port is its own affair."""
    assert served.get("/session", {"Host": host, "Origin": origin})[0] == status


def test_a_new_token_counts_at_once(served: Served, place: Path) -> None:
    """Whoever was let in by the old one sees nothing more, streams that are open included."""
    said = {"Cookie": cookie(served, page_token(place / "home"))[1].partition(";")[0]}
    with served.stream("/events", said) as stream:
        assert stream.status == 200
        assert stream.readline() == b"retry: 500\n"
        scraper = {"Authorization": f"Bearer {metrics_token(place / 'home')}"}
        assert served.ask("GET", "/metrics", scraper)[0] == 200
        new_page_token(place / "home")
        assert served.ask("GET", "/session", said)[0] == 401
        assert served.ask("GET", "/metrics", scraper)[0] == 401
        stream.read()  # it ends
    assert served.get("/session")[0] == 204


def test_the_token_is_in_its_file_alone(served: Served, place: Path) -> None:
    """Argument lists are for every account of the host, logs for whoever reads logs."""
    path = place / "home" / TOKEN_FILE
    token = page_token(place / "home")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in served.arguments()
    served.restart()
    assert served.get("/session")[0] == 204, "it outlives the process"
    assert token not in served.said()


@pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
def test_a_link_lets_a_browser_in_and_leaves_no_trace(served: Served, place: Path) -> None:
    """The token must not stay where people copy addresses from, nor go over the wire in one."""
    closed = "document.querySelector('.closed').checkVisibility()"
    with Chromium(place / "profile") as browser:
        browser.call("Page.navigate", url=served.address)
        browser.expect_that(f"document.querySelector('.closed') && {closed}")
        assert browser.value("document.querySelector('.banner').textContent") == ""
        browser.open(served.link)
        browser.expect_that(f"!{closed}")
        assert browser.value("location.href") == served.address
        assert not any(page_token(place / "home") in address for address in browser.asked)
        browser.call("Page.reload")
        browser.expect_that("document.querySelector('.banner')?.textContent.includes('no record')")
        new_page_token(place / "home")
        browser.expect_that(closed)
