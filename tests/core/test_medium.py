"""State stays off file systems that lose it or do not lock it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from state import medium
from state.errors import HomeUnsuitable
from state.medium import file_system_magic, overlay_options, refuse_unsuitable, why_unsuitable

EXT4 = 0xEF53
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the magic numbers are Linux's")


@pytest.mark.parametrize(
    ("magic", "options", "word"),
    [
        (0x6969, "", "NFS"),
        (0xFF534D42, "", "CIFS"),
        (0xFE534D42, "", "SMB2"),
        (0x01021994, "", "tmpfs"),
        (0x858458F6, "", "ramfs"),
        (0x794C7630, "rw,lowerdir=/a,volatile", "volatile overlay"),
    ],
)
def test_what_loses_state_or_does_not_lock_it_is_refused(
    magic: int, options: str, word: str
) -> None:
    assert word in why_unsuitable(magic, options)


@pytest.mark.parametrize(
    ("magic", "options"), [(EXT4, ""), (0x794C7630, "rw,lowerdir=/a/volatile"), (0x9123683E, "")]
)
def test_local_disks_are_fine(magic: int, options: str) -> None:
    assert why_unsuitable(magic, options) == ""


@linux_only
def test_the_kernel_is_asked_and_not_the_mount_point() -> None:
    assert file_system_magic(Path("/proc")) == 0x9FA0


@linux_only
def test_a_path_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        file_system_magic(tmp_path / "nowhere")


@linux_only
def test_the_refusal_names_the_path_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medium, "file_system_magic", lambda _: 0x6969)
    with pytest.raises(HomeUnsuitable, match="NFS") as caught:
        refuse_unsuitable(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "local disk" in caught.value.hint


def test_elsewhere_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(medium, "file_system_magic", lambda _: 0x6969)
    refuse_unsuitable(tmp_path)
    assert why_unsuitable(0x6969, "") != ""


@linux_only
def test_only_an_overlay_has_options_that_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path.stat().st_dev
    words = f"{device >> 8 & 0xFFF}:{device & 0xFF}"
    table = f"21 1 0:99 / /x rw - overlay o lower\n22 1 {words} / / rw - {{}} src rw,volatile\n"
    for kind, expected in (("overlay", "rw,volatile"), ("ext4", "")):
        monkeypatch.setattr(Path, "read_text", lambda *_, kind=kind, **__: table.format(kind))
        assert overlay_options(tmp_path) == expected
