"""On a full disk a worker lives, ends what was planned, starts nothing, and goes on by itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.installation import environment

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
LIMIT_S = 150.0
pytestmark = pytest.mark.timeout(180)


def namespaces_permitted() -> bool:
    if shutil.which("unshare") is None:
        return False
    command = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def filled(tmp_path: Path, *catch_up_s: str) -> dict[str, Any]:
    if not namespaces_permitted():
        pytest.skip("user namespaces are not permitted")
    disk, outside = tmp_path / "disk", tmp_path / "outside"
    disk.mkdir()
    outside.mkdir()
    command = [sys.executable, "-m", "tests.crash.full_disk", str(disk), str(outside)]
    done = subprocess.run(
        [*NAMESPACE, *command, *catch_up_s],
        cwd=ROOT,
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def check_nothing_broke(seen: dict[str, Any]) -> None:
    assert seen["spent"], "the fate of what was planned was written with the spare"
    assert seen["stood_still"]
    assert seen["performed_while_full"] == 0
    assert seen["alive"]
    assert seen["owners"] == 1, "nobody had to be started anew"
    assert any("No space left on device" in reason for reason in seen["logged"])
    assert seen["spare_back"]
    assert seen["down"]
    assert seen["twice"] == 0
    assert seen["decided"] == seen["performed"]


def test_cycles_go_on_when_the_disk_is_free_again_and_none_is_left_out(tmp_path: Path) -> None:
    seen = filled(tmp_path)
    check_nothing_broke(seen)
    assert seen["missed"] == []


def test_what_is_too_old_by_then_is_missed_with_its_reason(tmp_path: Path) -> None:
    seen = filled(tmp_path, "1.2")
    check_nothing_broke(seen)
    assert seen["missed"] != []
    assert all("beyond the catch-up limit" in reason for reason in seen["missed"])
