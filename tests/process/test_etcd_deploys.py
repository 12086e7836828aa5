"""A deploy of commits across two hosts with one etcd: from the one that does not own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from deploy import across, frozen_directory, history, requests
from handoff.errors import HandoffError
from handoff.launcher import process as launcher_process
from handoff.launcher.engine_config import Companion, EngineConfig, write_engine_config
from handoff.launcher.making import RELEASE
from handoff.plain import prepare_home
from handoff.rollout.launcher_client import LauncherClient
from handoff.shared_record import STATE
from handoff.wire import Kind
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines
from tests.process.bot import PATIENCE_S, Bot, BotProject
from tests.process.etcd_server import ABSENT, PROGRAM, Server
from tests.process.other_hosts import Host, can_be

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.record import WorkerId

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(PROGRAM is None, reason=ABSENT),
    pytest.mark.skipif(not can_be(), reason="namespaces are forbidden here"),
]


class Slow(BotProject):
    """A project whose cycles leave room for an etcd."""

    @override
    def version(self, version: str, message: str = "") -> str:
        super().version(version, message)
        text = (self.path / "worker.py").read_text("utf-8")
        self.write("worker.py", text.replace("every(0.5)", "every(2.5, budget_s=0.3)"))
        return self.commit(message or f"Version {version}")


class Clone(Slow):
    """A repository that was cloned from another one."""

    def __init__(self, path: Path, source: Path) -> None:
        self.path = path
        command = ["git", "clone", "--quiet", str(source), str(path)]
        subprocess.run(command, check=True, capture_output=True)


class Sharing(Bot):
    """A home whose record other hosts share.

    Args:
        directory: Where everything of it goes.
        state: Address of the etcd.
        project: Its repository; by default a new one.
        host: Where it runs; this machine if None.
    """

    def __init__(
        self,
        directory: Path,
        state: str,
        *,
        project: BotProject | None = None,
        host: Host | None = None,
    ) -> None:
        directory.mkdir()
        self.home = directory / "home"
        self.project = project or Slow(directory / "project")
        self.remote: Path | None = None
        self._state = state
        self._host = host
        self._launcher: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it; nobody waits."""
        prepare_home(self.home)
        deploy = (sys.executable, "-I", "-m", "deploy")
        source = ("--home", str(self.home), "--repository", str(self.project.path))
        remote = ("--remote", str(self.remote or ""))
        hosts = (*deploy, "hosts", "--home", str(self.home), "--app", "counted")
        write_engine_config(
            self.home,
            EngineConfig(
                app="counted",
                first_release=self.project.build(self.home).release,
                companions=(Companion("hosts", hosts),),
                environment=((STATE, self._state),),
                make=(*deploy, "make", *source, *remote, "--release", RELEASE),
            ),
        )
        before = self._host.command() if self._host is not None else []
        with (self.home / "logs" / "launcher.log").open("ab") as log:
            self._launcher = subprocess.Popen(
                [*before, *launcher_process.command(self.home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )

    @override
    def end(self) -> None:
        if self._host is None:
            super().end()
            return
        self._host.end()
        if self._launcher is not None:
            self._launcher.wait()
            self._launcher = None

    @override
    def wait(
        self, condition: Callable[[], bool], what: str, *, limit_s: float = 3 * PATIENCE_S
    ) -> None:
        super().wait(condition, what, limit_s=limit_s)  # two hosts on one busy machine

    def owner(self) -> WorkerId:
        record = self.record()
        assert record is not None
        assert record.ownership.newest is not None
        return record.ownership.newest

    def standby(self) -> str:
        """Return the release of a warm worker that does not own, or an empty string."""
        found = [
            each["release"]
            for each in self.children()
            if each["role"] == "heir" and each["warm"] and not each["owner"]
        ]
        return found[0] if found else ""

    def not_standby(self) -> str:
        """Return why the launcher says that there is none."""
        try:
            with LauncherClient(self.home) as client:
                return str(client.ask(Kind.STATUS)["not_standby"])
        except HandoffError:
            return ""

    def wait_ended(self, deploy: str) -> history.Entry:
        self.wait(lambda: history.ended(self.home, deploy) is not None, f"the end of {deploy}")
        ended = history.ended(self.home, deploy)
        assert ended is not None
        return ended

    def wait_baking(self, deploy: str) -> None:
        def bakes() -> bool:
            record = self.record()
            rollout = record.rollout if record is not None else None
            return rollout is not None and rollout.deploy_id == deploy

        self.wait(bakes, f"a bake of {deploy}")

    def require_whole(self) -> None:
        """See by the journal that no cycle was skipped and none decided twice."""
        audit = audit_cycles(list(effective(read_lines(self.home / "journal"))))
        assert audit.is_complete, audit
        assert audit.missed == ()


class Two:
    """This machine, and a host with a boot, pids and a name of its own."""

    def __init__(self, place: Path, state: str, host: Host) -> None:
        self.one = Sharing(place / "one", state)
        clone = Clone(place / "clone", self.one.project.path)
        self.other = Sharing(place / "other", state, project=clone, host=host)
        self.one.remote = clone.path

    def up(self) -> None:
        """Start the owner here, and its standby there."""
        self.one.begin()
        self.one.wait(lambda: self.one.cycle() >= 0, "a first cycle")
        self.other.begin()
        self.other.wait(lambda: self.other.standby() != "", "a standby")

    def end(self) -> None:
        for each in (self.other, self.one):
            each.end()
            frozen_directory.remove(each.home)


@pytest.fixture
def two(own_etcd: Server) -> Iterator[Two]:
    own_etcd.start()
    state = f"etcd://127.0.0.1:{own_etcd.port}/counted"
    # Not below /tmp: each host has one of its own.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="deploys-") as folder:
        place = Path(folder)
        host = Host(place / "host", "second", boot=str(uuid.uuid4()), machine=uuid.uuid4().hex)
        with host:
            found = Two(place, state, host)
            yield found
            found.end()


def test_a_deploy_on_the_host_that_does_not_own_goes_through_and_the_other_builds_it_too(
    two: Two,
) -> None:
    """Who owned has never seen the commit: it fetches and builds it, and stands by."""
    two.up()
    before = two.one.owner()
    commit = two.other.project.version("2")
    deploy = two.other.request(commit)
    ended = two.other.wait_ended(deploy)
    assert (ended.outcome, ended.reason) == ("permanent", ""), two.other.last_words()
    owner = two.other.owner()
    assert (before.host == owner.host, owner.host, owner.release) == (
        False,
        "second",
        ended.release,
    )
    two.one.wait(lambda: two.one.standby() == ended.release, "a standby of what owns now")
    assert two.one.wait_ended(deploy) == ended, "its history is here too"
    (took,) = [each for each in read_lines(two.other.home / "journal") if each.kind == "take"]
    assert took.scheduled_ms is not None
    assert took.at_ms < took.scheduled_ms
    again = two.other.request(two.other.project.version("3"), bake=2)
    two.other.wait_baking(again)
    two.one.require_whole()
    two.one.end()  # with a bake's way back, or not: the bake goes on
    ended = two.other.wait_ended(again)
    assert (ended.outcome, ended.reason) == ("permanent", ""), two.other.last_words()
    two.other.require_whole()


def test_an_abort_asked_on_the_other_host_and_the_death_of_the_deployers_return_what_bakes(
    two: Two,
) -> None:
    """A way back is on either host: one takes when it is asked, the other follows by the lease."""
    two.up()
    before = two.one.owner()
    commit = two.other.project.version("2")
    aborted = two.other.request(commit, bake=1000)
    two.other.wait_baking(aborted)
    assert across.ask_aborts(two.one.home, "ben") == [aborted]
    ended = two.other.wait_ended(aborted)
    assert (ended.outcome, ended.reason) == ("returned", "aborted by ben")
    assert two.other.owner().release == before.release
    two.other.wait(lambda: not requests.open_requests(two.other.home), "the end of its request")
    left = two.other.request(commit, bake=1000)
    two.other.wait_baking(left)
    two.other.end()
    ended = two.one.wait_ended(left)
    assert ended.outcome == "returned", ended
    assert (two.one.owner().host, two.one.owner().release) == (before.host, before.release)
    two.one.require_whole()
