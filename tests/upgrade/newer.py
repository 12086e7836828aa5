"""What a release of the future may leave behind: members that nobody knows today, at every depth.

Owns these traces and the search for those that are gone. They are written while nothing runs,
with valid digests, in the record, the journal, the deploy history, a manifest and the
configuration of the launcher.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from state.journal_frames import decode_unchecked, encode_line
from state.journal_reader import read_tail, segments
from state.local_store import LocalStore, read_only_snapshot
from state.record import Control, Effect, Fate, Missed
from state.store import Note

if TYPE_CHECKING:
    from pathlib import Path

    from state.open_struct import OpenStruct
    from state.record import Record

MEMBER: Final = "of_a_newer_release"
VALUE: Final = {"since": [1, None, "ü"], "deep": {"deeper": 0.5}}
UNKNOWN: Final = {MEMBER: msgspec.Raw(json.dumps(VALUE).encode())}
DOUBTFUL: Final = "sign-of-old"  # an effect whose fate nobody learns: it stays in the outbox

# Where the record must still have the member after other code rewrote it.
PLACES: Final = (
    (),
    ("timeline",),
    ("ownership",),
    ("progress",),
    ("progress", "missed", 0),
    ("outbox", 0),
    ("control",),
)
LAST_OWNER: Final = ("ownership", "last_owner")  # until the next owner but one


def leave_traces(home: Path) -> None:
    """Write what a newer release may have written; nothing may run."""
    _into_record(home)
    _into_journal(home)
    (home / "deploys.jsonl").write_bytes(history_line())
    for path in home.glob("releases/*/release.json"):
        into_plain(path)


def into_plain(path: Path) -> None:
    """Add the member to a file of plain JSON."""
    plain = json.loads(path.read_bytes())
    path.write_text(json.dumps(plain | {MEMBER: VALUE}), encoding="utf-8")


def history_line() -> bytes:
    """Return a deploy as a newer release may have written it down."""
    known = {"deploy": "d0", "requested_at": "2026-11-22T00:00:00Z", "requested_ms": 1, "by": "mia"}
    return json.dumps({**known, "outcome": "postponed", MEMBER: VALUE}).encode() + b"\n"


def lost(home: Path, places: tuple[tuple[str | int, ...], ...]) -> list[str]:
    """Return the places in the record that have lost the member."""
    record = json.loads((home / "state" / "record.json").read_bytes())
    return [
        "/".join(map(str, place)) or "the record" for place in places if not _has(record, place)
    ]


def traced_lines(home: Path) -> int:
    """Return how many lines of the journal carry the member themselves."""
    text = b"".join(path.read_bytes() for path in segments(home / "journal"))
    return sum(MEMBER in json.loads(line) for line in text.splitlines())


def _has(document: Any, place: tuple[str | int, ...]) -> bool:  # noqa: ANN401 - JSON
    for step in place:
        document = document[step]
    return bool(document.get(MEMBER) == VALUE)


def _into_record(home: Path) -> None:
    found = read_only_snapshot(home / "state")
    store = LocalStore(home / "state", app=found.app, timeline=found.timeline, now_ns=time.time_ns)
    store.transact(_traced, Note(kind="command"))
    store.close()


def _traced(record: Record) -> Record:
    held, progress = record.ownership, record.progress
    assert held.last_owner is not None
    doubtful = Effect(effect_id=DOUBTFUL, kind="sign", payload=msgspec.Raw(b"0"), lane="old")
    missed = Missed(cycle=1, reason="long ago")
    return replace(
        record,
        attempt="newer",
        unknown_fields=UNKNOWN,
        timeline=_with(record.timeline),
        ownership=replace(_with(held), last_owner=_with(held.last_owner)),
        progress=replace(_with(progress), missed=(_with(missed),)),
        outbox=(_with(replace(doubtful, fate=Fate.DOUBTFUL)),),
        control=_with(Control(by="mia")),
    )


def _into_journal(home: Path) -> None:
    """Put the member into the newest line, and seal it again."""
    segment = segments(home / "journal")[-1]
    before, newest = read_tail(segment).lines
    line, previous = decode_unchecked(newest), decode_unchecked(before)
    sealed, _ = encode_line(_with(line), previous_chain=previous.chain)
    data = segment.read_bytes()
    segment.write_bytes(data[: -len(newest) - 1] + sealed)


def _with(value: Any) -> Any:  # noqa: ANN401 - any struct, and the same one back
    open_struct: OpenStruct = value
    return replace(open_struct, unknown_fields=UNKNOWN)
