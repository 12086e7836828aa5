"""Files that are absent, damaged or half-written are said on the page; none ends it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from foresight.dashboard.cycles import Mark
from foresight.dashboard.signs import sign_of
from foresight.dashboard.snapshot import Sign
from foresight.dashboard.source import Source
from foresight.dashboard.view import View, view_of
from handoff.processes import identity_of
from handoff.release_files import release_directory
from state.hosts_file import write_hosts
from state.hosts_seen import HostSeen, HostsSeen, Role
from tests.dashboard.homes import FIRST, SECOND, SUBJECTS, THIRD, Home, busy_home

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

NOW_NS = 1_795_000_330 * 10**9
CALLS_MAX = 400  # functions called to see that nothing has changed; reading a record is thousands


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return busy_home(tmp_path / "home", until_ns=NOW_NS)


def seen(source: Source) -> View:
    source.refresh()
    return view_of(source.snapshot(), now_ms=NOW_NS // 10**6)


def troubles(source: Source) -> str:
    return " ".join(trouble.text for trouble in seen(source).troubles)


def test_a_busy_home_is_shown_whole(home: Home) -> None:
    view = seen(Source(home.path))
    assert [run.release for run in view.strip.runs] == [FIRST, SECOND, THIRD]
    assert (view.strip.cycles, view.strip.late, view.strip.missed, view.strip.absent) == (
        120,
        1,
        0,
        0,
    )
    assert (view.version.name, view.version.previous) == ("c07be31", "a81c4e5")
    assert (len(view.slots), view.troubles) == (16, ())
    assert view.deploying is not None
    assert (view.deploying.clean, view.deploying.of) == (16, 20)
    assert view.chained == 256


def test_nothing_is_read_again_until_something_changes(home: Home) -> None:
    source = Source(home.path)
    assert source.refresh()
    assert not source.refresh()
    home.decide()
    assert source.refresh()
    assert not source.refresh()
    strip = view_of(source.snapshot(), now_ms=NOW_NS // 10**6).strip
    assert strip.runs[-1].cells[-1].mark is Mark.DECIDING
    home.settle()
    assert source.refresh()


def test_nothing_is_written(home: Home) -> None:
    before = {path: path.stat().st_mtime_ns for path in home.path.rglob("*")}
    seen(Source(home.path))
    assert {path: path.stat().st_mtime_ns for path in home.path.rglob("*")} == before


def test_an_owner_of_another_host_is_not_gone_and_all_hosts_are_shown(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its boot id is not that of this host, which proves death on one host and nothing of two."""
    for module in ("handoff.processes", "foresight.dashboard.signs"):
        monkeypatch.setattr(f"{module}.boot_id", lambda: "another boot")
    source = Source(home.path)
    assert not seen(source).is_running
    state = home.path / "state"
    (state / "record.json").rename(state / "mirror.json")
    host = HostSeen(name="host", role=Role.OWNER)
    write_hosts(home.path, HostsSeen(hosts=(host,), heard_ms=1.0, written_ms=NOW_NS / 10**6))
    view = seen(source)
    assert view.is_running
    assert (view.crew.host, [each.name for each in view.hosts]) == ("host", ["host"])
    assert not source.refresh()


def test_an_absent_home_is_said_and_then_followed(tmp_path: Path) -> None:
    source = Source(tmp_path / "home")
    assert "There is no record here yet" in troubles(source)
    busy_home(tmp_path / "home", until_ns=NOW_NS)
    assert troubles(source) == ""
    assert seen(source).version.name == "c07be31"


def test_a_damaged_record_is_said_and_the_last_one_stays(home: Home) -> None:
    source = Source(home.path)
    seen(source)
    path = home.path / "state" / "record.json"
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    assert "The record cannot be read" in troubles(source)
    assert len(seen(source).slots) == 16
    path.write_bytes(data)
    assert troubles(source) == ""


def test_a_book_of_a_newer_version_is_said(home: Home) -> None:
    source = Source(home.path)
    path = home.path / "state" / "record.json"
    path.write_bytes(_resealed(path.read_bytes(), b'"version":2', b'"version":9'))
    assert "The book cannot be shown" in troubles(source)
    assert (seen(source).slots, seen(source).version.name) == ((), "c07be31")


def _resealed(data: bytes, old: bytes, new: bytes) -> bytes:
    from state.seal import seal, unseal  # noqa: PLC0415 - for this one forgery

    document, _ = unseal(data, field="digest")
    return seal(document.replace(old, new), field="digest")[0]


def test_a_changed_journal_line_is_said_and_the_rest_is_shown(home: Home) -> None:
    (segment,) = (home.path / "journal").glob("*.jsonl")
    lines = segment.read_bytes().split(b"\n")
    lines[100] = lines[100].replace(b'"worker":"w01', b'"worker":"w99')
    segment.write_bytes(b"\n".join(lines))
    source = Source(home.path)
    assert "chain is broken: line after number 100" in troubles(source)
    assert seen(source).strip.cycles == 120


def test_a_line_without_its_end_is_not_there_yet(home: Home) -> None:
    (segment,) = (home.path / "journal").glob("*.jsonl")
    data = segment.read_bytes()
    segment.write_bytes(data[:-10])
    source = Source(home.path)
    assert seen(source).strip.runs[-1].cells[-1].mark is Mark.DECIDING
    segment.write_bytes(data)
    assert seen(source).strip.runs[-1].cells[-1].mark is Mark.DONE
    assert troubles(source) == ""


def test_a_journal_that_begins_anew_is_read_anew(home: Home) -> None:
    source = Source(home.path)
    seen(source)
    (segment,) = (home.path / "journal").glob("*.jsonl")
    data = segment.read_bytes()
    segment.write_bytes(b"\n".join(data.split(b"\n")[:41]) + b"\n")
    assert seen(source).strip.cycles == 20
    segment.unlink()
    assert seen(source).strip.cycles == 0


def test_releases_are_named_and_offered_that_the_newest_lines_do_not_name(home: Home) -> None:
    """Each new page read the newest lines alone: what others had earned stood there without words,
    and none of them could be chosen to go back to.
    """
    (segment,) = (home.path / "journal").glob("*.jsonl")
    segment.unlink()
    view = seen(Source(home.path))
    assert {row.subject for row in view.earned} == {SUBJECTS[SECOND]}
    assert {release for release, _ in view.kept} == {FIRST, SECOND}
    shutil.rmtree(release_directory(home.path, FIRST))
    view = seen(Source(home.path))
    assert {release for release, _ in view.kept} == {SECOND}


def test_a_bad_line_of_the_history_is_counted(home: Home) -> None:
    with (home.path / "deploys.jsonl").open("ab") as file:
        file.write(b'{"deploy":\n')
    source = Source(home.path)
    assert "1 line of the history of deploys cannot be read" in troubles(source)
    assert len(seen(source).deploys) == 3


@pytest.mark.parametrize("words", [b"", b"{", b'{"children":[{"name":1}]}', b"[]"])
def test_the_launchers_notes_are_advice(home: Home, words: bytes) -> None:
    (home.path / "run" / "launcher.json").write_bytes(words)
    (home.path / "run" / "deploy.json").write_bytes(words)
    source = Source(home.path)
    assert "The deploy under way cannot be read" in troubles(source)
    assert seen(source).crew.standby == ()


def test_processes_are_looked_at_where_they_are_named(home: Home) -> None:
    """A killed owner writes nothing down, a stopped one neither."""
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        identity = identity_of(process.pid)
        assert identity is not None
        assert sign_of(identity) is Sign.RUNS
        home.launcher = identity
        home.write_children()
        source = Source(home.path)
        assert seen(source).troubles == ()
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert "The launcher is stopped by a signal" in troubles(source)
        process.kill()
        process.wait()
        assert "The launcher is gone" in troubles(source)
        assert sign_of(None) is Sign.UNKNOWN


def test_a_reading_costs_little(home: Home) -> None:
    """A page beside a trader with cycles of a second must not use the processor up."""
    source = Source(home.path)
    seen(source)
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        for _ in range(100):
            source.refresh()
    finally:
        sys.setprofile(None)
    assert calls / 100 < CALLS_MAX
