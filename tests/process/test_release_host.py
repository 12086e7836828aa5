"""What the machine has, and what a container leaves of it."""

import os
from pathlib import Path

import pytest

from deploy import host
from deploy.gates import MIB


def group(path: Path, *, limit: str, used: int, cached: int = 0) -> None:
    path.mkdir(parents=True, exist_ok=True)
    (path / "memory.max").write_text(f"{limit}\n", encoding="ascii")
    (path / "memory.current").write_text(f"{used}\n", encoding="ascii")
    (path / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n", encoding="ascii")


def test_this_process_has_a_size_and_the_machine_has_room() -> None:
    assert host.resident_bytes(os.getpid()) > MIB
    assert host.memory_available_bytes() > MIB


def test_a_process_that_is_gone_has_no_size() -> None:
    assert host.resident_bytes(2**22 + 1) == 0


def test_the_disk_is_asked_at_the_nearest_directory_that_exists(tmp_path: Path) -> None:
    """The home directory of a first start is not there yet."""
    of_none = host.disk_free_bytes(tmp_path / "not" / "yet")
    # Others write to the disk between the two questions.
    assert of_none == pytest.approx(host.disk_free_bytes(tmp_path), rel=0.05)


def test_every_limit_above_us_counts(tmp_path: Path) -> None:
    """In a container of 1 GiB on a host of 64 GiB, the host's memory is not ours."""
    groups, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("0::/slice/unit\n", encoding="ascii")
    group(groups / "slice" / "unit", limit=str(300 * MIB), used=100 * MIB, cached=20 * MIB)
    group(groups / "slice", limit=str(100 * MIB), used=150 * MIB)
    assert host.control_group_rooms(groups, own) == [220 * MIB, 0]


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    groups, own = tmp_path / "cgroup", tmp_path / "own"
    assert host.control_group_rooms(groups, own) == []
    own.write_text("0::/\n", encoding="ascii")
    groups.mkdir()
    assert host.control_group_rooms(groups, own) == []
    group(groups, limit="max", used=100)
    assert host.control_group_rooms(groups, own) == []
