"""Changes of the body's shape through real deploys: there and back with nothing lost, or refused.

The way back is proven on the live body before anything is taken; who gives it up says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from deploy import history
from handoff.gate_verdict import GateName, GateResult
from tests.process.teller import Teller, gate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]

RENAMED_UP: Final = '{1: lambda plain: {"cycles": plain["cycles"], "notes": plain["seen"]}}'
RENAMED_DOWN: Final = '{2: lambda plain: {"cycles": plain["cycles"], "seen": plain["notes"]}}'
LOSING_DOWN: Final = '{2: lambda plain: {"cycles": plain["cycles"], "seen": []}}'
SEEN: Final = "seen: list[int] = []"
NOTES: Final = "notes: list[int] = []"
NOTE_SEEN: Final = "body.seen = [*body.seen, cycle.number][:3]"
NOTE_NOTES: Final = "body.notes = [*body.notes, cycle.number][:3]"


def test_a_renamed_field_goes_there_and_back_with_nothing_lost(tmp_path: Path) -> None:
    with Teller(tmp_path) as bot:
        old = bot.version("1", fields=SEEN, decide=NOTE_SEEN)
        bot.up()
        bot.run_cycles(4)
        seen, before = bot.body()["seen"], bot.body()["cycles"]
        new = bot.version(
            "2", fields=NOTES, decide=NOTE_NOTES, schema=2, up=RENAMED_UP, down=RENAMED_DOWN
        )
        up = bot.run(new, bake=1000, wait=False)
        bot.wait(lambda: bot.live() == new, "the new release")
        bot.run_cycles(2)
        assert bot.body()["notes"] == seen
        bot.abort(up.deploy)
        bot.wait(lambda: bot.live() == old and not bot.under_way(), "the old release")
        assert bot.body()["seen"] == seen, "through up, a bake, and the fallback down"
        again = bot.run(new)
        assert again.outcome == history.Outcome.PERMANENT, again
        assert gate(again, "schema").evidence.endswith("down again, nothing lost")
        assert bot.body()["notes"] == seen
        cycles = bot.body()["cycles"]
        assert isinstance(cycles, int)
        assert isinstance(before, int)
        assert cycles > before + 2


def test_a_missing_way_back_is_refused_until_somebody_accepts_it(tmp_path: Path) -> None:
    with Teller(tmp_path) as bot:
        old = bot.version("1", fields=SEEN, decide=NOTE_SEEN)
        bot.up()
        bot.run_cycles(4)
        losing = bot.version(
            "loses", fields=NOTES, decide=NOTE_NOTES, schema=2, up=RENAMED_UP, down=LOSING_DOWN
        )
        ended = bot.run(losing)
        assert ended.outcome == history.Outcome.REFUSED, ended
        assert "up and down again changes seen" in ended.reason
        one_way = bot.version("2", fields=NOTES, decide=NOTE_NOTES, schema=2, up=RENAMED_UP)
        ended = bot.run(one_way)
        assert ended.outcome == history.Outcome.REFUSED, ended
        assert "there is no step down from version 2" in ended.reason
        assert bot.live() == old
        accepted = bot.run(one_way, irreversible=True, bake=5)
        assert accepted.outcome == history.Outcome.PERMANENT, accepted
        assert gate(accepted, GateName.SCHEMA).evidence.endswith("with no way back")
        record = bot.record()
        assert record is not None
        assert record.rollout is None, "nothing bakes where nothing could come back"
        bot.kill_owner()
        bot.run_cycles(3)
        assert bot.live() == one_way, "its standby needs no way back either"


def test_effects_that_the_running_release_does_not_know_need_a_word(tmp_path: Path) -> None:
    with Teller(tmp_path) as bot:
        bot.version("1")
        bot.up()
        bot.run_cycles(2)
        shouts = bot.version("2", kinds=("tell", "shout"))
        ended = bot.run(shouts)
        assert ended.outcome == history.Outcome.REFUSED, ended
        assert "does not know shout version 1" in ended.reason
        accepted = bot.run(shouts, irreversible=True)
        assert accepted.outcome == history.Outcome.PERMANENT, accepted
        assert "there is no way back" in gate(accepted, GateName.EFFECTS).evidence


def test_a_shadow_decides_as_many_live_cycles_as_were_asked_for(tmp_path: Path) -> None:
    """Beside the owner, effects off: each effect was carried out once, by the owner."""
    with Teller(tmp_path) as bot:
        bot.version("1")
        bot.up()
        bot.run_cycles(2)
        first = bot.cycle()
        ended = bot.run(bot.version("2"), shadow=4)
        assert ended.outcome == history.Outcome.PERMANENT, ended
        said = gate(ended, GateName.SHADOW)
        assert said.result == GateResult.PASSED
        assert said.evidence == "4 cycles, 0 differ"
        assert ended.cycle is not None
        assert ended.cycle >= first + 4
        # The same recorded cycles pass the replay: only what it sees of the live ones is odd.
        live = bot.live()
        odd = bot.version("3", decide=f"amount = 2 if cycle.number > {bot.cycle() + 2} else 1")
        refused = bot.run(odd, shadow=4)
        assert refused.outcome == history.Outcome.REFUSED, refused
        assert refused.reason.startswith("shadow: ")
        assert "was 1, is 2" in refused.reason
        assert gate(refused, GateName.REPLAY).result == GateResult.PASSED
        assert bot.live() == live
