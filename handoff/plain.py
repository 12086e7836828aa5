"""Running and replacing a program that is a plain directory: no git, no environments.

Owns what `python -m handoff` does for such a program. The launcher runs in the foreground
of `run`; everything else talks to it over the control socket.
"""

from __future__ import annotations

import os
import secrets
import shlex
import sys
import time
from typing import TYPE_CHECKING

from handoff.commands.background import Start, log_of
from handoff.commands.deploy_words import words_of
from handoff.commands.kept_releases import kept_releases, release_before
from handoff.commands.kept_releases import named as kept_release
from handoff.commands.looking import ask_to_stop, has_stopped
from handoff.launcher.account_lock import take_account
from handoff.launcher.edition_file import releases_in_editions
from handoff.launcher.engine_config import EngineConfig, read_engine_config, write_engine_config
from handoff.launcher.locks import take_home
from handoff.limits import MS
from handoff.logs import open_log
from handoff.processes import spawn
from handoff.release_files import Manifest, read_manifest
from handoff.replay.repair import header_in
from handoff.rollout.driver import ASK_BACK_S, Driver, Watcher
from handoff.rollout.launcher_client import LauncherClient
from handoff.rollout.table import Deploy, Phase
from handoff.shared_record import VARIABLES, cluster_in, is_shared
from handoff.standard_streams import remark
from handoff.tree_snapshot import prune_snapshots, snapshot_tree
from handoff.wire import Kind
from handoff.wish import BAKE_NONE, Wish
from handoff.worker.hosts import MOVED, VOLUME, LocalHosts, refuse_doubtful
from state.atomic_file import SystemFiles, make_directory, replace_file
from state.errors import RecordDamaged, RecordMissing
from state.local_store import read_only_snapshot
from state.medium import refuse_unsuitable
from state.mirror import is_mirrored
from state.premises import narrow, refuse_shared
from state.record import Timeline, check_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from handoff.rollout.events import Event
    from state.record import Record, WorkerId

DOWN_S_MAX = 60.0
GIVE_BACK_S_MAX = 600.0  # the way back may have to be started first
TRUSTED_GROUP = "HANDOFF_TRUSTED_GROUP"
RESTORED = "restored-owner"  # in `run/`: names the one worker that a restore was about


def prepare_home(home: Path, *, trusted_group: int | str = "") -> None:
    """Make the directories of a home where nobody else could replace it, and there to stay.

    Args:
        home: The state directory.
        trusted_group: A group whose members may write to it or above it; empty for none.

    Raises:
        HomeUnsuitable: Somebody else could replace it.
        OSError: It cannot be made.
    """
    refuse_shared(home, trusted_group)
    for directory in (home, home / "run", home / "logs", home / "releases"):
        make_directory(SystemFiles(), directory)
    refuse_shared(home, trusted_group)  # somebody may have been faster in making it


def become(home: Path, command: Sequence[str]) -> None:
    """Become the launcher; at a terminal its events, JSON lines for programs, go to its log."""
    if sys.stderr.isatty():
        where = f"--home {shlex.quote(str(home))}"
        remark(f"running; home {home}; Ctrl-C drains and stops")
        remark(f"in another terminal: `handoff status {where}`, `handoff logs -f {where}`")
        os.dup2(open_log(log_of(home)), sys.stderr.fileno())
    os.execv(command[0], list(command))  # noqa: S606 - our own interpreter, no shell


def start_detached(home: Path, command: Sequence[str]) -> None:
    """Start a launcher in a session of its own, and return once it owns or follows."""
    start = Start(home, lambda _: None)
    log = open_log(log_of(home))
    try:
        launcher = spawn(command, environment=dict(os.environ), output=log)
    finally:
        os.close(log)
    try:
        start.await_part(launcher.identity.pid)
    finally:
        launcher.close()


def run(
    home: Path,
    *,
    app: str,
    entry: str,
    tree: Path,
    speed: int = 1,
    standby: bool = False,
    force_filesystem: bool = False,
    moved: bool = False,
    begin: Callable[[Path, Sequence[str]], None] = become,
) -> None:
    """Make the first release, and become a launcher that runs until it is stopped, or start one.

    Args:
        home: The state directory.
        app: Name of the application.
        entry: `module:factory`.
        tree: The directory with the modules.
        speed: Application seconds per second.
        standby: Keep a warm standby.
        force_filesystem: Accept a volatile disk.
        moved: The owner elsewhere is dead.
        begin: Becomes the launcher, or starts it; given the home and the command.

    Raises:
        StartRefused: The first release does not start, as the launcher that is awaited says.
    """
    from handoff.launcher.process import (  # noqa: PLC0415 - what only talks does not need it
        command as launcher_command,
    )

    prepare_home(home, trusted_group=os.environ.get(TRUSTED_GROUP, ""))
    timeline = Timeline(origin_ns=_origin_ns(home, speed), speed=speed)
    _refuse_home(home, app, timeline, force_filesystem=force_filesystem)
    shared = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    if is_shared(shared):
        cluster_in(shared)  # what every worker would refuse is refused now
    vouched = vouched_in(home, volume=os.environ.get(VOLUME, ""), moved=moved)
    manifest = snapshot_tree(home, tree, entry)
    _require_release(home)
    config = EngineConfig(
        app=app,
        first_release=manifest.release,
        origin_ns=timeline.origin_ns,
        speed=speed,
        standby=standby,
        environment=(*vouched, *shared.items()),
        force_filesystem=force_filesystem,
    )
    launcher_lock_free(home)
    narrow(home)
    write_engine_config(home, config)
    # A fresh interpreter: what it took to make a release would stay in memory for years.
    begin(home, launcher_command(home))


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


def vouched_in(home: Path, *, volume: str, moved: bool) -> tuple[tuple[str, str], ...]:
    """Return what workers are told about an owner that may live in another home.

    Args:
        home: The state directory.
        volume: `exclusive` where one machine at a time has this home.
        moved: An operator says that the owner that the record names is dead.

    Raises:
        HomeCopied: That owner lives, and has another home.
        OwnerUnproven: It may, and nobody vouches for anything.
    """
    if is_mirrored(home / "state"):
        return ()  # other hosts own too, and a lease says how long
    owner = _owner_in(home)
    words = {VOLUME: volume} if volume else {}
    if owner is not None and (moved or _restored(home) == owner.worker):
        words[MOVED] = owner.worker  # of nobody else: what is said once must not last
    refuse_doubtful(LocalHosts(home, words), owner)
    return tuple(words.items())


def _counted(home: Path) -> Record | None:
    """Return the record; where it cannot be read, what the journal's newest line says of it."""
    try:
        return read_only_snapshot(home / "state")
    except (RecordMissing, RecordDamaged):
        pass
    try:
        return header_in(home)
    except RecordMissing:
        return None


def _owner_in(home: Path) -> WorkerId | None:
    record = _counted(home)
    return None if record is None else record.ownership.owner


def note_restored(home: Path) -> None:
    """Keep the word of who restores a state: the owner that it names is dead."""
    owner = _owner_in(home)
    word = owner.worker.encode() if owner else b""
    replace_file(SystemFiles(), home / "run" / RESTORED, word)


def _restored(home: Path) -> str:
    try:
        return (home / "run" / RESTORED).read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def launcher_lock_free(home: Path, account: str = "", accounts: str = "") -> str:
    """Refuse before anything is written if a living launcher has this home or account.

    Returns:
        Why another one may have the account all the same, or an empty string.

    Raises:
        AnotherInCharge: One has it.
    """
    os.close(take_home(home))
    taken = take_account(account, accounts)
    for held in taken.locks.values():
        os.close(held)
    return taken.doubt


def _origin_ns(home: Path, speed: int) -> int:
    """Return the timeline's origin: the record's, or now where there is none."""
    record = _counted(home)
    if record is not None:
        return record.timeline.origin_ns
    # At speed 1 the origin changes nothing; 0 keeps the numbers of cycles global.
    return 0 if speed == 1 else time.time_ns()


def _require_release(home: Path) -> None:
    """Refuse a home whose owning release is not in it: nobody else may go on.

    Raises:
        ReleaseUnusable: It is not; a run with its tree makes it again.
    """
    record = _counted(home)
    if record is not None and record.ownership.release:
        read_manifest(home, record.ownership.release)


def replace(
    home: Path, *, tree: Path, wish: Wish, entry: str = "", say: Callable[[str], None]
) -> Deploy:
    """Put another directory's program in charge; return how that ended."""
    with LauncherClient(home):
        pass  # without a launcher nothing is copied
    return _drive(home, _snapshot(home, tree, entry).release, wish, say)


def rollback(home: Path, named: str, say: Callable[[str], None]) -> Deploy:
    """Put the release before the one that owns, or another that is kept, in charge again.

    Args:
        home: The state directory.
        named: Which, or the beginning of its name; empty for the one before.
        say: Told every step.

    Raises:
        ReleaseUnnamed: There is no such release.
    """
    with LauncherClient(home):
        pass
    record = read_only_snapshot(home / "state")
    wanted = named or release_before(home, record)
    kept = [each.manifest for each in kept_releases(home, record)]
    release = kept_release(kept, wanted).release
    previous = record.ownership.previous
    if record.rollout is not None and previous is not None and previous.release == release:
        ended = _give_back(home, record.rollout.deploy_id, release, say)
        if ended is not None:
            return ended
    return _drive(home, release, Wish(bake=BAKE_NONE), say)


def _drive(home: Path, release: str, wish: Wish, say: Callable[[str], None]) -> Deploy:
    def moved(deploy: Deploy, event: Event, _before: Phase) -> None:
        text = words_of(event, deploy, now_ms=time.time_ns() / MS)
        if text:
            say(text)

    driver = Driver(
        home,
        deploy_id=f"d{secrets.token_hex(4)}",
        release=release,
        wish=wish,
        watcher=Watcher(moved=moved),
    )
    deploy = driver.run()
    if deploy.phase is Phase.PERMANENT:
        prune_snapshots(home, _releases_in_use(home))
    return deploy


def _give_back(
    home: Path, deploy_id: str, release: str, say: Callable[[str], None]
) -> Deploy | None:
    """End a bake by the return of the release before it, which is warm; None if it ended before."""
    say(f"{release} takes back: the release that bakes is left")
    deadline_s = time.monotonic() + GIVE_BACK_S_MAX
    while time.monotonic() < deadline_s:
        with LauncherClient(home) as client:
            client.ask(Kind.GIVE_BACK, deploy=deploy_id)
        time.sleep(ASK_BACK_S)  # noqa: TID251 - nothing tells when a release owns again
        record = read_only_snapshot(home / "state")
        owner = record.ownership.owner
        if owner is not None and owner.release == release:
            return Deploy(deploy_id, Phase.PERMANENT, release)
        if record.rollout is None or record.rollout.deploy_id != deploy_id:
            return None  # it was the last clean cycle: nobody gives back what is permanent
    reason = f"it did not own again within {GIVE_BACK_S_MAX:g} s"
    return Deploy(deploy_id, Phase.REFUSED, release, reason)


def _releases_in_use(home: Path) -> set[str]:
    """Return the first release, and what record and companions name: it may be started again."""
    held = read_only_snapshot(home / "state").ownership
    workers = (held.owner, held.last_owner, held.previous)
    named = {each.release for each in workers if each}
    return {read_engine_config(home).first_release, *named, *releases_in_editions(home)}


def _snapshot(home: Path, tree: Path, entry: str) -> Manifest:
    first = read_engine_config(home).first_release
    return snapshot_tree(home, tree, entry or read_manifest(home, first).entry)


def down(home: Path) -> bool:
    """Drain and stop; return whether the launcher is gone in time."""
    ask_to_stop(home, time.time_ns())
    deadline_s = time.monotonic() + DOWN_S_MAX
    while time.monotonic() < deadline_s:
        if has_stopped(home, time.time_ns()):
            return True
        time.sleep(0.1)  # noqa: TID251 - nothing tells when a socket is gone
    return False
