"""Where we stand does not matter: a path means the same to every command, from everywhere.

A bot is started from a directory that is cleared away a week later, asked from a cron job that
begins in another one, and read by workers that run in their release's tree.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import commands, frozen_directory
from state.local_store import read_only_snapshot
from tests.process.cli_project import Project, record_of
from tests.process.poor_world import BARE, can_be_nobody, run_poor
from tests.shared_environment import share_environment

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path)
    found.home = found.tree / "state of it"
    path = found.tree / "foresight.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[engine]\n", '[engine]\nhome = "state of it"\n'))
    (found.tree / ".gitignore").write_text("state of it/\n")
    found.git("add", ".gitignore")
    found.git("commit", "-qam", "Name the home")
    return found


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a directory that is not there any more."""
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()
    return place


def test_a_relative_home_is_the_same_from_everywhere(project: Project) -> None:
    """`-c` from another directory spoke of another home: a halt there stopped nobody."""
    project.record(record_of())
    file = str(project.tree / "foresight.toml")
    for note, directory, words in (
        ("inside", project.tree, []),
        ("named", project.place, ["-c", file]),
        ("relative", project.place, ["-c", "a project/foresight.toml"]),
        ("changed", Path("/"), ["-C", str(project.tree)]),
    ):
        done = project.run_in(directory, *words, "halt", "--note", note)
        assert done.returncode == 0, done.stderr
        assert read_only_snapshot(project.home / "state").control.note == note
    assert not (project.place / "state of it").exists()


@pytest.mark.usefixtures("gone")
def test_who_stands_in_a_directory_that_is_gone_can_still_halt(project: Project) -> None:
    project.record(record_of())
    file = str(project.tree / "foresight.toml")
    for words in (["-c", file], ["-C", str(project.tree)]):
        done = _run_here(project, *words, "halt", "--note", words[0])
        assert done.returncode == 0, done.stderr
        assert read_only_snapshot(project.home / "state").control.note == words[0]
    done = _run_here(project, "halt")
    assert (done.returncode, "a directory that is gone" in done.stderr) == (2, True), done.stderr


@pytest.mark.usefixtures("gone")
def test_a_program_runs_where_something_is() -> None:
    """An installer that begins in a directory that is gone ends with an error of its own."""
    program = "import os; print(os.getcwd())"
    done = commands.run([sys.executable, "-c", program], limit_s=30, environment=BARE)
    assert (done.code, done.output) == (0, b"/\n"), done.errors


@pytest.mark.skipif(not can_be_nobody(), reason="this machine gives no user namespace")
def test_a_home_below_nobodys_directory_is_one_clear_refusal(tmp_path: Path) -> None:
    project = Project(tmp_path)
    path = project.tree / "foresight.toml"
    path.write_text(path.read_text().replace("[engine]\n", '[engine]\nhome = "~/bot"\n'))
    done = run_poor(project.tree, "halt")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert "nothing says where ~ is, as in ~/bot" in done.stderr


@pytest.mark.parametrize("named", ["~/keys/wallet", "keys/wallet"])
def test_a_unit_hands_over_the_key_that_doctor_looked_at(tmp_path: Path, named: str) -> None:
    """The unit named a file below a directory called `~`, and the service did not start."""
    project, user = Project(tmp_path), tmp_path / "user"
    path = (user if named.startswith("~") else project.tree) / "keys" / "wallet"
    path.parent.mkdir(parents=True)
    path.write_text("0" * 64)
    path.chmod(0o600)
    config = project.tree / "foresight.toml"
    venue = f'[venue]\nkind = "live"\nlive = true\nwallet = "0xab"\nkey_file = "{named}"\n'
    config.write_text(config.read_text().replace("speed = 60\n", "") + venue)
    shown = project.run("unit", "show", HOME=str(user))
    assert f"LoadCredential=venue-key:{path}\n" in shown.stdout, shown.stderr
    looked = project.run("doctor", "--json", HOME=str(user))
    rows = [json.loads(line) for line in looked.stdout.splitlines()]
    assert [row["found"] for row in rows if row["check"] == "key"] == [f"{path}, ours alone"]


def test_a_launcher_whose_directory_is_deleted_goes_on_and_deploys(project: Project) -> None:
    """The shell that began it stood in a directory of a week ago."""
    share_environment(project.home, project.tree)
    begun = project.place / "begun here"
    begun.mkdir()
    try:
        assert _go_through(project, begun) == ["", ""]
    finally:
        project.run("down")
        frozen_directory.remove(project.home)


def _go_through(project: Project, begun: Path) -> list[str]:
    """Start, deploy and stop; return the words of what failed of the latter two."""
    done = project.run_in(begun, "-C", str(project.tree), "up", "-d")
    assert done.returncode == 0, done.stderr
    begun.rmdir()
    owner = read_only_snapshot(project.home / "state").ownership.owner
    assert owner is not None
    variables = Path(f"/proc/{owner.pid}/environ").read_bytes().split(b"\0")
    assert f"FORESIGHT_PROJECT={project.tree}".encode() in variables
    project.git("commit", "-q", "--allow-empty", "-m", "Another")
    ended = [project.run("deploy", "--bake", "1"), project.run("down")]
    return [each.stderr if each.returncode else "" for each in ended]


def _run_here(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "foresight", *words],
        env=BARE | {"HOME": str(project.place)},
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=100,
    )
