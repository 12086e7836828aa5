"""Workers, records and steps that the tests of the state package start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from state import transitions
from state.commit import Generation, gap_line
from state.journal_frames import ABORTED, chain_lines
from state.memory_store import MemoryStore
from state.record import (
    Effect,
    Fallback,
    Outcome,
    Progress,
    Receipt,
    Record,
    Rollout,
    SchemaId,
    Timeline,
    WorkerId,
    decode_record,
    evidence_of,
)
from state.store import Change, Note, Store
from state.transitions import Cleanliness, Proof

if TYPE_CHECKING:
    from state.journal_frames import Line
    from state.outbox import Fates

APP = "test"
SCHEMA = SchemaId(name="test.body", version=1, fingerprint="f1")
OLD_SCHEMA = SchemaId(name="test.body", version=0, fingerprint="f0")
SECOND_NS = 1_000_000_000
NOW_NS = 1_795_000_000 * SECOND_NS
FAR_NS = NOW_NS + 3600 * SECOND_NS


def worker(name: str = "a", release: str = "r1") -> WorkerId:
    return WorkerId(
        worker=name,
        host="host",
        boot_id="boot",
        pid_namespace="4026531836",
        pid=sum(name.encode()),
        start_ticks=7,
        release=release,
    )


A, B, C = worker("a", "r1"), worker("b", "r2"), worker("c", "r3")


def empty(cycle: int = 10) -> Record:
    """A record that nobody owns yet; `cycle` is settled."""
    return Record(app=APP, timeline=Timeline(), progress=Progress(cycle=cycle))


def owned(cycle: int = 10, by: WorkerId = A) -> Record:
    return seize(empty(cycle), by, proof=Proof.NONE)


def seize(
    record: Record,
    by: WorkerId,
    *,
    proof: Proof = Proof.DEAD,
    due: bool = False,
    rollout: Rollout | None = None,
) -> Record:
    return transitions.seize(
        record,
        worker=by,
        seen=evidence_of(record),
        proof=proof,
        attempt=f"seize-{by.worker}",
        due=due,
        rollout=rollout,
    )


def costing(record: Record, owners: int, release: str = "r1") -> Record:
    """A record whose next step cost so many owners: each is dead, its standby is of the release."""
    for number in range(owners):
        record = seize(record, worker(f"standby{number}", release), due=True)
    return record


def take(record: Record, by: WorkerId = B, *, of: int = 3, **changes: Any) -> Record:  # noqa: ANN401 - passed on as it is
    words: dict[str, Any] = {
        "candidate": by,
        "seen": evidence_of(record),
        "now_ns": NOW_NS,
        "deadline_ns": FAR_NS,
        "rollout": Rollout(deploy_id=f"deploy-{by.worker}", of=of),
        "attempt": f"take-{by.worker}",
    }
    return transitions.take(record, **(words | changes))


def decide(record: Record, *effects: Effect, body: bytes = b"", **changes: Any) -> Record:  # noqa: ANN401 - passed on as it is
    """Let the owner decide the next cycle; during a bake with a fallback."""
    cycle = record.progress.cycle + 1
    words: dict[str, Any] = {
        "worker": record.ownership.owner,
        "epoch": record.ownership.epoch,
        "cycle": cycle,
        "body": Raw(body or b'{"cycle":%d}' % cycle),
        "schema": SCHEMA,
        "effects": effects,
        "fallback": Fallback(schema=OLD_SCHEMA, body=Raw(b'{"old":%d}' % cycle)),
        "attempt": f"decide-{cycle}",
    }
    return transitions.decide(record, **(words | changes))


def settle(record: Record, fates: Fates | None = None, **changes: Any) -> Record:  # noqa: ANN401 - passed on as it is
    """Let the owner settle the cycle in hand, every planned effect confirmed."""
    words: dict[str, Any] = {
        "worker": record.ownership.owner,
        "epoch": record.ownership.epoch,
        "cycle": record.progress.cycle,
        "fates": confirmed(record) if fates is None else fates,
        "cleanliness": Cleanliness.CLEAN,
        "attempt": f"settle-{record.progress.cycle}",
    }
    return transitions.settle(record, **(words | changes))


def miss(record: Record, **changes: Any) -> Record:  # noqa: ANN401 - passed on as it is
    cycle = record.progress.cycle + 1
    words: dict[str, Any] = {
        "worker": record.ownership.owner,
        "epoch": record.ownership.epoch,
        "cycle": cycle,
        "reason": "too old",
        "attempt": f"miss-{cycle}",
    }
    return transitions.miss(record, **(words | changes))


def release(record: Record, **changes: Any) -> Record:  # noqa: ANN401 - passed on as it is
    words: dict[str, Any] = {
        "worker": record.ownership.owner,
        "epoch": record.ownership.epoch,
        "attempt": "release",
    }
    return transitions.release(record, **(words | changes))


def baking() -> Record:
    """B has taken from A and decided and settled one cycle of three."""
    return settle(decide(take(owned())))


def promote(record: Record, **changes: Any) -> Record:  # noqa: ANN401 - passed on as it is
    """Let an operator who sees the record as it is end its bake early."""
    held, bake = record.ownership, record.rollout
    words: dict[str, Any] = {
        "deploy": bake.deploy_id if bake is not None else "",
        "release": held.release,
        "epoch": held.epoch,
        "attempt": "promote",
    }
    return transitions.promote(record, **(words | changes))


def halted(record: Record) -> Record:
    control = replace(record.control, halted=True, by="operator")
    return transitions.command(record, control=control, attempt="halt")


def effect(name: str = "order-1", **changes: Any) -> Effect:  # noqa: ANN401 - passed on as it is
    return replace(Effect(effect_id=name, kind="order"), **changes)


def receipt(name: str = "order-1", outcome: Outcome = Outcome.CONFIRMED) -> Receipt:
    return Receipt(effect_id=name, kind="order", outcome=outcome)


def confirmed(record: Record) -> Fates:
    return {each.effect_id: receipt(each.effect_id) for each in record.outbox}


def note(kind: str, **changes: Any) -> Note:  # noqa: ANN401 - passed on as it is
    return replace(Note(kind=kind), **changes)


def memory_store() -> MemoryStore:
    """An empty store whose clock stands still."""
    return MemoryStore(app=APP, timeline=Timeline(), now_ns=lambda: NOW_NS)


def started(store: Store, cycle: int = 10) -> Store:
    """Create the record and let A seize it."""
    store.create(empty(cycle))
    store.transact(lambda record: seize(record, A, proof=Proof.NONE), note("seize"))
    return store


def deciding(*effects: Effect, body: bytes = b"") -> Change:
    return lambda record: decide(record, *effects, body=body)


def run_cycles(store: Store, count: int = 1, *, body: bytes = b"") -> Record:
    """Let the owner decide and settle some cycles, each with one effect."""
    for _ in range(count):
        cycle = store.read().progress.cycle + 1
        inputs = Raw(b'{"price":%d}' % cycle)
        words = note("decide", inputs=inputs, scheduled_ns=NOW_NS, started_ns=NOW_NS)
        store.transact(deciding(effect(f"order-{cycle}"), body=body), words)
        store.transact(settle, note("settle"))
    return store.read()


def decided_again(record: Record, line: Line) -> Record:
    """Do what `run_cycles` did, from the line alone: the hook for recovery and replays."""
    price = msgspec.json.decode(line.inputs, type=dict[str, int])["price"]
    return decide(record, effect(f"order-{price}"))


def aborted_line(last: Line, current: Record, digest: str) -> Line:
    """Return the line by which release 0.2.0 took back one whose record had not followed."""
    line = gap_line(last, Generation(current, digest), now_ns=NOW_NS)
    assert line is not None, "it was ahead"
    return replace(line, kind=ABORTED, parent=digest, aborts=last.seq)


def taken_back(store: MemoryStore) -> None:
    """Do to a memory store what release 0.2.0 did to a newest line that was ahead."""
    last = store.journal()[-1]
    assert store.data is not None
    record, digest = decode_record(store.data, where="memory")
    data, (placed,) = chain_lines([aborted_line(last, record, digest)], last)
    store.append(data, placed)
