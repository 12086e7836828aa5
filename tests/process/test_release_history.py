"""The history on disk: whole lines, once each, whoever is killed."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from filelock import FileLock

from deploy import history
from deploy.errors import HistoryBusy, HistoryUnreadable
from deploy.history import Entry, Outcome, requested
from state.atomic_file import SystemFiles
from state.errors import WriteFailed

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from pathlib import Path
from deploy.history import finish
from tests.process.test_release_history import ended
for number in range(20):
    finish(Path(sys.argv[1]), ended(f"{sys.argv[2]}-{number}"))
"""


def ended(deploy: str) -> Entry:
    asked = requested(deploy, now_ns=1, by="mia", ref="HEAD", from_release="old")
    return msgspec.structs.replace(asked, outcome=str(Outcome.REFUSED), reason="boot: no")


def test_a_finished_deploy_is_written_once_however_often_it_is_finished(tmp_path: Path) -> None:
    """A deployer that was killed between line and clean-up does both again."""
    history.write_current(tmp_path, ended("d1"))
    history.finish(tmp_path, ended("d1"))
    history.finish(tmp_path, ended("d1"))
    history.finish(tmp_path, ended("d2"))
    assert [entry.deploy for entry in history.read_history(tmp_path).entries] == ["d1", "d2"]
    assert history.read_current(tmp_path) is None


def test_a_deploy_that_ends_while_it_waits_leaves_the_other_one_under_way(tmp_path: Path) -> None:
    """A superseded request must not make a bake in progress forgotten."""
    history.write_current(tmp_path, ended("d1"))
    history.finish(tmp_path, ended("d2"))
    assert history.read_current(tmp_path) == ended("d1")


def test_the_deploy_under_way_survives_its_deployer(tmp_path: Path) -> None:
    asked = requested("d1", now_ns=1, by="mia", ref="HEAD", from_release="old")
    assert history.read_current(tmp_path) is None
    history.write_current(tmp_path, asked)
    further = msgspec.structs.replace(asked, phase="gating", phases={"building": 0.2})
    history.write_current(tmp_path, further)
    assert history.read_current(tmp_path) == further
    assert history.read_history(tmp_path).entries == ()


def test_what_is_no_deploy_is_not_continued(tmp_path: Path) -> None:
    history.write_current(tmp_path, ended("d1"))
    (tmp_path / "run" / "deploy.json").write_text("{}", encoding="utf-8")
    with pytest.raises(HistoryUnreadable):
        history.read_current(tmp_path)


def test_a_torn_line_does_not_swallow_the_next_one(tmp_path: Path) -> None:
    history.finish(tmp_path, ended("d1"))
    path = tmp_path / "deploys.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    history.finish(tmp_path, ended("d2"))
    after = history.read_history(tmp_path)
    assert ([entry.deploy for entry in after.entries], after.unreadable) == (["d2"], 1)


def test_a_full_disk_leaves_whole_lines_and_the_deploy_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.finish(tmp_path, ended("d1"))
    before = (tmp_path / "deploys.jsonl").read_bytes()
    history.write_current(tmp_path, ended("d2"))

    def half(self: SystemFiles, descriptor: int, data: memoryview) -> int:
        assert self is not None
        if data.nbytes < 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(descriptor, data[: data.nbytes - 50])

    with monkeypatch.context() as patch:
        patch.setattr(SystemFiles, "write", half)
        with pytest.raises(WriteFailed):
            history.finish(tmp_path, ended("d2"))
    assert (tmp_path / "deploys.jsonl").read_bytes() == before
    assert history.read_current(tmp_path) == ended("d2")


def test_a_lock_that_is_not_free_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LOCK_LIMIT_S", 0.1)
    history.finish(tmp_path, ended("d1"))
    with FileLock(tmp_path / "run" / "deploys.lock"), pytest.raises(HistoryBusy):
        history.finish(tmp_path, ended("d2"))


def test_writers_at_once_lose_no_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, str(number)], cwd=ROOT) for number in range(3)]
    assert [writer.wait(timeout=15) for writer in writers] == [0, 0, 0]
    found = history.read_history(tmp_path)
    assert (len(found.entries), found.unreadable) == (60, 0)


def test_only_its_owner_reads_the_history(tmp_path: Path) -> None:
    history.finish(tmp_path, ended("d1"))
    history.write_current(tmp_path, ended("d2"))
    for name in ("deploys.jsonl", "run/deploy.json"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
