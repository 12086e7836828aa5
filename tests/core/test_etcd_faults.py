"""Drawn faults between two stores and a modelled etcd: who was told what, against what happened.

The stores are the real ones; what they speak to is a model that never fails, behind a line that
does: requests are lost, answers are lost, requests arrive late or twice, and somebody else writes
between any two of them. A seed that fails is a test to keep.
"""

from __future__ import annotations

import random
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import pytest
from msgspec.structs import replace

from state import transitions
from state.errors import OutcomeUnknown, OutOfReach, Refusal, Refused
from state.etcd import commits, wire
from state.etcd import keys as plans
from state.etcd.account import forgetting
from state.etcd.address import Cluster, Endpoint
from state.etcd.client import NotSent, Rejected, Unclear
from state.etcd.lease import Standing
from state.etcd.session import TAKE_S_MAX
from state.etcd_store import EtcdStore
from state.record import Record, Timeline
from tests.etcd_model import ModelEtcd
from tests.records import APP, NOW_NS, decide, effect, note, owned, settle, take

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.journal_frames import Line

SEEDS: Final = 20  # more are run by hand: `run(seed)`
STEPS: Final = 12
TRIES: Final = 4
_ARRIVES: Final = 0.5
_OTHERS: Final = 0.3
CLUSTER: Final = Cluster((Endpoint("127.0.0.1"),), "sim")
FAULTS: Final = ["none"] * 4 + ["not sent", "request lost", "answer lost", "late", "doubled"]


class Wire:
    """What one store's requests go through, in place of its client."""

    def __init__(self, world: World) -> None:
        self._world = world

    def call(self, path: str, request: object, **_: float) -> bytes:
        if path == wire.GRANT:
            return wire.encode({"ID": self._world.etcd.grant(), "TTL": 600})
        assert isinstance(request, wire.Transaction)
        return wire.encode(self._world.deliver(request))

    def close(self) -> None:
        """Nothing is held."""


class World:
    """An etcd, an owner and an operator, and what each was told."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a seed that can be run again
        self.etcd = ModelEtcd()
        self.faults = ["none"]
        self.hold = False  # chunks arrive, and what is late stays so
        self.late: list[wire.Transaction] = []
        self.busy: list[EtcdStore] = []
        self.done: list[str] = []
        self.unknown: list[str] = []
        self.count = 0
        self.owner, self.operator = self._store(), self._store()
        self.owner.create(owned())
        self.faults = FAULTS

    def _store(self) -> EtcdStore:
        store = EtcdStore(CLUSTER, app=APP, timeline=Timeline(), now_ns=lambda: NOW_NS)
        store._session._client = Wire(self)  # type: ignore[assignment] # noqa: SLF001
        return store

    def deliver(self, request: wire.Transaction) -> wire.TransactionAnswer:
        if not self.hold:
            self._meanwhile()
        fault = self.random.choice(self.faults) if request.compare or not self.hold else "none"
        if fault == "not sent":
            raise NotSent
        if fault == "late":
            self.late.append(request)
        if fault in {"late", "request lost"}:
            raise Unclear
        answer = self.etcd.apply(request)
        if fault == "doubled":
            answer = self.etcd.apply(request)
        if fault == "answer lost":
            raise Unclear
        return answer

    def _meanwhile(self) -> None:
        """Let what was late arrive, and somebody else write, between any two requests."""
        while self.late and self.random.random() < _ARRIVES:
            self.etcd.apply(self.late.pop(self.random.randrange(len(self.late))))
        if len(self.busy) == 1 and self.random.random() < _OTHERS:
            self.step(self.owner if self.busy == [self.operator] else self.operator)

    def step(self, store: EtcdStore) -> None:
        """Let a store commit once, under an attempt that comes once."""
        self.count += 1
        attempt = f"attempt-{self.count}"
        change = self._command if store is self.operator else self._progress
        self.busy.append(store)
        try:
            record = store.transact(change(attempt), note("command"))
        except OutcomeUnknown:
            self.unknown.append(attempt)
        except OutOfReach:
            pass
        else:
            assert record.attempt == attempt, "a commit returns its own record"
            self.done.append(attempt)
        finally:
            self.busy.pop()

    def _command(self, attempt: str) -> Callable[[Record], Record]:
        def change(record: Record) -> Record:
            control = replace(record.control, at_ns=record.control.at_ns + 1)
            return transitions.command(record, control=control, attempt=attempt)

        return change

    def _progress(self, attempt: str) -> Callable[[Record], Record]:
        def change(record: Record) -> Record:
            if record.outbox:
                return settle(record, attempt=attempt)
            return decide(record, effect(f"order-{record.progress.cycle}"), attempt=attempt)

        return change

    def lines(self) -> list[Line]:
        """Return the journal's lines, whole."""
        names = plans.Keys(CLUSTER.prefix)
        return [
            plans.line_of(self.etcd.kept[key].value)
            for key in map(names.line, range(1, self.count + 2))
            if key in self.etcd.kept
        ]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count tries instead of seconds."""
    monkeypatch.setattr("state.etcd.session._PAUSE_S", 0.0)
    monkeypatch.setattr("state.etcd.session.TRIES_MAX", TRIES)


def judged(world: World) -> Record:
    """Check what is in etcd against what each was told; return the record."""
    world.faults = ["none"]
    for request in world.late:
        world.etcd.apply(request)
    found = world.lines()
    attempts = [line.attempt for line in found[1:]]
    assert len({*attempts}) == len(attempts), "a commit happened twice"
    assert {*world.done} <= {*attempts}, "a commit that was acknowledged is lost"
    assert {*attempts} <= {*world.done, *world.unknown}, "one happened that was said not to have"
    for before, after in pairwise(found):
        assert after.parent == before.result, "a commit was made from another record"
    record = world.owner.read()
    assert record == world.operator.read()
    assert record.attempt == found[-1].attempt
    return record


def run(seed: int) -> World:
    """Let owner and operator write by turns, and judge what came of it."""
    world = World(seed)
    for _ in range(STEPS):
        world.step(world.random.choice([world.owner, world.operator]))
    record = judged(world)
    assert world.done, f"seed {seed} did nothing"
    assert record.control.at_ns + record.progress.cycle > 10
    return world


def test_whatever_becomes_of_requests_and_answers_everybody_knows_what_happened() -> None:
    worlds = [run(seed) for seed in range(SEEDS)]
    assert any(world.unknown for world in worlds), "nobody was ever left in doubt"


def test_chunks_of_a_commit_that_arrived_late_are_not_those_of_its_second_try() -> None:
    """Written anew with a lease, they would go with it: the record would be gone in ten minutes."""
    world = World(0)
    change = partial(decide, body=b'"%s"' % (b"x" * 1_300_000), attempt="large")
    world.faults = ["late"]
    world.hold = True
    with pytest.raises(OutcomeUnknown):
        world.owner.transact(change, note("decide"))
    world.faults, world.hold = ["none"], False
    record = world.owner.transact(change, note("decide"))
    for lease in sorted(world.etcd.leases - {0}):
        world.etcd.revoke(lease)
    assert world.operator.read() == record
    assert world.operator.line(2).attempt == "large"


def test_who_binds_its_key_anew_says_again_for_whose_account_it_acts() -> None:
    """Somebody who left may have had it forgotten while the lease was over: it owns still."""
    world = World(1)
    world.faults = ["none"]
    store = EtcdStore(
        CLUSTER, app=APP, timeline=Timeline(), now_ns=lambda: NOW_NS, account="one", lease_s=600
    )
    store._session._client = Wire(world)  # type: ignore[assignment] # noqa: SLF001
    lease = world.etcd.grant()
    standing = lambda: Standing(lease=lease, ttl_ns=1)  # noqa: E731
    store._keeper = SimpleNamespace(standing=standing, close=list)  # type: ignore[assignment] # noqa: SLF001
    names = plans.Keys(CLUSTER.prefix)
    assert store.bind_anew(epoch=1)
    world.etcd.revoke(lease)
    assert world.etcd.apply(forgetting(names.account, names.owner)).succeeded
    assert names.account not in world.etcd.kept
    lease = world.etcd.grant()
    assert store.bind_anew(epoch=1)
    assert world.etcd.kept[names.account].value == b"one"
    assert not world.etcd.apply(forgetting(names.account, names.owner)).succeeded
    store.close()


def test_a_take_that_finds_its_lease_gone_is_over_within_the_time_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its margin is for one: it would land after the boundary that it is for."""
    world, now_s = World(1), [100.0]
    world.faults = ["none"]
    store = EtcdStore(CLUSTER, app=APP, timeline=Timeline(), now_ns=lambda: NOW_NS, lease_s=600)
    line, lease = Wire(world), world.etcd.grant()
    standing = lambda: Standing(lease=lease, ttl_ns=1)  # noqa: E731
    store._keeper = SimpleNamespace(standing=standing, lost=[].append, close=list)  # type: ignore[assignment] # noqa: SLF001
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])

    def call(path: str, request: object, **_: float) -> bytes:
        nonlocal lease
        assert isinstance(request, wire.Transaction)
        if not request.compare:
            return line.call(path, request)
        now_s[0] += 0.3
        if now_s[0] < 100.5:
            raise Unclear
        if lease in world.etcd.leases and not renewed:
            world.etcd.revoke(lease)
            lease = world.etcd.grant()
            renewed.append(now_s[0])
            raise Rejected(wire.NOT_FOUND, "requested lease not found")
        raise Unclear

    renewed = list[float]()
    store._session._client = SimpleNamespace(call=call, close=list)  # type: ignore[assignment] # noqa: SLF001
    with pytest.raises(OutcomeUnknown):
        store.transact(take, note("take"))
    assert renewed
    assert now_s[0] <= 100.0 + TAKE_S_MAX + 0.3, "the last try may take its time"
    store.close()


def test_a_take_for_which_it_is_too_late_once_its_chunks_are_there_is_not_sent() -> None:
    """It would land after the boundary that it is for, over an owner that has begun the cycle."""
    world, now_s = World(1), [100.0]
    world.faults = ["none"]
    large = b'"%s"' % (b"x" * commits.CHUNK_BYTES)
    world.owner.transact(lambda record: decide(record, body=large), note("decide"))
    world.owner.transact(settle, note("settle"))
    store, line, before = world.operator, Wire(world), world.owner.read()

    def call(path: str, request: object, **_: float) -> bytes:
        if isinstance(request, wire.Transaction) and not request.compare:
            now_s[0] += any(step.request_put is not None for step in request.success)
        return line.call(path, request)

    def in_time(record: Record) -> Record:
        if now_s[0] > limit_s:
            raise Refused(Refusal.TOO_LATE, "the boundary comes")
        return take(record)

    store._session._client = SimpleNamespace(call=call, close=list)  # type: ignore[assignment] # noqa: SLF001
    limit_s = now_s[0]
    with pytest.raises(Refused, match="the boundary comes"):
        store.transact(in_time, note("take"))
    assert now_s[0] > limit_s, "something went ahead"
    assert world.owner.read() == before
    limit_s = 2 * now_s[0]
    store.transact(in_time, note("take"))
    assert world.owner.read().ownership.epoch == before.ownership.epoch + 1
