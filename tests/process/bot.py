"""A small project under git, running: a worker of half a second a cycle, and its launcher.

The release carries what it imports, so that its lock is empty and an environment costs nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import filelock
import msgspec
import typing_extensions
from msgspec import structs

from deploy import convergence, frozen_directory, git_hook, history, hook_files, jobs, requests
from deploy.branch import Policy
from deploy.git_tree import GitTree
from deploy.hook_script import Settings
from handoff.errors import HandoffError
from handoff.launcher import process as launcher_process
from handoff.launcher.engine_config import Companion, EngineConfig, write_engine_config
from handoff.launcher.self_replacement import left_to
from handoff.plain import prepare_home
from handoff.processes import KILL, identity_of, watch
from handoff.release_files import read_manifest
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from handoff.wish import Wish
from state.errors import RecordMissing
from state.local_store import read_only_snapshot
from tests.process.git_project import Project

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from state.record import Record

PATIENCE_S: Final = 60.0
POLL_S: Final = 0.02

WORKER: Final = '''"""Counts its cycles."""

import msgspec

from handoff import Context, Decision, Workload, every
from state import Schema

VERSION = "{version}"


class Counted(msgspec.Struct):
    cycles: int = 0


class Counter(Workload[Counted, int]):
    body = Schema("counted", 1, Counted)
    inputs = Schema("number", 1, int)
    cadence = every(0.5)

    async def observe(self, cycle, body):
        return cycle.number

    def decide(self, cycle, body, inputs, receipts):
        return Decision(body=Counted(body.cycles + 1))


def create(context: Context) -> Counter:
    return Counter()
'''


class BotProject(Project):
    """The project: `worker.py` and what it imports."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.git("config", "user.name", "Mia")
        self.git("config", "user.email", "mia@example.invalid")
        self.git("rm", "-rq", "handoff", "app")
        self.write("pyproject.toml", '[tool.foresight]\nentry = "worker:create"\n')
        for package in (msgspec, filelock):
            source = Path(str(package.__file__)).parent
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, path / source.name, ignore=ignored)
        shutil.copy(str(typing_extensions.__file__), path)
        self.version("1")

    def version(self, version: str, message: str = "") -> str:
        """Commit another version of the worker."""
        self.write("worker.py", WORKER.format(version=version))
        return self.commit(message or f"Version {version}")

    def merge(self, branch: str, *options: str) -> str:
        """Merge with the hooks that git would call; return the head."""
        self.git_with_hooks("merge", "--quiet", "--no-edit", *options, branch)
        return self.git("rev-parse", "HEAD")

    def git_with_hooks(self, *arguments: str, check: bool = True) -> str:
        """Run git as a user does."""
        command = ["git", "-C", str(self.path), *arguments]
        done = subprocess.run(command, check=check, capture_output=True, text=True)
        return done.stdout.strip()


class Bot:
    """A home with a running launcher; everything ends with the context."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.project = BotProject(directory / "project")
        self._launcher: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
        frozen_directory.remove(self.home)  # read-only directories are not pytest's to remove

    # --- running -------------------------------------------------------------------

    def up(
        self,
        *companions: Companion,
        environment: dict[str, str] | None = None,
        handed: dict[str, socket.socket] | None = None,
        comes: bool = True,
    ) -> None:
        """Build the first release, start it, with sockets if there are; wait until it owns.

        Where it is known not to come up nobody waits.
        """
        prepare_home(self.home)
        record = self.record()
        held = record.ownership if record is not None else None
        owner = (held.owner or held.last_owner) if held is not None else None
        first = owner.release if owner is not None else self.project.build(self.home).release
        write_engine_config(
            self.home,
            EngineConfig(
                app="counted",
                first_release=first,
                companions=companions,
                jobs=jobs.jobs_to_resume(self.home, sys.executable),
            ),
        )
        with (self.home / "logs" / "launcher.log").open("ab") as log:
            self._launcher = subprocess.Popen(
                launcher_process.command(self.home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, **(environment or {}), **left_to({}, handed or {})},
                pass_fds=[each.fileno() for each in (handed or {}).values()],
            )
        if comes:
            self.wait(lambda: self.cycle() >= 0, "a first cycle")

    def children(self) -> list[dict[str, str]]:
        """Return the launcher's children; none where it does not answer."""
        try:
            with LauncherClient(self.home) as client:
                found: list[dict[str, str]] = client.ask(Kind.STATUS)["children"]
        except HandoffError:
            return []
        return found

    def launcher_pid(self) -> int:
        """Return the launcher's pid."""
        assert self._launcher is not None
        return self._launcher.pid

    def kill(self, name: str) -> None:
        """Kill a child of the launcher by its name."""
        for child in self.children():
            if child["name"] == name:
                end(int(child["pid"]))

    def kill_launcher(self) -> None:
        """Kill the launcher; its workers live on."""
        assert self._launcher is not None
        self._launcher.kill()
        self._launcher.wait()
        self._launcher = None

    def stop(self) -> None:
        """Stop the launcher as `down` does; return once it is gone."""
        assert self._launcher is not None
        with LauncherClient(self.home) as client:
            client.ask(Kind.STOP)
        self._launcher.wait(PATIENCE_S)
        self._launcher = None

    def end(self) -> None:
        """Kill everything, launcher first so that it starts nothing again."""
        pids = [int(child["pid"]) for child in self.children()]
        record = self.record()
        owner = record.ownership.owner if record is not None else None
        pids += [owner.pid] if owner is not None else []
        if self._launcher is not None:
            self.kill_launcher()
        for pid in {*pids, *self._mine()}:
            end(pid)

    def _mine(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(self.home) in words and int(path.name) != os.getpid():
                found.append(int(path.name))
        return found

    # --- following the branch ------------------------------------------------------

    def policy(self, *, bake: int = 1, signed: Literal["", "commits"] = "") -> Policy:
        """Return the policy for the project's main branch; one cycle of bake by default."""
        repository = GitTree(self.project.path)
        return Policy(
            repository=str(repository.root),
            shared=str(repository.common_directory()),
            branch="main",
            wish=Wish(bake=bake),
            signed=signed,
        )

    def install_hook(self, *, bake: int = 1) -> None:
        """Let merges go live."""
        policy = self.policy(bake=bake)
        settings = Settings(
            home=str(self.home), shared=policy.shared, branch="main", python=sys.executable
        )
        hook_files.install(GitTree(self.project.path), settings)
        convergence.write_policy(self.home, policy)

    def watcher(self, *, signed: Literal["", "commits"] = "") -> Companion:
        """Return the companion that follows the branch."""
        convergence.write_policy(self.home, self.policy(signed=signed))
        argv = [sys.executable, "-I", "-m", "deploy", "watch", "--home", str(self.home)]
        argv += ["--repository", str(self.project.path), "--branch", "main"]
        return Companion("watcher", (*argv, "--interval", "0.3"))

    def request(
        self,
        commit: str,
        *,
        requested_ns: int | None = None,
        release: str = "",
        python: str = sys.executable,
        **wished: Any,  # noqa: ANN401 - members of a wish
    ) -> str:
        """Ask for a deploy as the command does, one cycle of bake by default; return its id.

        The deployer is that of the named interpreter's engine.
        """
        request = self._request(commit, release=release, wish=Wish(**{"bake": 1} | wished))
        request = structs.replace(request, requested_ns=requested_ns or request.requested_ns)
        jobs.submit(self.home, request, python)
        return request.deploy

    def keep(self, commit: str) -> None:
        """Ask for a deploy that the next launcher begins."""
        jobs.keep(self.home, self._request(commit, wish=Wish(bake=0)))

    def _request(self, commit: str, *, wish: Wish, release: str = "") -> requests.Request:
        return requests.Request(
            deploy=f"d{secrets.token_hex(4)}",
            repository=str(self.project.path),
            ref=commit,
            commit=commit,
            by="mia",
            release=release,
            requested_ns=time.time_ns(),
            wish=wish,
        )

    # --- looking -------------------------------------------------------------------

    def record(self) -> Record | None:
        """Return the record, or None before the first."""
        try:
            return read_only_snapshot(self.home / "state")
        except RecordMissing:
            return None

    def cycle(self) -> int:
        """Return the newest cycle; -1 before the first."""
        record = self.record()
        owned = record is not None and record.ownership.owner is not None
        return record.progress.cycle if record is not None and owned else -1

    def live(self) -> str:
        """Return the commit that owns."""
        record = self.record()
        owner = record.ownership.owner if record is not None else None
        return read_manifest(self.home, owner.release).commit if owner is not None else ""

    def current(self) -> history.Entry | None:
        """Return the deploy under way."""
        return history.read_current(self.home)

    def deploys(self) -> Sequence[history.Entry]:
        """Return the deploys that ended."""
        return history.read_history(self.home).entries

    def outcomes(self) -> list[tuple[str, str]]:
        """Return commit and outcome of each deploy that ended."""
        return [(entry.commit, entry.outcome) for entry in self.deploys()]

    def hook_log(self) -> str:
        """Return what the hooks said."""
        try:
            return (self.home / "logs" / git_hook.LOG).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    # --- waiting -------------------------------------------------------------------

    def wait(
        self, condition: Callable[[], bool], what: str, *, limit_s: float = PATIENCE_S
    ) -> None:
        """Wait for a condition."""
        deadline_s = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline_s, f"{what} did not come\n{self.last_words()}"
            time.sleep(POLL_S)

    def wait_live(self, commit: str) -> None:
        """Wait until a commit owns and nothing is under way."""
        self.wait(
            lambda: self.live() == commit and not requests.open_requests(self.home),
            f"commit {commit[:12]}",
        )

    def last_words(self) -> str:
        """Return the ends of all logs, for a failed test's message."""
        logs = sorted((self.home / "logs").glob("*.log"), key=lambda path: path.stat().st_mtime)
        texts = [(path.name, path.read_text("utf-8", "replace")[-1500:]) for path in logs[-5:]]
        ended = json.dumps(self.outcomes())
        return "\n".join([ended, *(f"--- {name}\n{text}" for name, text in texts)])


def end_together(pids: Iterable[int]) -> None:
    """Kill processes as a reboot does: none of them sees another one die and acts on it."""
    living = [identity for identity in map(identity_of, set(pids)) if identity is not None]
    watched = [found for found in map(watch, living) if found is not None]
    for number in (signal.SIGSTOP, KILL):
        for each in watched:
            each.send(number)
    for each in watched:
        each.wait(PATIENCE_S)
        each.close()


def end(pid: int) -> None:
    """Kill a process and wait until it is gone."""
    identity = identity_of(pid)
    watched = watch(identity) if identity is not None else None
    if watched is not None:
        watched.send(KILL)
        watched.wait(PATIENCE_S)
        watched.close()
