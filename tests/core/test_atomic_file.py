"""A file is replaced as a whole, durably, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from state import atomic_file
from state.atomic_file import (
    PlacedUnsynced,
    SystemFiles,
    keep_as,
    make_directory,
    replace_file,
    reserve,
    rewrite,
    write_all,
)
from tests.faulty_files import FaultyFiles, Killed

if TYPE_CHECKING:
    from pathlib import Path


def test_a_replaced_file_holds_the_new_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"one", b"two", b"three"):
        replace_file(SystemFiles(), path, data)
    assert path.read_bytes() == b"three"
    assert {each.name for each in tmp_path.iterdir()} == {"file"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_killed_at_any_call_the_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(SystemFiles(), path, b"one")
    seen = set()
    for count in range(30):
        files = FaultyFiles()
        files.kill_at(count)
        try:
            replace_file(files, path, b"two")
        except Killed:
            seen.add(path.read_bytes())
            replace_file(SystemFiles(), path, b"one")
            assert path.read_bytes() == b"one"
            assert {each.name for each in tmp_path.iterdir()} == {"file"}
        else:
            break
    assert seen == {b"one", b"two"}
    assert path.read_bytes() == b"two"


def test_a_second_name_is_moved_to_another_file(tmp_path: Path) -> None:
    """The generation before the newest one is kept under it, whatever died on the way."""
    path, second = tmp_path / "file", tmp_path / "second"
    keep_as(SystemFiles(), path, second)
    assert list(tmp_path.iterdir()) == []
    for data in (b"one", b"two", b"two"):
        replace_file(SystemFiles(), path, data)
        (tmp_path / "second.new").write_bytes(b"left behind by a process that died")
        keep_as(SystemFiles(), path, second)
        keep_as(SystemFiles(), path, second)
        assert second.read_bytes() == data
        assert {each.name for each in tmp_path.iterdir()} == {"file", "second"}


def test_a_file_is_rewritten_in_its_place(tmp_path: Path) -> None:
    """Its name needs no other fsync of the directory."""
    path = tmp_path / "file"
    replace_file(SystemFiles(), path, b"one and more")
    inode = path.stat().st_ino
    files = FaultyFiles()
    rewrite(files, path, b"two")
    assert (path.read_bytes(), path.stat().st_ino) == (b"two", inode)
    assert files.calls[-1] == ("fsync", "file")


def test_an_error_before_the_rename_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(SystemFiles(), path, b"one")
    for call in ("create", "write", "fsync"):
        files = FaultyFiles()
        files.fail(call, "file.new", errno.ENOSPC)
        with pytest.raises(OSError, match="No space"):
            replace_file(files, path, b"two")
        assert path.read_bytes() == b"one"
        assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_rename_that_fails_is_not_made_up_for_by_writing_in_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(SystemFiles(), path, b"one")
    files = FaultyFiles()
    files.fail("replace", "file", errno.EACCES)
    with pytest.raises(OSError, match="Permission"):
        replace_file(files, path, b"two")
    assert path.read_bytes() == b"one"


def test_a_directory_that_cannot_be_synced_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files = FaultyFiles()
    files.fail("fsync", tmp_path.name)
    with pytest.raises(PlacedUnsynced):
        replace_file(files, path, b"two")
    assert path.read_bytes() == b"two"


def test_short_writes_are_continued(tmp_path: Path) -> None:
    class Reluctant(SystemFiles):
        @override
        def write(self, descriptor: int, data: memoryview) -> int:
            return super().write(descriptor, data[:7])

    replace_file(Reluctant(), tmp_path / "file", bytes(range(100)))
    assert (tmp_path / "file").read_bytes() == bytes(range(100))


def test_a_reserve_has_real_blocks_and_only_grows(tmp_path: Path) -> None:
    path = tmp_path / "spare"
    reserve(SystemFiles(), path, 100_000)
    first = path.stat()
    assert first.st_blocks * 512 >= 100_000
    reserve(SystemFiles(), path, 50_000)
    assert path.stat().st_ino == first.st_ino
    reserve(SystemFiles(), path, 200_000)
    assert path.stat().st_size == 200_000


def test_a_reserve_that_finds_no_room_leaves_none(tmp_path: Path) -> None:
    files = FaultyFiles()
    files.fail("allocate", "spare", errno.ENOSPC)
    with pytest.raises(OSError, match="No space"):
        reserve(files, tmp_path / "spare", 1000)
    assert list(tmp_path.iterdir()) == []


def test_where_blocks_cannot_be_allocated_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    reserve(SystemFiles(), tmp_path / "spare", 100_000)
    assert (tmp_path / "spare").stat().st_blocks * 512 >= 100_000


def test_where_fsync_does_not_reach_the_medium_the_full_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(atomic_file, "F_FULLFSYNC", 51)
    monkeypatch.setattr(
        atomic_file, "fcntl", lambda fd, word: calls.append((fd, word)), raising=False
    )
    SystemFiles().fsync(7)
    assert calls == [(7, 51)]
    assert list(tmp_path.iterdir()) == []


def test_new_directories_are_durable_one_by_one(tmp_path: Path) -> None:
    files = FaultyFiles()
    make_directory(files, tmp_path / "a" / "b")
    synced = [name for call, name in files.calls if call == "fsync"]
    assert synced == [tmp_path.name, "a"]
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    make_directory(files, tmp_path / "a" / "b")


def test_nothing_is_written_for_no_bytes(tmp_path: Path) -> None:
    files = FaultyFiles()
    descriptor = files.open(tmp_path / "file", atomic_file.NEW_FILE)
    write_all(files, descriptor, b"")
    files.close(descriptor)
    assert ("write", "file") not in files.calls
