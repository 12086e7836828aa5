"""Two hosts with one etcd: who owns on one is followed on the other, and neither sees the other."""

from __future__ import annotations

import sys
import tempfile
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.installation import environment
from handoff.rollout.table import Phase
from handoff.shared_record import STATE
from handoff.wire import Kind
from state.hosts_file import read_hosts
from state.hosts_seen import Role
from state.journal_reader import verify_chain
from state.local_store import read_only_generation
from tests.process.etcd_server import ABSENT, PROGRAM, Server
from tests.process.hurt import ENTRY, Hurt, verify_counts
from tests.process.other_hosts import Host, can_be

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(PROGRAM is None, reason=ABSENT),
    pytest.mark.skipif(not can_be(), reason="namespaces are forbidden here"),
]
_ASKED = "from handoff.commands.background import part_of; print(part_of(Path(sys.argv[1])))"
_PART = (sys.executable, "-c", f"import sys; from pathlib import Path; {_ASKED}")


class Beside(Hurt):
    """An installation beside an etcd."""

    period_s = 2.5
    budget_s = 0.3

    def warm(self) -> bool:
        """Tell whether a worker here is warm."""
        return any(each["warm"] for each in self.children())

    def hears(self, name: str, *, role: Role, silent: bool = False) -> bool:
        """Tell whether a worker here has heard that of a host."""
        seen = read_hosts(self.home)
        found = [each for each in seen.hosts if each.name == name] if seen is not None else []
        return any((each.role, each.is_silent) == (role, silent) for each in found)


class TwoHosts:
    """A host that is this machine, and another one with a boot, pids and a name of its own."""

    def __init__(self, place: Path, other: Host) -> None:
        self.one = Beside(place / "one")
        self.other = Beside(place / "other")
        self.other.witness = self.one.witness
        self.host = other

    def up(self) -> None:
        """Start the first, then a standby of the same release on the other."""
        self.one.up()
        tree = self.other.release("v0")
        words = ("run", ENTRY, "--tree", str(tree), "--app", self.other.app)
        self.other.background(*words, before=self.host.command())
        self.other.wait(self.other.warm, "a warm standby on the other host")

    def end(self) -> None:
        self.host.end()
        self.other.end()
        self.one.end()


@pytest.fixture
def hosts(own_etcd: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoHosts]:
    own_etcd.start()
    monkeypatch.setenv(STATE, f"etcd://127.0.0.1:{own_etcd.port}/bench")
    # Not below /tmp: each host has one of its own.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="hosts-") as folder:
        place = Path(folder)
        host = Host(place / "host", "second", boot=str(uuid.uuid4()), machine=uuid.uuid4().hex)
        with host:
            found = TwoHosts(place, host)
            yield found
            found.end()


def test_a_standby_of_another_host_follows_by_the_lease_when_everything_on_one_dies(
    hosts: TwoHosts,
) -> None:
    """Launcher and workers of the first are killed: nobody on the second can see that."""
    hosts.up()
    hosts.one.wait_cycles(2)
    owner = hosts.one.the_owner()
    hosts.one.wait(lambda: hosts.one.hears("second", role=Role.STANDBY), "a standby elsewhere")
    hosts.other.wait(lambda: hosts.other.hears(owner.host, role=Role.OWNER), "its owner")
    follows = hosts.host.run(*_PART, str(hosts.other.home), variables=environment())
    said = hosts.other.call("status").stdout
    hosts.one.end()
    hosts.other.wait(lambda: hosts.other.owner() not in (None, owner), "another owner")
    follower = hosts.other.the_owner()
    hosts.other.wait_cycles(2)
    assert (follower.host, follower.boot_id) != (owner.host, owner.boot_id)
    seized = hosts.other.kinds("seize")[-1]
    assert (seized.evidence["proof"], seized.evidence["old_pid"]) == ("lease_ended", owner.pid)
    is_silent = partial(hosts.other.hears, owner.host, role=Role.OWNER, silent=True)
    hosts.other.wait(is_silent, "the silence of the first")
    assert follows.stdout == "Part.FOLLOWS\n", "`up -d` returns there"
    assert f"on {owner.host} decides" in said
    assert f"{owner.host}: silent since" in hosts.other.call("status").stdout
    assert hosts.other.hears("second", role=Role.OWNER)
    verify_counts(hosts.other)
    found = read_only_generation(hosts.other.home / "state")
    verify_chain(
        hosts.other.home / "journal", digest=found.digest, cycle=found.record.progress.cycle
    )


def test_a_deploy_on_the_owners_host_goes_through_beside_another_hosts_standby(
    hosts: TwoHosts,
) -> None:
    """Whose release has no part any more leaves, and its launcher asks what is wanted."""
    hosts.up()
    before = hosts.one.the_owner()
    assert hosts.one.put(hosts.one.release("v1")).phase is Phase.PERMANENT
    hosts.one.wait_cycles(2)
    record = hosts.other.record()
    assert record is not None
    hosts.other.wait(lambda: hosts.other.owner() not in (None, before), "its mirror")
    assert hosts.other.the_owner().release == hosts.one.the_owner().release != before.release
    assert hosts.one.ask(Kind.STATUS)["children"]
    verify_counts(hosts.one)


def test_a_candidate_of_another_host_takes_before_the_boundary_and_its_bake_ends_there(
    hosts: TwoHosts,
) -> None:
    """A planned takeover costs no punctuality, wherever the candidate is."""
    hosts.up()
    before = hosts.one.the_owner()
    assert hosts.other.put(hosts.other.release("v1")).phase is Phase.PERMANENT
    hosts.other.wait_cycles(1)
    owner = hosts.other.the_owner()
    assert (owner.host, owner.release != before.release) == ("second", True)
    (took,) = hosts.other.kinds("take")
    assert took.scheduled_ms is not None
    assert took.at_ms < took.scheduled_ms
    verify_counts(hosts.other)
