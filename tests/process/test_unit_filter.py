"""What the unit takes from the service is nothing that it needs, and most of what it does not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import deploy
from deploy.unit_file import Service, unit_text
from tests.process.own_project import Project

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed"),
]
TEMPLATE = Path(deploy.__file__).parent.joinpath("units", "foresight.service").read_text("utf-8")
EXPOSURE_MAX = 2.5
PATIENCE_S = 60.0
POLL_S = 0.1

REFUSED = """
import errno, os, resource
os.nice(1)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for refused in (lambda: os.chown(".", os.geteuid(), -1), lambda: os.chroot(".")):
    try:
        refused()
    except OSError as error:
        assert error.errno == errno.EPERM, error
    else:
        raise AssertionError("it was not refused")
"""
RAW = """
import ctypes, sys
library = ctypes.CDLL("libseccomp.so.2")
number = library.seccomp_syscall_resolve_name(sys.argv[1].encode())
limit = (ctypes.c_ulong * 2)()
sys.exit(ctypes.CDLL(None).syscall(number, 4, ctypes.byref(limit)) != 0)
"""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    service = Service(app="tried", command=["/bin/true"], directory="/", user="mia")
    path = tmp_path / service.unit
    path.write_text(unit_text(TEMPLATE, service), encoding="utf-8")
    return path


def under(unit: Path) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("under_unit_filter.py")), str(unit)]


def test_the_systems_unit_leaves_little_open(unit: Path) -> None:
    """It was 3.9: no call was filtered, and the devices of the host were at hand."""
    command = ["systemd-analyze", "--no-pager", "security", "--offline=true", str(unit)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout


def test_a_filtered_call_is_answered_and_what_we_need_is_allowed(unit: Path) -> None:
    """A killed owner would be a missed cycle; a refused limit an open core dump."""
    for words in ([REFUSED], [RAW, "setrlimit"]):
        command = [*under(unit), sys.executable, "-c", *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_a_bot_deploys_and_loses_its_owner_and_its_launcher_under_the_filter(
    tmp_path: Path, unit: Path
) -> None:
    """A call that only a deploy or a rescue makes would be missed when it is needed."""
    project = Project(tmp_path, under=under(unit))
    assert project.run("init", str(project.tree)).returncode == 0
    started = project.run("up", "-d")
    assert started.returncode == 0, started.stderr
    try:
        assert "Seccomp:\t2" in status_of(owner(project))
        strategy = project.tree / "strategy.py"
        strategy.write_text(strategy.read_text().replace("too near", "far too near"))
        project.commit("Say it more strongly")
        assert project.done("deploy", "--bake", "2")["outcome"] == "permanent"
        killed = owner(project)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: owner(project) not in {0, killed})
        survivor, launcher = owner(project), launcher_of(project)
        os.kill(launcher, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{launcher}").exists())
        assert project.run("up", "-d").returncode == 0
        assert owner(project) == survivor, "it was adopted"
    finally:
        stopped = project.run("down")
    assert stopped.returncode == 0, stopped.stderr
    assert project.run("cycles", "--check").returncode == 0


def owner(project: Project) -> int:
    found = project.done("status")["owner"]
    return int(found["pid"]) if found else 0


def launcher_of(project: Project) -> int:
    home = Path(project.done("status")["home"])
    return int(json.loads((home / "run" / "launcher.json").read_bytes())["pid"])


def status_of(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(POLL_S)
