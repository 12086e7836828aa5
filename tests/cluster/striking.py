"""What a fault does to a stage, and how it is mended. Who is struck is looked for at the blow."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from state import transitions
from tests.cluster import members as etcd
from tests.cluster.exchange import Trap
from tests.cluster.faults import Fault
from tests.process.etcd_server import etcd_store
from tests.records import note, started

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.record import Record, WorkerId
    from tests.cluster.faults import Strike
    from tests.cluster.hosts import Home
    from tests.cluster.stage import Stage

TRAP_S_MAX: Final = 30.0  # an order is sent once a cycle
STANDS_S: Final = 0.3  # a member that stutters, and then ...
GOES_S: Final = 0.1  # ... it goes on, ...
STUTTERS: Final = 8  # ... so many times
COMMIT_S_MAX: Final = 20.0
PROBE: Final = "probe"


class Blow(NamedTuple):
    """One blow, as it was dealt.

    Attributes:
        fault: What it was.
        at_ns: When, nanoseconds UTC.
        mended_ns: When it was mended; 0 where it was not yet.
        epoch: Of the owner then.
        worker: Its name.
        commit_s: Seconds from then until somebody could commit again; None where nobody tried.
        met: Whether it met somebody.
    """

    fault: str
    at_ns: int
    mended_ns: int
    epoch: int
    worker: str
    commit_s: float | None = None
    met: bool = True


class Moment(NamedTuple):
    """Who is there when a blow is dealt, and what mends it."""

    owner: WorkerId
    owning: Home
    other: Home
    mending: ExitStack


class Striker:
    """Deals the blows.

    Args:
        stage: Where.
    """

    def __init__(self, stage: Stage) -> None:
        """Have a record of its own in the etcd, in which nobody else writes."""
        self._stage = stage
        self._members = stage.members
        store = etcd_store(stage.members.cluster(PROBE), patience_s=COMMIT_S_MAX)
        self._probe = started(store)
        self._dealing: dict[Fault, Callable[[Moment], None]] = {
            Fault.NONE: lambda _: None,
            Fault.OWNER_KILLED: lambda now: now.owning.strike(now.owner, signal.SIGKILL),
            Fault.OWNER_STOPPED: self._stop_owner,
            Fault.OTHER_STOPPED: self._stop_others,
            Fault.OWNER_HOST_KILLED: lambda now: self._kill_host(now.owning, now),
            Fault.OTHER_HOST_KILLED: lambda now: self._kill_host(now.other, now),
            Fault.OWNER_HOST_AND_LEADER_KILLED: self._kill_host_and_leader,
            Fault.OWNER_HOST_CUT: lambda now: _cut(now.owning, now),
            Fault.OTHER_HOST_CUT: lambda now: _cut(now.other, now),
            Fault.OWNER_HOST_MUTE: self._mute,
            Fault.OWNER_HOST_DEAF: self._deafen,
            Fault.LEADER_KILLED: lambda now: self._kill(self._members.leader(), now),
            Fault.LEADER_STOPPED: lambda now: self._stop(self._members.leader(), now),
            Fault.LEADER_CUT: self._cut_leader,
            Fault.LEADER_HALF_CUT: self._half_cut_leader,
            Fault.FOLLOWER_KILLED: lambda now: self._kill(self._follower(), now),
            Fault.FOLLOWER_STUTTERS: self._stutter,
            Fault.NO_MAJORITY: self._lose_majority,
            Fault.NO_MAJORITY_IN_BAKE: self._lose_majority,
        }

    def close(self) -> None:
        """Give the connection back."""
        self._probe.close()

    def strike(self, strike: Strike, look: Callable[[], None] = lambda: None) -> Blow:
        """Deal a blow, wait as long as it lasts, look, and mend it."""
        newest = self._stage.newest()
        owner = newest.record.ownership.owner if newest is not None else None
        assert newest is not None, "it runs"
        assert owner is not None, "it is calm"
        at_ns, commit_s, met = time.time_ns(), None, strike.fault is not Fault.NONE
        with ExitStack() as mending:
            if strike.fault in _TRAPS:
                met = self._trap(strike.fault, mending)
                at_ns = time.time_ns()
            else:
                self._dealing[strike.fault](Moment(owner, *self._stage.owners(), mending))
            if strike.fault in _OF_LEADER:
                commit_s = self._commit_s(at_ns)
            time.sleep(max(0.0, strike.lasts_s - (commit_s or 0.0)))
            look()
        return Blow(
            fault=strike.fault.value,
            at_ns=at_ns,
            mended_ns=time.time_ns(),
            epoch=newest.record.ownership.epoch,
            worker=owner.worker,
            commit_s=commit_s,
            met=met,
        )

    # --- against workers and hosts ---------------------------------------------------

    def _trap(self, fault: Fault, mending: ExitStack) -> bool:
        """Let the owner stand still at its next order; tell whether it does."""
        self._stage.exchange.lay(Trap(after=fault is Fault.STOPPED_AFTER_SEND))
        mending.callback(self._wake_all)
        return self._stage.exchange.wait_trapped(TRAP_S_MAX)

    def _stop_owner(self, now: Moment) -> None:
        now.owning.strike(now.owner, signal.SIGSTOP)
        now.mending.callback(self._wake_all)

    def _stop_others(self, now: Moment) -> None:
        for each in now.other.children():
            now.other.send(int(each["pid"]), signal.SIGSTOP)
        now.mending.callback(self._wake_all)

    def _wake_all(self) -> None:
        """Let everybody go on who stands still, wherever."""
        for home in self._stage.homes:
            if home.is_up:
                home.wake_all()

    def _kill_host(self, home: Home, now: Moment) -> None:
        home.cut_power()
        now.mending.callback(self._stage.boot, home)

    def _kill_host_and_leader(self, now: Moment) -> None:
        self._kill(self._members.leader(), now)
        self._kill_host(now.owning, now)

    def _mute(self, now: Moment) -> None:
        for number in range(etcd.FIRST, etcd.FIRST + etcd.COUNT):
            now.owning.lose(number)
            now.mending.callback(now.owning.find, number)

    def _deafen(self, now: Moment) -> None:
        for index in range(etcd.COUNT):
            self._members.lose(index, now.owning.number)
            now.mending.callback(self._members.find, index, now.owning.number)

    # --- against members -------------------------------------------------------------

    def _follower(self) -> int:
        return (self._members.leader() + 1) % etcd.COUNT

    def _kill(self, index: int, now: Moment) -> None:
        self._members.kill(index)
        now.mending.callback(self._members.start, index)

    def _stop(self, index: int, now: Moment) -> None:
        self._members.send(index, signal.SIGSTOP)
        now.mending.callback(self._members.send, index, signal.SIGCONT)

    def _cut_leader(self, now: Moment) -> None:
        leader = self._members.leader()
        self._members.pull(leader)
        now.mending.callback(self._members.plug, leader)

    def _half_cut_leader(self, now: Moment) -> None:
        leader, follower = self._members.leader(), self._follower()
        self._members.lose(leader, etcd.FIRST + follower)
        now.mending.callback(self._members.find, leader, etcd.FIRST + follower)

    def _stutter(self, now: Moment) -> None:
        follower = self._follower()
        now.mending.callback(self._members.send, follower, signal.SIGCONT)
        for _ in range(STUTTERS):
            self._members.send(follower, signal.SIGSTOP)
            time.sleep(STANDS_S)
            self._members.send(follower, signal.SIGCONT)
            time.sleep(GOES_S)

    def _lose_majority(self, now: Moment) -> None:
        """Of three one is killed and one stands still: one is left."""
        leader, follower = self._members.leader(), self._follower()
        self._kill(leader, now)
        self._stop(follower, now)

    def _commit_s(self, since_ns: int) -> float:
        """Return the seconds until a commit has succeeded; its store tries it until then."""
        attempt = f"probe-{since_ns}"

        def change(record: Record) -> Record:
            control = replace(record.control, at_ns=since_ns)
            return transitions.command(record, control=control, attempt=attempt)

        self._probe.transact(change, note("command"))
        return (time.time_ns() - since_ns) / 1e9


def _cut(home: Home, now: Moment) -> None:
    home.pull()
    now.mending.callback(home.plug)


_TRAPS: Final = frozenset({Fault.STOPPED_BEFORE_SEND, Fault.STOPPED_AFTER_SEND})
_OF_LEADER: Final = frozenset({Fault.LEADER_KILLED, Fault.LEADER_STOPPED, Fault.LEADER_CUT})
