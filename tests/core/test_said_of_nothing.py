"""What a command says where there is nothing to list: a sentence, never silence.

Whoever sees an empty screen cannot know whether nothing happened, or nothing was understood.
"""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import msgspec
import pytest

from deploy.history import finish, requested, write_current
from foresight.board import Result
from foresight.book import SCHEMA, Book
from foresight.cli.main import main
from foresight.cli.neighbours import row_of
from handoff.commands.launchers import Launcher
from handoff.exit_codes import ExitCode
from handoff.processes import identity_of
from state.record import Ownership, Timeline
from tests.core.dashboard_values import decided
from tests.homes import open_store
from tests.records import APP, empty, worker

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a project that we stand in; it was never started."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foresight.toml").write_text(f'[engine]\napp = "{APP}"\n', encoding="utf-8")
    return tmp_path / "state" / "foresight" / APP


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("deploys", ExitCode.DONE, "no deploy was made yet"),
        ("releases", ExitCode.DONE, "no release is kept yet"),
        ("cycles", ExitCode.DONE, "no cycle was decided yet"),
        ("logs", ExitCode.DONE, "nothing was said yet"),
        ("logs --worker a1", ExitCode.USAGE, "error: no log has a line of 'a1'"),
        ("trades", ExitCode.FAILED, "error: there is no record at "),
    ],
)
@pytest.mark.usefixtures("home")
def test_before_the_first_start_each_list_says_that_there_is_nothing(
    words: str, code: ExitCode, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for options in ([], ["--json"]):
        assert main([*words.split(), *options]) == code
        said = capsys.readouterr()
        assert said.err.startswith(says)
        assert "{" not in said.out


def test_a_bot_without_a_trade_says_so_in_lines_that_fit(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir(mode=0o700, parents=True)
    body = SCHEMA.encode(Book(venue="local"))
    open_store(home).create(msgspec.structs.replace(empty(), body=body, schema=SCHEMA.schema_id))
    for words, says in (
        ("trades", "no trade was made yet"),
        ("anomalies", "nothing is odd"),
        ("locks", "nothing is locked"),
        ("status", "release   none yet"),
        ("status", "win rate  none: no trade is decided yet"),
    ):
        main([words])
        said = capsys.readouterr()
        assert says in (said.out + said.err).splitlines(), words
        assert all(len(line) <= 80 or str(home) in line for line in said.out.splitlines())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("anomalies", "nothing is odd"),
        ("cycles", "no cycle was decided yet"),
        ("locks", "nothing is locked"),
        ("trades", "no trade was made yet"),
        ("trades --by-release", "no release owned yet"),
    ],
)
def test_a_list_without_a_line_has_no_heading_beside_its_sentence(
    home: Path, words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Below `nothing is locked` stood the heading of a table, as if its rows had been lost."""
    home.mkdir(mode=0o700, parents=True)
    body = SCHEMA.encode(Book(venue="local"))
    open_store(home).create(msgspec.structs.replace(empty(), body=body, schema=SCHEMA.schema_id))
    assert main(words.split()) == ExitCode.DONE
    said = capsys.readouterr()
    assert (said.out + said.err).splitlines() == [says]


def test_a_release_that_was_refused_earned_nothing_and_has_no_row(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stood among those that decided no trade, as if it had had the chance."""
    home.mkdir(mode=0o700, parents=True)
    body = SCHEMA.encode(Book(venue="local"))
    open_store(home).create(msgspec.structs.replace(empty(), body=body, schema=SCHEMA.schema_id))
    for outcome in ("permanent", "refused"):
        asked = requested(outcome, now_ns=0, by="mia", ref="main", from_release="")
        finish(home, msgspec.structs.replace(asked, release=outcome, outcome=outcome))
    assert main(["trades", "--by-release"]) == ExitCode.DONE
    _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split() for row in rows] == [["permanent", "0", "decided", "no", "trade"]]


def test_after_an_uninstall_it_is_stopped_and_no_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record is kept; the releases are gone, and the next start makes them again."""
    home.mkdir(mode=0o700, parents=True)
    body = SCHEMA.encode(Book(venue="local"))
    gone = Ownership(epoch=1, last_owner=worker(release="0123456789ab-cdef01"))
    known = {"body": body, "schema": SCHEMA.schema_id, "ownership": gone}
    open_store(home).create(msgspec.structs.replace(empty(), **known))
    assert main(["status"]) == ExitCode.NOT_RUNNING
    said = capsys.readouterr()
    assert said.out.startswith("It is stopped.")
    assert "release   0123456789ab-cdef01\n" in said.out
    assert said.err == ""


def test_an_uninstall_of_what_was_never_started_removes_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A home with a page's token and nothing else was an error about a file that nobody knows."""
    home.mkdir(mode=0o700, parents=True)
    (home / "page.token").write_text("a", encoding="ascii")
    assert main(["uninstall"]) == ExitCode.DONE
    assert capsys.readouterr().err == "nothing is installed here\n"
    assert main(["uninstall", "--state", "--yes"]) == ExitCode.DONE
    assert not home.exists()


@pytest.mark.parametrize("group", ["hook", "state", "unit"])
def test_a_group_without_a_command_helps(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the bare command does; it was printed as an error before."""
    assert main([group]) == ExitCode.DONE
    said = capsys.readouterr()
    assert said.out.startswith(f"Usage: foresight {group} ")
    assert said.err == ""


def test_a_launcher_that_is_seen_and_does_not_answer_is_not_said_to_be_none(home: Path) -> None:
    """`ps` showed the pid of one in a container, and below it that no launcher runs."""
    home.mkdir(mode=0o700, parents=True)
    owner = worker()
    known = {"ownership": Ownership(epoch=1, owner=owner, last_owner=owner)}
    open_store(home).create(msgspec.structs.replace(empty(), **known))
    row = row_of(Launcher(pid=os.getpid(), home=home))
    assert row["says"].startswith("It runs, and does not answer:")
    assert (row["app"], row["pid"], row["page"]) == (APP, os.getpid(), "")


def test_trades_of_a_fast_market_say_whose_times_they_show(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the clock they were hours off, in either direction."""
    home.mkdir(mode=0o700, parents=True)
    body = SCHEMA.encode(Book(venue="local", decided=[decided(Result.UP)]))
    fast = Timeline(speed=60)
    known = {"body": body, "schema": SCHEMA.schema_id, "timeline": fast}
    store = open_store(home, timeline=fast)
    store.create(msgspec.structs.replace(empty(), **known))
    assert main(["trades"]) == ExitCode.DONE
    assert capsys.readouterr().err == "times are the market's, 60 times as fast as the clock\n"


def test_the_only_deploy_is_under_way_and_listed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """None was made yet, it would say otherwise, while one takes over."""
    entry = requested("d1", now_ns=0, by="mia", ref="main", from_release="")
    write_current(home, msgspec.structs.replace(entry, phase="baking"))
    assert main(["deploys"]) == ExitCode.DONE
    said = capsys.readouterr()
    assert (said.out.split(), said.err) == (["01-01", "00:00", "main", "baking", "main"], "")
    finish(home, msgspec.structs.replace(entry, outcome="permanent"))
    write_current(home, entry)  # it ends just now
    main(["deploys"])
    assert capsys.readouterr().out.split()[2:] == ["main", "permanent", "main"]


def test_the_doctor_sees_an_owner_that_goes_on_without_a_launcher(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing runs, it said, while orders went out."""
    home.mkdir(mode=0o700, parents=True)
    us = identity_of(os.getpid())
    assert us is not None
    known = {"host": socket.gethostname(), "boot_id": us.boot_id, "pid": us.pid}
    where = {"pid_namespace": us.pid_namespace, "start_ticks": us.start_ticks}
    owned = Ownership(epoch=1, owner=msgspec.structs.replace(worker(), **known, **where))
    open_store(home).create(msgspec.structs.replace(empty(), ownership=owned))
    main(["doctor", "--json"])
    found = {each["check"]: each for each in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["launcher"]["found"].startswith("No launcher runs; r1 goes on without one as pid ")


def test_a_worker_that_is_mistyped_is_told_from_one_that_is_silent(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "logs").mkdir(parents=True)
    line = b'{"at":"2026-11-29T10:00:01.000Z","event":"worker_warm","worker":"a1"}\n'
    (home / "logs" / "worker-3-1.log").write_bytes(line)
    assert main(["logs", "--worker", "a2"]) == ExitCode.USAGE
    assert "hint: there are lines of worker-3-1 (a1)" in capsys.readouterr().err
    assert main(["logs", "--worker", "a1", "--since", "2026-11-30"]) == ExitCode.DONE
    assert capsys.readouterr().err.startswith("nothing was said since 2026-11-30T00:00:00.000Z;")
