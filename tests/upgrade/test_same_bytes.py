"""Either release rebuilds, byte for byte, the record that the other one's line promised."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec.structs import replace

from state.commit import Generation, plan_commit
from state.journal_frames import Health, encode_line
from state.record import Cadence, Fate, Record, decode_record, encode_record
from state.transitions import Proof
from tests.records import NOW_NS, A, B, decide, effect, empty, note, owned, seize, settle, take
from tests.upgrade.engines import said_by

if TYPE_CHECKING:
    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow]

# Runs with the engine that the path names: reads a record and the line that leads to the next
# one, rebuilds that next one, lets its owner go on by one step, and tells what it would write.
PROGRAM: Final = """
import base64, json, sys
sys.path.insert(0, sys.argv[1])
from msgspec.structs import replace
from state.commit import Generation, plan_commit
from state.journal_frames import decode_line, encode_line
from state.open_struct import decode_open
from state.record import Fate, Record, decode_record, encode_record
from state.recovery import assemble
from state.store import Note
from state import transitions

given = json.load(sys.stdin)
line = decode_line(given["line"].encode(), previous_chain="")
body = decode_record(given["after"].encode(), where="given")[0]
rebuilt = assemble(line, body)
assert rebuilt is not None, "the line does not lead to its own record"
data, digest = encode_record(rebuilt)
owner = rebuilt.ownership.owner
settled = transitions.settle(
    rebuilt, worker=owner, epoch=rebuilt.ownership.epoch, cycle=rebuilt.progress.cycle,
    fates={each.effect_id: Fate.DOUBTFUL for each in rebuilt.outbox},
    cleanliness=transitions.Cleanliness.OUTSIDE, attempt="other",
)
commit = plan_commit(Generation(rebuilt, digest), settled, Note(kind="settle"), now_ns=1)
print(json.dumps({
    "rebuilt": data.decode(),
    "line": encode_line(line, previous_chain="")[0].decode(),
    "settled": commit.data.decode(),
    "next": encode_line(commit.line, previous_chain="")[0].decode(),
}))
"""


def cycle_in_hand() -> Record:
    """Everything that this release may say and the one before does not know."""
    owner = replace(A, machine="m", lock=7)
    record = replace(seize(empty(), owner, proof=Proof.NONE), cadence=Cadence(period_ns=300))
    record = settle(decide(record, effect("carried")), {"carried": Fate.DOUBTFUL})
    record = decide(take(record, replace(B, machine="m", lock=8)), effect("new"))
    unproven = tuple(replace(each, unproven=True) for each in record.outbox)
    return replace(record, outbox=unproven, progress=replace(record.progress, attempts=2))


@pytest.mark.parametrize("full", [False, True], ids=["nothing new", "all that is new"])
def test_either_release_rebuilds_from_the_others_line(engines: Engines, *, full: bool) -> None:
    """Otherwise a power cut after a deploy or a return leaves a record that nobody can open."""
    after = cycle_in_hand() if full else decide(take(owned()), effect("new"))
    before = Generation(empty(), "parent")
    words = note("decide", health=Health(asked=2, answered=1) if full else None)
    commit = plan_commit(before, after, words, now_ns=NOW_NS)
    line = replace(commit.line, body=after.body, chain="")
    if after.fallback is not None:
        line = replace(line, fallback=after.fallback.body)
    given = {
        "after": commit.data.decode(),
        "line": encode_line(line, previous_chain="")[0].decode(),
    }
    found = {name: said_by(getattr(engines, name), PROGRAM, given) for name in ("previous", "this")}
    for name, said in found.items():
        assert said["rebuilt"] == given["after"], name
        assert said["line"] == given["line"], name
        _the_other_reads(said)
    if not full:
        assert found["previous"] == found["this"], "and goes on alike"


def _the_other_reads(said: dict[str, Any]) -> None:
    """What an engine went on to write, this one reads and would write alike."""
    record, digest = decode_record(said["settled"].encode(), where="settled")
    assert encode_record(record) == (said["settled"].encode(), digest)
    assert json.loads(said["next"])["result"] == digest
