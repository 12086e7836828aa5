"""The disk beneath a home: one that nothing can be loaded from, and one without inodes.

Both look like any other disk until the first build: what is installed there fails to load with
words of the dynamic loader, or a disk with gigabytes of room is full. Real file systems are
mounted, in namespaces of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy import host, survey
from tests.process.cli_project import Project, everything
from tests.process.git_project import Project as GitProject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IN_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec")
NOEXEC = 'mount --bind "$1" "$1"\nmount -o remount,bind,noexec,nosuid,nodev "$1"\nshift\nexec "$@"'
FEW_INODES = 'mount -t tmpfs -o nr_inodes=100,mode=700 tmpfs "$1"\nshift\nexec "$@"'


def can_mount() -> bool:
    """Tell whether this machine lets a process mount in namespaces of its own."""
    return (
        subprocess.run([*IN_NAMESPACES, "true"], check=False, capture_output=True).returncode == 0
    )


pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not can_mount(), reason="this machine gives no user namespace"),
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path)
    found.home.mkdir(parents=True, mode=0o700)
    return found


def run_on(
    script: str, place: Path, words: Sequence[str], **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*IN_NAMESPACES, script, "sh", str(place), *words],
        env=os.environ | variables,
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=100,
    )


def foresight_on(
    script: str, place: Path, project: Project, *words: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foresight", "-C", str(project.tree), *words]
    state = {"XDG_STATE_HOME": str(project.place / "state")}
    return run_on(script, place, command, **state, **variables)


def disk_of(doctor: subprocess.CompletedProcess[str]) -> dict[str, str]:
    rows = [json.loads(line) for line in doctor.stdout.splitlines()]
    (found,) = (row for row in rows if row["check"] == "disk")
    return dict(found)


def test_a_noexec_home_is_one_clear_refusal_before_anything_is_built(project: Project) -> None:
    """It was a traceback of the dynamic loader, after an environment had been installed."""
    done = foresight_on(NOEXEC, project.home, project, "up", "-d")
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    error, hint = done.stderr.strip().splitlines()
    assert error.startswith(f"error: {project.home}: is mounted noexec")
    assert "choose another [engine] home" in hint
    assert not list((project.home / "releases").iterdir())


def test_the_doctor_sees_a_noexec_home(project: Project) -> None:
    done = foresight_on(NOEXEC, project.home, project, "doctor", "--json")
    found = disk_of(done)
    assert (found["verdict"], "noexec" in found["found"]) == ("bad", True), found
    assert "[engine] home" in found["remedy"]
    assert not everything(project.home)


def test_environments_on_a_disk_of_their_own_are_what_counts(project: Project) -> None:
    """A home whose environments lie where they can be loaded came up yesterday."""
    own = project.home / "environments"
    own.mkdir()
    elsewhere = NOEXEC.replace("shift", f'mount -t tmpfs tmpfs "{own}"\nshift')
    done = foresight_on(elsewhere, project.home, project, "doctor", "--json")
    assert disk_of(done)["verdict"] == "good", done.stdout
    done = foresight_on(NOEXEC, own, project, "doctor", "--json")
    assert f"{own} is mounted noexec" in disk_of(done)["found"]


def test_a_flag_that_keeps_nothing_from_loading_is_no_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems say noexec and load all the same: a bot that ran there comes up."""
    real = os.statvfs(tmp_path)
    lie = os.statvfs_result((*real[:8], real.f_flag | os.ST_NOEXEC, *real[9:]))
    monkeypatch.setattr(os, "statvfs", lambda _: lie)
    assert not host.is_noexec(tmp_path)


def test_a_disk_without_inodes_is_said_at_start_and_called_by_its_name(project: Project) -> None:
    """It had gigabytes free, and the words were that a build needs sixteen megabytes."""
    words = ("up", "-d", "--force-filesystem")
    done = foresight_on(FEW_INODES, project.home, project, *words)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    said, *_, error, _ = done.stderr.strip().splitlines()
    assert said.startswith("the disk beneath the home: the build does not fit: "), done.stderr
    assert "more files (inodes)" in said
    assert "with more inodes" in said
    assert "more files (inodes)" in error


def test_the_doctor_counts_inodes(project: Project) -> None:
    done = foresight_on(FEW_INODES, project.home, project, "doctor", "--json")
    found = disk_of(done)
    assert (found["verdict"], "(inodes)" in found["found"]) == ("bad", True), found


def test_a_deploy_without_inodes_is_refused_by_the_gate_of_the_disk(tmp_path: Path) -> None:
    """The build began, and failed in the middle with the owner beside it."""
    repository = GitProject(tmp_path / "project").path
    home = tmp_path / "home"
    home.mkdir()
    program = (
        "import sys, pathlib\n"
        "from deploy import releases_dir, survey\n"
        "from deploy.git_tree import GitTree\n"
        "home, tree = pathlib.Path(sys.argv[1]), GitTree(pathlib.Path(sys.argv[2]))\n"
        "intended = releases_dir.intend(home, tree, tree.commit('HEAD'))\n"
        "print(survey.disk(home, intended).reason)\n"
    )
    command = [sys.executable, "-c", program, str(home), str(repository)]
    few, enough = (
        run_on(script, home, command)
        for script in (FEW_INODES, FEW_INODES.replace("inodes=100", "inodes=100000"))
    )
    assert "(inodes)" in few.stdout, few.stderr
    assert (enough.returncode, enough.stdout) == (0, "\n"), enough.stderr


def test_a_noexec_place_for_temporary_files_refuses_nothing(project: Project) -> None:
    """Hardened hosts mount /tmp so: it is said, with the one thing to do where it matters."""
    place = project.place / "temporary"
    place.mkdir()
    done = foresight_on(NOEXEC, place, project, "doctor", "--json", TMPDIR=str(place))
    found = disk_of(done)
    assert found["verdict"] == "odd", found
    assert f"{place} is mounted noexec" in found["found"]
    assert "TMPDIR" in found["remedy"]


def test_room_is_measured_where_the_home_will_be(tmp_path: Path) -> None:
    """The home of a first start is not there yet."""
    there = survey.look_at_disk(tmp_path, needed_bytes=1, files_needed=1)
    later = survey.look_at_disk(tmp_path / "not" / "yet", needed_bytes=1, files_needed=1)
    assert (there.files_free is None) == (later.files_free is None)
    assert (later.noexec, later.noexec_temporary) == ("", "")
