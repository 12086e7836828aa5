"""Running and replacing a program that is a plain directory: no git, no environments.

Owns what `python -m handoff` does for such a program. The launcher runs in the foreground
of `run`; everything else talks to it over the control socket.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from typing import TYPE_CHECKING, NoReturn

from handoff.errors import NotRunning
from handoff.launcher.engine_config import EngineConfig, read_engine_config, write_engine_config
from handoff.launcher.locks import take_account, take_home
from handoff.release_files import Manifest, read_manifest
from handoff.rollout.driver import Driver, Watcher
from handoff.rollout.launcher_client import LauncherClient
from handoff.tree_snapshot import snapshot_tree
from handoff.wire import Kind
from state.atomic_file import SystemFiles, make_directory
from state.errors import RecordDamaged, RecordMissing
from state.local_store import read_only_snapshot
from state.medium import refuse_unsuitable
from state.record import Timeline, check_identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from handoff.rollout.events import Event
    from handoff.rollout.table import Deploy, Phase
    from handoff.wish import Wish

DOWN_S_MAX = 60.0


def prepare_home(home: Path) -> None:
    """Make the directories of a home, readable by this user alone, and there to stay."""
    for directory in (home, home / "run", home / "logs", home / "releases"):
        make_directory(SystemFiles(), directory)


def run(
    home: Path,
    *,
    app: str,
    entry: str,
    tree: Path,
    speed: int = 1,
    standby: bool = False,
    force_filesystem: bool = False,
) -> NoReturn:
    """Become a launcher that runs until it is stopped; return only by an exception."""
    from handoff.launcher.process import (  # noqa: PLC0415 - what only talks does not need it
        command as launcher_command,
    )

    prepare_home(home)
    timeline = Timeline(origin_ns=_origin_ns(home, speed), speed=speed)
    _refuse_home(home, app, timeline, force_filesystem=force_filesystem)
    manifest = snapshot_tree(home, tree, entry)
    config = EngineConfig(
        app=app,
        first_release=manifest.release,
        origin_ns=timeline.origin_ns,
        speed=speed,
        standby=standby,
        force_filesystem=force_filesystem,
    )
    launcher_lock_free(home)
    write_engine_config(home, config)
    # A fresh interpreter: what it took to make a release would stay in memory for years.
    command = launcher_command(home)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, no shell


def _refuse_home(home: Path, app: str, timeline: Timeline, *, force_filesystem: bool) -> None:
    """Refuse now what every worker would refuse, again and again, behind the launcher's back.

    A damaged record is no reason: a worker brings it back from the journal, or says why not.
    """
    if not force_filesystem:
        refuse_unsuitable(home)
    try:
        record = read_only_snapshot(home / "state")
    except (RecordMissing, RecordDamaged):
        return
    check_identity(record, app=app, timeline=timeline)


def launcher_lock_free(home: Path, account: str = "") -> None:
    """Refuse before anything is written if a living launcher has this home or account.

    Raises:
        AnotherInCharge: One has it.
    """
    os.close(take_home(home))
    held = take_account(account)
    if held is not None:
        os.close(held)


def _origin_ns(home: Path, speed: int) -> int:
    """Return the timeline's origin: the record's, or now where there is none."""
    try:
        plain = json.loads((home / "state" / "record.json").read_bytes())
        return int(plain["timeline"]["origin_ns"])
    except (OSError, ValueError, KeyError):
        # At speed 1 the origin changes nothing; 0 keeps the numbers of cycles global.
        return 0 if speed == 1 else time.time_ns()


def replace(
    home: Path, *, tree: Path, wish: Wish, entry: str = "", say: Callable[[str], None]
) -> Deploy:
    """Put another directory's program in charge; return how that ended."""
    with LauncherClient(home):
        pass  # without a launcher nothing is copied
    manifest = _snapshot(home, tree, entry)

    def moved(deploy: Deploy, event: Event, _before: Phase) -> None:
        say(f"{deploy.phase.value}: {type(event).__name__} {deploy.reason}".rstrip())

    driver = Driver(
        home,
        deploy_id=f"d{secrets.token_hex(4)}",
        release=manifest.release,
        wish=wish,
        watcher=Watcher(moved=moved),
    )
    return driver.run()


def _snapshot(home: Path, tree: Path, entry: str) -> Manifest:
    first = read_engine_config(home).first_release
    return snapshot_tree(home, tree, entry or read_manifest(home, first).entry)


def status(home: Path) -> str:
    """Return the launcher's view as JSON text."""
    with LauncherClient(home) as client:
        return json.dumps(client.ask(Kind.STATUS), indent=1)


def down(home: Path) -> bool:
    """Drain and stop; return whether the launcher is gone in time."""
    with LauncherClient(home) as client:
        client.ask(Kind.STOP)
    deadline_s = time.monotonic() + DOWN_S_MAX
    while time.monotonic() < deadline_s:
        try:
            with LauncherClient(home):
                pass
        except NotRunning:
            return True
        time.sleep(0.1)  # noqa: TID251 - nothing tells when a socket is gone
    return False
