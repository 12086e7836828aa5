"""A home directory that cannot be used is refused at once, with what to do, and not touched."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from handoff.exit_codes import ExitCode
from state.seal import seal
from tests.process.hurt import ENTRY, Hurt, verify_nothing_lost

pytestmark = pytest.mark.timeout(180)
PATH_CHARS = 200
# Sockets are not copied, and what is being written is gone before it could be.
PASSING = shutil.ignore_patterns("*.sock", "*.json.*")


def test_a_home_with_a_path_of_200_characters_works(tmp_path: Path) -> None:
    """A socket's address holds 107."""
    rest = PATH_CHARS - len(str(tmp_path)) - 1
    home = tmp_path / "/".join(["h" * 60] * 8)[:rest].rstrip("/")
    with Hurt(tmp_path / "beside", home=home) as hurt:
        hurt.up()
        limits = Path(f"/proc/{hurt.the_owner().pid}/limits").read_text().splitlines()
        cores = [line.split()[4:6] for line in limits if line.startswith("Max core file size")]
        assert cores == [["0", "0"]], "a core would hold keys"
        assert hurt.replace(hurt.release("v1")).returncode == ExitCode.DONE
        assert hurt.version() == "v1"
        verify_nothing_lost(hurt)


@pytest.mark.parametrize("kind", ["under a file", "read-only"])
def test_a_home_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    # Even the superuser makes no directory in /proc.
    home = {"under a file": tmp_path / "file" / "home", "read-only": _unwritable()}[kind]
    hurt = Hurt(tmp_path, home=home)
    done = hurt.call("run", ENTRY, "--tree", str(hurt.release("v0")), "--app", "bench")
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert str(home) in done.stderr


def _unwritable() -> Path:
    return Path("/proc/handoff-home") if sys.platform == "linux" else Path("/dev/null/home")


@pytest.mark.skipif(sys.platform != "linux", reason="no tmpfs at a known place")
def test_a_home_in_memory_is_refused_before_anything_starts() -> None:
    """A restart of the host would empty it; the launcher must not learn that from its workers."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        hurt = Hurt(Path(place))
        done = hurt.call("run", ENTRY, "--tree", str(hurt.release("v0")), timeout_s=30)
        assert done.returncode == ExitCode.FAILED
        assert "tmpfs" in done.stderr
        assert "hint:" in done.stderr


def test_a_copy_is_refused_also_when_its_owner_was_replaced_since(tmp_path: Path) -> None:
    """A backup names an owner that is dead: that is no proof that its home moved.

    The original goes on; both would decide, and each effect would be sent twice.
    """
    copy = tmp_path / "copy"
    with Hurt(tmp_path / "original") as original:
        original.up()
        shutil.copytree(original.home, copy, ignore=PASSING)
        replaced = original.the_owner()
        assert original.replace(original.release("v1")).returncode == ExitCode.DONE
        original.wait(lambda: replaced.pid not in original.workers(), "the end of the first owner")
        other = Hurt(tmp_path / "beside", home=copy)
        tree = str(original.directory / "trees" / "v1")
        done = other.call("run", ENTRY, "--tree", tree, "--app", "bench", timeout_s=30)
        assert done.returncode == ExitCode.FAILED, done
        assert f"{copy} is a copy of {original.home}, whose launcher is alive" in done.stderr
        assert "hint:" in done.stderr
        assert other.workers() == []
        assert original.version() == "v1"
        verify_nothing_lost(original)


def _stopped(tmp_path: Path) -> Hurt:
    hurt = Hurt(tmp_path)
    with hurt:
        hurt.up()
        assert hurt.down() == ExitCode.DONE
    return hurt


def _refused(hurt: Hurt, *options: str, app: str = "bench") -> str:
    path = hurt.home / "state" / "record.json"
    before = path.read_bytes()
    tree = str(hurt.directory / "trees" / "v0")
    done = hurt.call("run", ENTRY, "--tree", tree, "--app", app, *options, timeout_s=30)
    assert done.returncode == ExitCode.FAILED, done
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == before
    assert hurt.workers() == []
    return done.stderr


def test_a_record_of_another_app_is_refused(tmp_path: Path) -> None:
    said = _refused(_stopped(tmp_path), app="other")
    assert "bench" in said
    assert "other" in said


def test_a_record_of_another_timeline_is_refused(tmp_path: Path) -> None:
    assert "timeline speed" in _refused(_stopped(tmp_path), "--speed", "10")


def test_a_record_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    hurt = _stopped(tmp_path)
    path = hurt.home / "state" / "record.json"
    plain = json.loads(path.read_bytes())
    del plain["digest"]
    plain["format"] = 99
    path.write_bytes(seal(json.dumps(plain).encode(), field="digest")[0])
    assert "format" in _refused(hurt)


def test_a_damaged_record_comes_back_from_the_journal(tmp_path: Path) -> None:
    """A torn file is no reason to stop: what it held is proven elsewhere."""
    hurt = _stopped(tmp_path)
    path = hurt.home / "state" / "record.json"
    path.write_bytes(path.read_bytes()[:-20])
    with hurt:
        hurt.up()
        verify_nothing_lost(hurt)
