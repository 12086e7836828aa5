"""The process that the sweep stops: one step of an owner's life, each commit told outside.

`python -m tests.crash.victim STEP HOME ACKS`. The body carries a hash chain over random inputs,
so that a cycle decided twice, left out or out of order shows in the body itself. ACKS is a file
outside the home: a line for each commit that returned, each that was refused and each effect
sent. Between the lines `begin` and `end` lies what is swept.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from state import transitions
from state.atomic_file import SystemFiles
from state.errors import OutcomeUnknown, RecordMissing, StateError, StateUnusable
from state.journal import Retention
from state.local_store import LocalStore
from state.record import (
    Fallback,
    Fate,
    Outcome,
    Phase,
    Progress,
    Receipt,
    Record,
    Rollout,
    SchemaId,
    Timeline,
    WorkerId,
    evidence_of,
)
from state.store import Note
from state.transitions import Cleanliness, Proof
from tests.faulty_files import ShortWrites
from tests.records import effect, worker

if TYPE_CHECKING:
    from state.journal_frames import Line

APP: Final = "sweep"
SCHEMA: Final = SchemaId(name="sweep.body", version=2, fingerprint="f2")
OLD_SCHEMA: Final = SchemaId(name="sweep.body", version=1, fingerprint="f1")
FIRST: Final = 10
BALLAST: Final = 100  # repetitions of the chain: the body spans pages
TRIES: Final = 4
SHORT_BYTES: Final = 3000
FAR_NS: Final = 1 << 62
GAVE_UP: Final = 5  # an error of the store that a launcher answers with a new worker

Attempted = Callable[[Record, str], Record]
"""A transition that waits for the id of its attempt."""


def chain_after(chain: str, cycle: int, nonce: str) -> str:
    return hashlib.sha256(f"{chain} {cycle} {nonce}".encode()).hexdigest()


def chain_in(body: bytes | msgspec.Raw) -> tuple[str, int]:
    plain = json.loads(bytes(body)) or {}
    return plain.get("chain", ""), plain.get("links", 0)


def decided(record: Record, nonce: str, attempt: str) -> Record:
    """Decide the next cycle from its inputs alone."""
    owner = record.ownership.owner
    assert owner is not None, "somebody decides"
    cycle = record.progress.cycle + 1
    chain, links = chain_in(record.body)
    after = chain_after(chain, cycle, nonce)
    body = {"chain": after, "links": links + 1, "ballast": after * BALLAST}
    old = Fallback(schema=OLD_SCHEMA, body=msgspec.Raw(b'{"links":%d}' % (links + 1)))
    return transitions.decide(
        record,
        worker=owner,
        epoch=record.ownership.epoch,
        cycle=cycle,
        body=msgspec.Raw(msgspec.json.encode(body)),
        schema=SCHEMA,
        effects=[effect(f"order-{cycle}-{nonce}")],
        fallback=old,
        attempt=attempt,
    )


def nonce_of(line: Line) -> str:
    return msgspec.json.decode(line.inputs, type=dict[str, str])["nonce"]


def decided_again(record: Record, line: Line) -> Record:
    """Decide a recorded cycle again: what recovery and verification are given."""
    return decided(record, nonce_of(line), line.attempt)


def open_store(
    home: Path, *, rotating: bool = False, short: bool = False, attended: bool = False
) -> LocalStore:
    small = Retention(segment_bytes_max=10_000, total_bytes_max=30_000)
    return LocalStore(
        home / "state",
        app=APP,
        timeline=Timeline(),
        now_ns=time.time_ns,
        force_filesystem=True,
        lock_timeout_ns=2_000_000_000,
        replay=decided_again,
        attended=attended,
        retention=small if rotating else Retention(),
        files=ShortWrites(SHORT_BYTES) if short else SystemFiles(),
    )


class Victim:
    """One worker of the sweep.

    Args:
        store: Where the record is.
        me: Who it is.
        acks: Where it says what it was told.
    """

    def __init__(self, store: LocalStore, me: WorkerId, acks: Path) -> None:
        self.store = store
        self.me = me
        self.acks = acks
        self._out = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(self, *words: str) -> None:
        os.write(self._out, " ".join(words).encode() + b"\n")

    def seize(self, record: Record) -> Record:
        seen = evidence_of(record)

        def change(found: Record, attempt: str) -> Record:
            return transitions.seize(
                found, worker=self.me, seen=seen, proof=Proof.DEAD, attempt=attempt
            )

        return self._commit("seize", change, lambda found: found.ownership.owner == self.me)

    def take(self, record: Record) -> Record:
        seen = evidence_of(record)

        def change(found: Record, attempt: str) -> Record:
            return transitions.take(
                found,
                candidate=self.me,
                seen=seen,
                now_ns=0,
                deadline_ns=FAR_NS,
                rollout=Rollout(deploy_id="d1", of=2),
                attempt=attempt,
            )

        return self._commit("take", change, lambda found: found.ownership.owner == self.me)

    def decide(self, record: Record) -> Record:
        cycle = record.progress.cycle + 1
        nonce = secrets.token_hex(8)
        note = Note(kind="decide", inputs=msgspec.Raw(b'{"nonce":"%s"}' % nonce.encode()))
        return self._commit(
            "decide",
            lambda found, attempt: decided(found, nonce, attempt),
            lambda found: found.progress.cycle >= cycle,
            note,
        )

    def settle(self, record: Record) -> Record:
        """Send what was not sent, as far as the outside world says, and settle."""
        cycle = record.progress.cycle
        outside = self.acks.read_text().split("\n")
        fates: dict[str, Receipt | Fate] = {}
        for each in record.outbox:
            if f"sent {each.effect_id}" not in outside:
                self.say("sent", each.effect_id)
            fates[each.effect_id] = Receipt(
                effect_id=each.effect_id, kind=each.kind, outcome=Outcome.CONFIRMED
            )

        def change(found: Record, attempt: str) -> Record:
            return transitions.settle(
                found,
                worker=self.me,
                epoch=found.ownership.epoch,
                cycle=cycle,
                fates=fates,
                cleanliness=Cleanliness.CLEAN,
                attempt=attempt,
            )

        return self._commit("settle", change, lambda found: found.progress.phase is Phase.SETTLED)

    def send(self, record: Record) -> None:
        for each in record.outbox:
            self.say("sent", each.effect_id)

    def read(self) -> Record:
        """Read, as often as a worker that is started again and again would."""
        for _ in range(TRIES):
            try:
                return self.store.read()
            except StateUnusable:
                raise
            except StateError as error:
                self.say("unread", type(error).__name__)
        return self.store.read()

    def _commit(
        self,
        kind: str,
        change: Attempted,
        is_done: Callable[[Record], bool],
        note: Note | None = None,
    ) -> Record:
        """Commit as a worker does: an unknown outcome is looked up, a failure tried again."""
        note = note or Note(kind=kind)
        for _ in range(TRIES):
            attempt = f"{kind}-{secrets.token_hex(8)}"
            try:
                found = self.store.transact(lambda record: change(record, attempt), note)  # noqa: B023 - called within this turn
            except OutcomeUnknown:
                found = self.read()
                if found.attempt != attempt:
                    self.say("failed", attempt)
                    continue
            except StateUnusable:
                raise
            except StateError:
                self.say("failed", attempt)
                assert not is_done(self.read()), "what failed has happened"
                continue
            self.say("done", attempt)
            return found
        sys.exit(f"{kind} failed {TRIES} times")


def survive(victim: Victim) -> None:
    """Do what the next worker does: own, finish what is in hand, run one more cycle."""
    record = _first_or_newest(victim)
    owning = record.ownership.owner or record.ownership.last_owner
    if owning is not None:
        victim.me = replace(victim.me, release=owning.release)
    record = victim.seize(record)
    victim.say("end")
    if record.progress.phase is Phase.DECIDED:
        record = victim.settle(record)
    victim.settle(victim.decide(record))


def _first_or_newest(victim: Victim) -> Record:
    try:
        return victim.read()
    except RecordMissing:
        victim.say("missing")
        return victim.store.create(genesis())


def genesis() -> Record:
    return Record(app=APP, timeline=Timeline(), progress=Progress(cycle=FIRST), attempt="genesis")


def live(step: str, home: Path, acks: Path) -> None:
    """Do one step; everything before it is done already in the home that is given.

    Args:
        step: `first`, `decide`, `settle`, `take`, `seize`, `survive` or `repair`, then words:
            `rotate` (small segments), `short` (short writes).
        home: The home directory.
        acks: Where to tell of commits.
    """
    kind, *how = step.split("-")
    if kind == "repair":  # `foresight state repair`, in the environment of the release
        open_store(home, attended=True).read()
        return
    me = worker(f"w{os.getpid()}", "r2" if kind == "take" else "r1")
    if kind in {"first", "survive"}:
        tell(acks, "begin")  # opening the store is part of it
    store = open_store(home, rotating="rotate" in how, short="short" in how)
    victim = Victim(store, me, acks)
    if kind == "first":
        record = store.create(genesis())
        victim.say("done", record.attempt)
        victim.say("end")
        return
    if kind == "survive":
        survive(victim)
        victim.say("end")
        return
    record = store.read()
    if kind in {"decide", "settle"}:
        assert record.ownership.owner is not None, "prepared"
        victim.me = record.ownership.owner
    victim.say("begin")
    match kind:
        case "decide":
            victim.send(victim.decide(record))
        case "settle":
            victim.settle(record)
        case "take":
            victim.take(record)
        case "seize":
            victim.seize(record)
        case _:
            sys.exit(f"there is no step {step}")
    victim.say("end")


def tell(acks: Path, *words: str) -> None:
    with acks.open("ab", buffering=0) as out:
        out.write(" ".join(words).encode() + b"\n")


def main() -> int:
    try:
        live(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except StateError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return GAVE_UP
    return 0


if __name__ == "__main__":
    sys.exit(main())
