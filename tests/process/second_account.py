"""An installation with a neighbour: where it lies, what he knows of it, and as whom he runs."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from foresight.evidence.command import Command
from foresight.evidence.processes import workers_of
from tests.world.project import project

if TYPE_CHECKING:
    from collections.abc import Iterator

NEIGHBOUR: Final = "foresight-ci-neighbour"  # the account that the checks of this project make
NO_ENTRY: Final = 61235  # and an account that needs none, for everybody else
SPEED: Final = 60
FILES_OF_A_TREE_MAX: Final = 40  # an environment has thousands that are made alike
LIMIT_S: Final = 120.0
ENTERED: Final = 0o711  # others may go through, and see nothing


class Target(NamedTuple):
    """What a neighbour knows of an installation."""

    home: Path
    files: list[str]
    pids: list[int]
    ports: list[int]
    exchange: list[int]


def neighbour() -> int:
    """Return the other account's number."""
    try:
        return pwd.getpwnam(NEIGHBOUR).pw_uid
    except KeyError:
        return NO_ENTRY


def as_neighbour(script: str, *words: str) -> list[str]:
    """Return the command line of one of the scripts beside this file, its text in the words."""
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") or sys.executable
    text = Path(__file__).with_name(script).read_text(encoding="utf-8")
    return [python, "-c", text, *words]


def start_as_neighbour(script: str, *words: str) -> subprocess.Popen[str]:
    """Start one of the scripts as the other account, in a directory that everybody has."""
    uid = neighbour()
    return subprocess.Popen(
        as_neighbour(script, *words),
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        user=uid,
        group=uid,
        extra_groups=[],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def tries(target: Target, *, seconds: float = 0) -> dict[str, dict[str, list[str]]]:
    """Let the neighbour try everything; return what was done and refused in the last round."""
    known = json.dumps({**target._asdict(), "home": str(target.home), "seconds": seconds})
    with start_as_neighbour("neighbour.py", known) as process:
        out, _ = process.communicate(timeout=LIMIT_S + seconds)
    assert process.returncode == 0
    answer: dict[str, Any] = json.loads(out)
    assert answer["rounds"] > 0
    found: dict[str, dict[str, list[str]]] = answer["found"]
    return found


@contextmanager
def place_of_all() -> Iterator[Path]:
    """Make a directory that every account may go through, below none that it may not."""
    place = Path(tempfile.mkdtemp(prefix="foresight-neighbour-", dir="/var/tmp"))
    place.chmod(ENTERED)
    try:
        yield place
    finally:
        for folder, _, _ in os.walk(place):
            os.chmod(folder, 0o700)  # noqa: PTH101 - releases are read-only
        shutil.rmtree(place)


@contextmanager
def running(place: Path) -> Iterator[tuple[Command, Target]]:
    """Run the real bot in a home that others could reach, if its modes let them."""
    outer = place / "bots"
    outer.mkdir()
    outer.chmod(ENTERED)
    command = Command(project(place), outer / "home", bake=1)
    try:
        command.up(speed=SPEED, replay=None, force=True)
        yield command, seen(command.home)
    finally:
        command.down()


def seen(home: Path) -> Target:
    """Return what there is to try on: files of every kind, processes, and ports."""
    launcher = json.loads((home / "run" / "launcher.json").read_bytes())["pid"]
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text("ascii").split()
    pids = {launcher, *map(int, children), *(each.pid for each in workers_of(home))}
    companions = json.loads((home / "run" / "engine.json").read_bytes())["companions"]
    ports = {each["name"]: int(each["listen"].rpartition(":")[2]) for each in companions}
    return Target(home, files_of(home), sorted(pids), list(ports.values()), [ports["exchange"]])


def files_of(home: Path) -> list[str]:
    """Return the files of a home, of each of its trees a few."""
    found: dict[str, list[str]] = {}
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home)
        if path.is_file() and not path.is_symlink():
            found.setdefault(name.parts[0], []).append(str(name))
    return [name for names in found.values() for name in names[:FILES_OF_A_TREE_MAX]]


@contextmanager
def unprotected(place: Path, target: Target) -> Iterator[Target]:
    """Copy what the neighbour tries on, and let everybody do everything with the copy."""
    outer = place / "copies"
    outer.mkdir()
    copy = outer / "home"
    for name in target.files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if (target.home / name).exists():  # retention may have been there
            shutil.copyfile(target.home / name, copy / name)
    for path in (outer, copy, *copy.rglob("*")):
        path.chmod(0o777)
    there = [name for name in target.files if (copy / name).exists()]
    with start_as_neighbour("decoy.py", str(copy / "run" / "control.sock")) as decoy:
        assert decoy.stdout is not None
        port = int(decoy.stdout.readline())
        try:
            yield Target(copy, there, [decoy.pid], [port], [port])
        finally:
            decoy.kill()
