"""What is promised of every command: `-c`, `-C`, `-q`, `-v`, `NO_COLOR`, `--version`.

Whoever pipes a command into another reads stdout; whoever runs one by cron wants errors alone;
whoever looks for a fault wants more. No option changes what the others read.
"""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import click
import pytest

from foresight.cli.main import cli
from tests.process.cli_project import ROOT, Project, record_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

# Each command as it ends by itself, in a project with a record and nothing running.
COMMANDS = {
    "up": ["up", "--live"],
    "down": ["down"],
    "deploy": ["deploy", "--plan"],
    "rollback": ["rollback"],
    "deploys": ["deploys"],
    "releases": ["releases"],
    "ps": ["ps"],
    "status": ["status"],
    "state show": ["state", "show"],
    "state verify": ["state", "verify"],
    "state export": ["state", "export", "{place}/copy"],
    "state repair": ["state", "repair"],
    "state restore": ["state", "restore", "{place}/nothing"],
    "state migrate": ["state", "migrate", "--plan"],
    "cycles": ["cycles"],
    "trades": ["trades"],
    "anomalies": ["anomalies"],
    "logs": ["logs"],
    "pause": ["pause"],
    "resume": ["resume"],
    "halt": ["halt"],
    "locks": ["locks"],
    "lock": ["lock", "BTC"],
    "unlock": ["unlock"],
    "exchange": ["exchange", "--help"],
    "dashboard": ["dashboard", "--port", "{taken}"],
    "hook install": ["hook", "install"],
    "hook remove": ["hook", "remove"],
    "hook status": ["hook", "status"],
    "hook run": ["hook", "run", "--home", "{place}/none", "--git-dir", "{place}/none"],
    "unit show": ["unit", "show"],
    "unit install": ["unit", "install"],
    "unit remove": ["unit", "remove"],
    "init": ["init", "{place}/new"],
    "doctor": ["doctor"],
    "backtest": ["backtest", "{place}"],
    "compare": ["compare", "{place}/a.toml", "{place}/b.toml", "--candles", "{place}"],
    "report": ["report", "--out", "{place}/none/report.html"],
    "calibrate": ["calibrate", "{place}", "--into", "{place}"],
    "download": [
        "download",
        "{place}/candles",
        "--assets",
        "BTC",
        "--from",
        "2025-06-01",
        "--exchange",
        "none",
    ],
    "drill": ["drill", "--yes"],
    "uninstall": ["uninstall", "--yes"],
}


def leaves(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every command by its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*before, name))
        else:
            yield " ".join((*before, name))


def run(place: Path, words: list[str], *options: str, port: int) -> tuple[int, str, list[str]]:
    """Run a command in a new project; return its code, its stdout without numbers, its notes."""
    place.mkdir()
    project = Project(place)
    project.record(record_of())
    named = [word.format(place=place, taken=port) for word in words]
    chosen = [option.format(tree=project.tree) for option in options]
    where = place if chosen else project.tree
    done = project.run_in(where, *chosen, *named, XDG_CONFIG_HOME=str(place / "config"))
    assert "Traceback" not in done.stderr
    # What else this account runs comes and goes.
    stdout = "" if words == COMMANDS["ps"] else done.stdout
    plain = stdout.replace(str(place), "PLACE")
    notes = done.stderr.replace(str(place), "PLACE").splitlines()
    plain = re.sub(r"[0-9a-f]*[0-9]+[0-9a-f]*", "#", plain)
    return done.returncode, re.sub(r" +", " ", plain), notes


def complaints(notes: list[str]) -> list[str]:
    return [line for line in notes if line.startswith(("error: ", "hint: "))]


def test_every_command_is_tried() -> None:
    """A command that somebody adds is tried as well, or this fails."""
    assert set(leaves(cli)) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_keeps_the_global_options(tmp_path: Path, name: str) -> None:
    """Quiet says errors alone, verbose more; data and exit code are the same, from anywhere."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, data, notes = run(tmp_path / "loud", COMMANDS[name], port=port)
        quiet = run(tmp_path / "still", COMMANDS[name], "-q", "-C", "{tree}", port=port)
        more = run(
            tmp_path / "more", COMMANDS[name], "-v", "-c", "{tree}/foresight.toml", port=port
        )
    assert quiet == (code, data, complaints(notes))
    assert more[:2] == (code, data)
    assert len(more[2]) > len(notes)
    assert complaints(more[2]) == complaints(notes)


@pytest.mark.parametrize("options", [("-v", "-q"), ("-q", "-v")])
def test_both_together_are_neither(tmp_path: Path, options: tuple[str, str]) -> None:
    project = Project(tmp_path)
    project.record(record_of())
    assert project.run(*options, "pause").stderr == project.run("pause").stderr != ""


def test_what_led_to_an_error_is_said_to_who_asks(tmp_path: Path) -> None:
    """The operating system's own words help, without a traceback."""
    project = Project(tmp_path)
    (project.tree / "foresight.toml").write_text("[engine\n", encoding="utf-8")
    plain, more = project.run("status"), project.run("-v", "status")
    assert plain.returncode == more.returncode == 2
    assert "because of TOMLDecodeError: " in more.stderr
    assert "because of" not in plain.stderr
    assert "Traceback" not in more.stderr


def test_the_version_is_the_project_s() -> None:
    command = [sys.executable, "-m", "foresight", "--version"]
    done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, text=True)
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert done.stdout == f"foresight, version {wanted}\n"


@pytest.mark.parametrize("words", [["deploys"], ["trades"], ["cycles"], ["doctor"], ["status"]])
def test_without_colour_a_terminal_is_sent_text_alone(tmp_path: Path, words: list[str]) -> None:
    project = Project(tmp_path)
    project.record(record_of())
    assert "\x1b" not in on_a_terminal(project, words, NO_COLOR="1")


def test_on_a_terminal_headings_stand_out(tmp_path: Path) -> None:
    """Otherwise the test above would pass whatever is printed."""
    project = Project(tmp_path)
    project.record(record_of())
    assert "\x1b[1m" in on_a_terminal(project, ["doctor"])


def on_a_terminal(project: Project, words: list[str], **environment: str) -> str:
    """Return what a command sends to a terminal."""
    own = {"XDG_STATE_HOME": str(project.place / "state"), "TERM": "xterm-256color"}
    variables: dict[str, Any] = {
        key: value for key, value in os.environ.items() if key != "NO_COLOR"
    }
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "foresight", *words]
    child = subprocess.Popen(
        command,
        cwd=project.tree,
        env=variables | own | environment,
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    said = b""
    try:
        while data := os.read(leader, 65536):
            said += data
    except OSError:
        pass  # so a terminal says that nobody writes to it any more
    finally:
        os.close(leader)
    child.wait(timeout=60)
    return said.decode()
