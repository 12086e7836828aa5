"""A home directory with a real launcher and real workers, driven from outside.

Owns starting, asking, deploying to, hurting and stopping one installation. It uses the
engine as anybody would: its command line, its control socket, its record, read only.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from foresight.evidence.errors import NeverCame
from foresight.evidence.processes import end, workers_of
from foresight.evidence.processes import send as send_to
from foresight.evidence.report import Report, newest_performed, reports_in
from foresight.evidence.waiting import wait_for
from handoff.processes import identity_of
from handoff.rollout.driver import Driver, Limits, Watcher
from handoff.rollout.launcher_client import LauncherClient
from handoff.tree_snapshot import snapshot_tree
from handoff.wire import Kind, Message
from handoff.wish import Wish
from handoff.worker.hosts import process_of
from state.errors import RecordMissing
from state.local_store import read_only_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from handoff.release_files import Manifest
    from handoff.rollout.table import Deploy
    from state.record import Record, WorkerId

ROOT: Final = Path(__file__).resolve().parent.parent
# A command under another host name: the same process, in a namespace of a user's own.
UNDER_NAME: Final = (
    *("unshare", "--user", "--map-root-user", "--uts"),
    *("sh", "-ec", 'hostname "$1"; shift; exec "$@"', "sh"),
)
PATIENCE_S: Final = 60.0  # for anything that takes a second on a quiet machine


class Installation:
    """One home directory and everything that runs for it.

    Args:
        directory: Where home, trees and the witness's file go; made if it is not there.
        app: Name of the application.
        home: The home directory; by default `home` in the directory.
    """

    def __init__(self, directory: Path, *, app: str = "bench", home: Path | None = None) -> None:
        """Name the places; nothing runs yet."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.home = home or directory / "home"
        self.witness = directory / "witness.jsonl"
        self.app = app
        self.launcher: subprocess.Popen[bytes] | None = None
        self.output = directory / "launcher.log"
        self._begun: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Return the installation."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave no process behind, whatever happened."""
        self.end()

    # --- releases ------------------------------------------------------------------

    def tree(self, module: Path, settings: msgspec.Struct, *, name: str) -> Path:
        """Write a release's tree: a copy of a module, and its settings beside it."""
        place = self.directory / "trees" / name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, place / module.name)
        (place / "settings.json").write_bytes(msgspec.json.encode(settings))
        return place

    def snapshot(self, tree: Path, entry: str) -> Manifest:
        """Make a tree a release of this home."""
        return snapshot_tree(self.home, tree, entry)

    # --- running -------------------------------------------------------------------

    def run(self, tree: Path, entry: str, *options: str, host: str = "") -> subprocess.Popen[bytes]:
        """Start a launcher with `python -m handoff run`, as a user would.

        Args:
            tree: Of its first release.
            entry: Of it.
            options: More words.
            host: Name of the host as the launcher sees it; empty for the one that it has.
        """
        words = ("run", entry, "--tree", str(tree), "--app", self.app, *options)
        return self.background(*words, before=(*UNDER_NAME, host) if host else ())

    def start(self, tree: Path, entry: str, *options: str) -> None:
        """Start the launcher and wait until a worker owns and has settled a cycle."""
        before = self.progress()
        self.launcher = self.run(tree, entry, *options)
        self.wait(lambda: self.progress() > before, "a first cycle")

    def command(self, *arguments: str, home: Path | None = None) -> list[str]:
        """Return the command line of one of the engine's commands, for this home or another."""
        return [sys.executable, "-m", "handoff", *arguments, "--home", str(home or self.home)]

    def call(
        self, *arguments: str, home: Path | None = None, timeout_s: float = PATIENCE_S
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the engine's commands, for this home or another, to its end."""
        return subprocess.run(
            self.command(*arguments, home=home),
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def background(self, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start one of the engine's commands, after other words, and return at once."""
        command = [*before, *self.command(*arguments)]
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=output, env=environment()
            )
        self._begun.append(process)
        return process

    def driver(
        self,
        release: str,
        *,
        bake: int = 1,
        limits: Limits | None = None,
        watcher: Watcher | None = None,
    ) -> Driver:
        """Return a driver of one deploy, connected already."""
        return Driver(
            self.home,
            deploy_id=f"d{secrets.token_hex(4)}",
            release=release,
            wish=Wish(bake=bake),
            limits=limits,
            watcher=watcher,
        )

    def deploy(
        self,
        tree: Path,
        entry: str,
        *,
        bake: int = 1,
        limits: Limits | None = None,
        watcher: Watcher | None = None,
    ) -> Deploy:
        """Deploy a tree; return how that ended."""
        release = self.snapshot(tree, entry).release
        return self.driver(release, bake=bake, limits=limits, watcher=watcher).run()

    def down(self) -> int:
        """Stop everything the ordinary way; return the exit code of `down`."""
        code = self.call("down", timeout_s=3 * PATIENCE_S).returncode
        if self.launcher is not None:
            self.launcher.wait(PATIENCE_S)
            self.launcher = None
        return code

    def end(self) -> None:
        """End what still runs, launcher first so that it starts nothing again."""
        pids = [int(child["pid"]) for child in self.children()]
        owner = self.owner()
        # Of another host, or of another boot, the same number is somebody else's here.
        is_here = owner is not None and identity_of(owner.pid) == process_of(owner)
        pids += [owner.pid] if owner is not None and is_here else []
        for process in self._begun:
            process.kill()
            process.wait(PATIENCE_S)
        self._begun, self.launcher = [], None
        for pid in {*pids, *self.workers()}:
            self.end_process(pid)

    # --- looking -------------------------------------------------------------------

    def ask(self, kind: Kind, **members: str) -> Message:
        """Ask the launcher something."""
        with LauncherClient(self.home) as client:
            return client.ask(kind, **members)

    def children(self) -> list[dict[str, str]]:
        """Return the launcher's children, or nothing if none answers."""
        try:
            found: list[dict[str, str]] = self.ask(Kind.STATUS)["children"]
        except Exception:  # noqa: BLE001 - whatever is wrong, there is nothing to list
            return []
        return found

    def workers(self) -> list[int]:
        """Return the pids of all living workers of this home, whoever started them."""
        return [each.pid for each in workers_of(self.home)]

    def record(self) -> Record | None:
        """Return the record as it is, or None if there is none yet."""
        try:
            return read_only_snapshot(self.home / "state")
        except RecordMissing:
            return None

    def owner(self) -> WorkerId | None:
        """Return who owns, if anybody does."""
        record = self.record()
        return record.ownership.owner if record is not None else None

    def the_owner(self) -> WorkerId:
        """Wait until somebody owns; return who."""
        self.wait(lambda: self.owner() is not None, "an owner")
        owner = self.owner()
        assert owner is not None, "waited for"
        return owner

    def progress(self) -> int:
        """Return the newest cycle that was carried out, by the witness; 0 before the first."""
        return newest_performed(self.witness)

    def reports(self) -> list[Report]:
        """Return what the witness has."""
        return reports_in(self.witness)

    # --- waiting -------------------------------------------------------------------

    def wait(
        self, condition: Callable[[], bool], what: str, *, limit_s: float = PATIENCE_S
    ) -> None:
        """Wait for a condition.

        Raises:
            NeverCame: It did not come true within the limit; the newest log lines are shown.
        """
        try:
            wait_for(what, condition, limit_s)
        except NeverCame as never:
            text = f"{never}\n{self.last_words()}"
            raise NeverCame(text) from None

    def wait_cycles(self, number: int) -> int:
        """Wait until so many more cycles are carried out; return the newest one."""
        target = self.progress() + number
        self.wait(lambda: self.progress() >= target, f"cycle {target}")
        return self.progress()

    def last_words(self) -> str:
        """Return the newest log lines of everything, for a failed test's message."""
        logs: Sequence[Path] = sorted(
            (self.home / "logs").glob("*.log"), key=lambda path: path.stat().st_mtime
        )
        parts = []
        for path in [*logs[-3:], self.output]:
            if path.exists():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
                parts.append("\n".join([f"--- {path.name}", *lines]))
        return "\n".join(parts)

    def wait_other_owner(self, *old: WorkerId) -> WorkerId:
        """Wait until somebody owns who is none of these; return who."""
        self.wait(lambda: self.owner() not in (None, *old), "another owner")
        return self.the_owner()

    # --- hurting -------------------------------------------------------------------

    def kill_owner(self) -> WorkerId:
        """Kill the owner and return who it was."""
        owner = self.the_owner()
        send(owner, signal.SIGKILL)
        return owner

    def end_process(self, pid: int) -> None:
        """Kill one of this installation's processes and wait until it is gone."""
        identity = identity_of(pid)
        if identity is not None:
            end(identity)

    def kill_launcher(self) -> None:
        """Kill the launcher; its workers live on."""
        assert self.launcher is not None, "it was started"
        self.launcher.kill()
        self.launcher.wait(PATIENCE_S)
        self.launcher = None


def send(worker: WorkerId, number: int) -> bool:
    """Send a signal to a worker, and to nobody who got its pid later."""
    return send_to(process_of(worker), number)


def is_alive(worker: WorkerId) -> bool:
    """Tell whether a worker's process lives."""
    return send(worker, 0)


def environment() -> dict[str, str]:
    """Return the environment in which the engine's commands run from this tree."""
    # Bytecode is written as in any installation: compiling at every start would weigh and cost.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT)}
