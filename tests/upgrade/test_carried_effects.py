"""What this release carries from cycle to cycle comes to a release that carries less."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec.structs import replace

from state.record import Delivery, Fate, Record, decode_record, encode_record
from tests.records import decide, effect, owned, settle

if TYPE_CHECKING:
    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow]

# Runs with the engine that the path names: performs what is pending, as the owner of the next
# cycle would, in an outside world that answers nothing, and settles.
PROGRAM: Final = """
import asyncio, importlib, json, sys
sys.path.insert(0, sys.argv[1])
from handoff.logs import Log
from handoff.virtual_time import VirtualClock, run_virtual
from state import transitions
from state.record import Receipt, decode_record, encode_record
try:
    from handoff.effects import Performer
except ImportError:
    from handoff.worker.effects import Performer

class Silent:
    outside = ()
    async def perform(self, effect):
        raise OSError("down")
    async def resolve(self, effect):
        raise OSError("down")

async def fates():
    performer = Performer(Silent(), VirtualClock(10**18), Log(worker="a", release="r"))
    return await performer.settle_all(record.outbox, fresh=False, limit_s=1, may_send=True)

record = decode_record(sys.stdin.read().encode(), where="given")[0]
settled = transitions.settle(
    record, worker=record.ownership.owner, epoch=record.ownership.epoch,
    cycle=record.progress.cycle, fates=run_virtual(fates()),
    cleanliness=transitions.Cleanliness.OUTSIDE, attempt="other",
)
sys.__stdout__.write("\\n" + encode_record(settled)[0].decode())
"""


def settled_by(tree: object, record: Record) -> Record:
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(tree)],
        input=encode_record(record)[0].decode(),
        check=True,
        capture_output=True,
        text=True,
    )
    return decode_record(done.stdout.splitlines()[-1].encode(), where="answered")[0]


def carrying(**changes: Any) -> Record:  # noqa: ANN401 - members of Effect
    """A decided cycle behind one whose message nobody answered."""
    message = effect("message", delivery=Delivery.AT_LEAST_ONCE)
    first = decide(owned(), message)
    carried = settle(first, {"message": Fate.DOUBTFUL})
    outbox = tuple(replace(each, **changes) for each in carried.outbox)
    return decide(replace(carried, outbox=outbox))


@pytest.mark.parametrize("changes", [{}, {"unproven": True}], ids=["doubtful", "unproven"])
def test_after_a_return_a_carried_effect_ends_as_unknown(
    engines: Engines, changes: dict[str, bool]
) -> None:
    """The previous release knows no later try; the application hears that nobody knows."""
    after = settled_by(engines.previous, carrying(**changes))
    assert [(each.effect_id, each.outcome.value) for each in after.receipts] == [
        ("message", "unknown")
    ]
    assert after.outbox == ()


def test_this_release_goes_on_carrying_it(engines: Engines) -> None:
    after = settled_by(engines.this, carrying())
    assert [(each.effect_id, each.fate) for each in after.outbox] == [("message", Fate.DOUBTFUL)]
