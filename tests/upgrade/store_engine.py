"""The store of one engine, run by command: `python store_engine.py TREE`.

A program on its own, so that it can run with the code of any release: it imports nothing but
that release's `state`. Each line of standard input is a command, each line of standard output
its answer, both JSON. A step may be ended in the place of one of its system calls, as a process
that is killed ends.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from msgspec import Raw
from msgspec.structs import replace

from state.atomic_file import SystemFiles
from state.local_store import LocalStore
from state.record import (
    Effect,
    Fallback,
    Phase,
    Progress,
    Record,
    Rollout,
    SchemaId,
    Timeline,
    WorkerId,
    encode_record,
)
from state.store import Note

if TYPE_CHECKING:
    from state.journal_frames import Line

NOW_NS = 1_795_000_000_000_000_000
FIRST = 10
SCHEMA = SchemaId(name="body", version=2, fingerprint="f2")
OLD_SCHEMA = SchemaId(name="body", version=1, fingerprint="f1")
OWNER = WorkerId(
    worker="a", host="h", boot_id="b", pid_namespace="1", pid=1, start_ticks=1, release="r1"
)


class Killed(BaseException):
    """The process ends here."""


def files_ended_at(kill_at: int | None) -> SystemFiles:
    """Return system calls the one of which with this number ends the process."""
    files, left = SystemFiles(), itertools.count()

    def counted(call: Any) -> Any:  # noqa: ANN401 - any method
        def called(*arguments: Any) -> Any:  # noqa: ANN401 - as above
            if next(left) == kill_at:
                raise Killed
            return call(*arguments)

        return called

    for name in ("open", "write", "truncate", "link", "replace", "unlink"):
        setattr(files, name, counted(getattr(files, name)))
    vars(files)["fsync"] = counted(lambda _: None)  # the medium is not the subject
    return files


def opened(home: Path, kill_at: int | None) -> LocalStore:
    """Open the store; the previous release has another name for what decides again."""
    decides_again: dict[str, Any] = {
        "replay" if "replay" in inspect.signature(LocalStore).parameters else "rebuild": _again
    }
    return LocalStore(
        home / "state",
        app="both",
        timeline=Timeline(),
        now_ns=lambda: NOW_NS,
        force_filesystem=True,
        files=files_ended_at(kill_at),
        **decides_again,
    )


def _again(record: Record, line: Line) -> Record:
    return decided(record, json.loads(bytes(line.inputs)), line.attempt)


# --- steps, without the rules of `transitions`: those may differ between two releases --------


def decided(record: Record, nonce: str, attempt: str) -> Record:
    """Decide the next cycle, from the body before it and the inputs alone."""
    cycle = record.progress.cycle + 1
    link = hashlib.sha256(bytes(record.body) + nonce.encode()).hexdigest()
    fallback = Fallback(schema=OLD_SCHEMA, body=Raw(b'["%s"]' % link.encode()))
    return replace(
        record,
        attempt=attempt,
        progress=replace(record.progress, cycle=cycle, phase=Phase.DECIDED, release="r1"),
        outbox=(Effect(effect_id=f"{cycle}-{nonce}", kind="order", cycle=cycle),),
        schema=SCHEMA,
        body=Raw(b'"%s"' % link.encode()),
        fallback=fallback if record.rollout else None,
    )


def create(store: LocalStore, _: str) -> Record:
    """Make the first record."""
    first = Record(app="both", timeline=Timeline(), progress=Progress(cycle=FIRST))
    return store.create(first)


def own(store: LocalStore, nonce: str) -> Record:
    """Become the owner."""

    def change(record: Record) -> Record:
        held = record.ownership
        after = replace(held, epoch=held.epoch + 1, owner=OWNER, last_owner=OWNER)
        return replace(record, attempt=f"seize-{nonce}", ownership=after)

    return store.transact(change, Note(kind="seize"))


def bake(store: LocalStore, nonce: str) -> Record:
    """Begin a bake: from now on each decision has a fallback."""
    rollout = Rollout(deploy_id="d1", of=99)
    return store.transact(
        lambda record: replace(record, attempt=f"bake-{nonce}", rollout=rollout), Note(kind="take")
    )


def decide(store: LocalStore, nonce: str) -> Record:
    """Decide the next cycle."""
    words = Note(kind="decide", inputs=Raw(json.dumps(nonce).encode()))
    return store.transact(lambda record: decided(record, nonce, f"decide-{nonce}"), words)


def settle(store: LocalStore, nonce: str) -> Record:
    """Settle the cycle in hand."""

    def change(record: Record) -> Record:
        progress = replace(record.progress, phase=Phase.SETTLED)
        return replace(record, attempt=f"settle-{nonce}", progress=progress, outbox=())

    return store.transact(change, Note(kind="settle"))


def read(store: LocalStore, _: str) -> Record:
    """Read the record."""
    return store.read()


STEPS = {each.__name__: each for each in (create, own, bake, decide, settle, read)}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Do one step; return what came of it."""
    store = opened(Path(asked["home"]), asked.get("kill_at"))
    try:
        record = STEPS[asked["step"]](store, asked.get("nonce", ""))
    except Killed:
        return {"killed": True}
    finally:
        store.close()
    return {
        "killed": False,
        "cycle": record.progress.cycle,
        "phase": record.progress.phase.value,
        "outbox": [each.effect_id for each in record.outbox],
        "digest": encode_record(record)[1],
    }


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()
