"""Acting by way of the page: over real HTTP, by the commands themselves, on one record."""

from __future__ import annotations

import http.client
import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from foresight.board import NS
from foresight.page_link import page_token
from state.journal_reader import read_lines
from state.local_store import read_only_snapshot
from tests.dashboard.chromium import PROGRAM, Chromium
from tests.dashboard.homes import SECOND, THIRD, Home, busy_home
from tests.dashboard.serving import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.record import Record

pytestmark = pytest.mark.timeout(240)  # a command is a process, on a busy machine


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("acts")


@pytest.fixture(scope="module")
def home(place: Path) -> Home:
    """Return a bot that bakes its third release, with the configuration that its commands read."""
    made = busy_home(place / "home", until_ns=time.time_ns() + 600 * NS)
    text = f'[engine]\napp = "foresight"\nhome = "{made.path}"\npage_control = true\n'
    (place / "foresight.toml").write_text(text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def served(home: Home, place: Path) -> Iterator[Served]:
    words = ("--control", str(place / "foresight.toml"))
    with Served(home.path, log=place / "log", words=words) as page:
        yield page


def record_of(home: Home) -> Record:
    return read_only_snapshot(home.path / "state")


def shown(home: Home, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - members of what is shown
    record = record_of(home)
    deploy = record.rollout.deploy_id if record.rollout else ""
    held = record.ownership
    return {"deploy": deploy, "release": held.release, "epoch": held.epoch} | changes


def post(
    page: Served, home: Home, request: object, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str]]:
    """Ask for an act as a browser that was let in does, unless other headers are given."""
    host = page.address.removeprefix("http://").rstrip("/")
    told = {"Authorization": f"Bearer {page_token(home.path)}", "Origin": f"http://{host}"}
    connection = http.client.HTTPConnection(host, timeout=100)
    try:
        sent = {"Content-Type": "application/json"} | (told if headers is None else headers)
        connection.request("POST", "/act", json.dumps(request), sent)
        answer = connection.getresponse()
        said: dict[str, str] = json.loads(answer.read())
        return answer.status, said
    finally:
        connection.close()


def act(page: Served, home: Home, name: str, about: str = "") -> tuple[int, dict[str, str]]:
    return post(page, home, {"act": name, "about": about, "shown": shown(home)})


def test_each_wish_is_written_as_by_the_command_and_the_journal_names_the_page(
    served: Served, home: Home
) -> None:
    for name, paused, halted in (
        ("halt", True, True),
        ("resume", False, False),
        ("pause", True, False),
    ):
        status, said = act(served, home, name)
        assert status == 200, said
        control = record_of(home).control
        assert (control.paused, control.halted) == (paused, halted)
    who = record_of(home).control.by
    assert who.startswith("page, ")
    assert f"uid {os.getuid()}" in who
    assert ", 127.0.0.1:" in who
    assert act(served, home, "lock", "BTC")[0] == 200
    assert "lock:BTC" in record_of(home).control.marks
    line = list(read_lines(home.path / "journal"))[-1]
    assert str(line.evidence["by"]).startswith("page, ")


def test_what_a_command_refuses_is_answered_in_its_own_words(served: Served, home: Home) -> None:
    status, said = act(served, home, "lock", "BTX")
    assert status == 400
    assert said["error"].startswith("no asset on the board is called 'BTX'")
    status, said = act(served, home, "rollback", SECOND)
    assert status == 503, "nothing runs that could"
    assert "no launcher answers" in said["error"]
    for request in ({"act": "buy", "shown": shown(home)}, {"act": "lock", "shown": shown(home)}):
        assert post(served, home, request)[0] == 400
    assert post(served, home, {"act": "pause"})[0] == 400, "it says not what was shown"
    status, said = act(served, home, "rollback", "--help")
    assert "Usage" not in said["error"], "it is a name, no option"


@pytest.mark.parametrize(
    ("name", "changed"),
    [("pause", {"epoch": 1}), ("promote", {"release": SECOND}), ("abort", {"deploy": "d9"})],
)
def test_what_was_shown_and_is_no_more_is_refused(
    served: Served, home: Home, name: str, changed: dict[str, Any]
) -> None:
    about = THIRD if name == "promote" else ""
    before = record_of(home)
    status, said = post(
        served, home, {"act": name, "about": about, "shown": shown(home, **changed)}
    )
    assert (status, said["error"].startswith("the page showed ")) == (409, True)
    assert record_of(home) == before


def test_without_token_or_from_elsewhere_nothing_is_done(served: Served, home: Home) -> None:
    host = served.address.removeprefix("http://").rstrip("/")
    before, request = record_of(home), {"act": "halt", "shown": shown(home)}
    bearer = {"Authorization": f"Bearer {page_token(home.path)}"}
    _, _, headers = served.ask("POST", "/login", bearer)
    cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
    for brought, status in (
        ({"Origin": f"http://{host}"}, 401),
        ({"Authorization": "Bearer x", "Origin": f"http://{host}"}, 401),
        (bearer | {"Origin": "http://evil.example"}, 403),
        (cookie | {"Origin": "http://127.0.0.1:1"}, 403),
        (cookie, 403),
        (bearer | {"Content-Type": "text/plain"}, 415),
    ):
        assert post(served, home, request, brought)[0] == status, brought
    assert record_of(home) == before


def test_a_page_that_only_reads_does_nothing_and_shows_the_commands(
    home: Home, place: Path
) -> None:
    """What a configuration says that it was not started with switches nothing on."""
    with Served(home.path, log=place / "log") as reads:
        before = record_of(home)
        status, said = act(reads, home, "resume")
        assert (status, "only reads" in said["error"]) == (403, True)
        assert record_of(home) == before


@pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
def test_a_confirmation_says_what_will_happen_and_the_bake_is_promoted(
    served: Served, home: Home, place: Path
) -> None:
    with Chromium(place / "profile") as browser:
        browser.screen(390, 844)
        browser.open(served.link)
        browser.expect_that("document.querySelector('[data-act=promote]')")
        browser.value("document.querySelector('[data-act=promote]').click()")
        dialog = "document.querySelector('dialog.confirm')"
        words = browser.value(f"{dialog}.open && {dialog}.innerText")
        assert "The next clean cycle makes" in words
        assert f"in epoch {record_of(home).ownership.epoch}" in words
        assert browser.value("document.activeElement.textContent") == "Leave it"
        width = browser.value("document.documentElement.scrollWidth")
        assert width == 390, "nothing lies beside the page"
        browser.value("document.querySelector('[data-sure]').click()")
        done = "document.querySelector('.outcome').textContent.includes('permanent')"
        browser.expect_that(done, limit_s=60)
        assert not browser.complaints
    bake = record_of(home).rollout
    assert bake is not None
    assert bake.of == bake.clean_cycles
    line = list(read_lines(home.path / "journal"))[-1]
    assert (line.evidence["promoted"], str(line.evidence["by"])[:6]) == (bake.deploy_id, "page, ")
