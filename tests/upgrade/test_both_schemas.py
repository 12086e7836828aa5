"""A body whose shape changes together with the engine: up, back in a bake, and up for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from handoff.exit_codes import ExitCode
from tests.upgrade.mixed import NAMES, Mixed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

BODY: Final = """
class Counted(msgspec.Struct):
    cycles: int = 0
    {name}: list[int] = []
"""
COUNT: Final = "body.cycles += 1; body.{name} = [*body.{name}, cycle.number][:3]"
UP: Final = '{1: lambda plain: {"cycles": plain["cycles"], "notes": plain["seen"]}}'
DOWN: Final = '{2: lambda plain: {"cycles": plain["cycles"], "seen": plain["notes"]}}'


@pytest.mark.parametrize(("one", "other"), [NAMES, tuple(reversed(NAMES))])
def test_the_schema_goes_up_and_down_between_the_releases(
    tmp_path: Path, engines: Engines, one: str, other: str
) -> None:
    with Mixed(tmp_path, engines) as bot:
        first = bot.carry(
            one,
            body=BODY.format(name="seen"),
            schema='Schema("counted", 1, Counted)',
            decide=COUNT.format(name="seen"),
        )
        bot.launch(bot.installations[one])
        began = bot.owner().release
        bot.run_cycles(3)
        seen = body_of(bot)["seen"]
        second = bot.carry(
            other,
            body=BODY.format(name="notes"),
            schema=f'Schema("counted", 2, Counted, up={UP}, down={DOWN})',
            decide=COUNT.format(name="notes"),
        )
        detached = bot.foresight(one, "deploy", second, "--bake", "1000", "-d")
        assert detached.returncode == ExitCode.DONE, detached.stderr
        bot.wait(lambda: bot.live() == second, "the take")
        bot.run_cycles(2)
        assert body_of(bot)["notes"] == seen
        assert bot.foresight(other, "deploy", "--abort").returncode == ExitCode.DONE
        bot.wait(lambda: bot.live() == first and bool(bot.deploys()), "the way back")
        bot.run_cycles(1)
        assert body_of(bot)["seen"] == seen, "up, a bake, and the fallback down"
        (deployed,) = bot.said(other, "deploy", second, "--json")
        assert deployed["outcome"] == "permanent", deployed
        refused = bot.foresight(one, "rollback", "--json")
        assert refused.returncode == ExitCode.REFUSED, "nothing leads down once it is permanent"
        bot.down(one)
        assert bot.verify() == [began, deployed["release"], began, deployed["release"]]
        signed = bot.witness.read_text(encoding="ascii").splitlines()
        assert body_of(bot) == {"cycles": len(signed), "notes": seen}


def body_of(bot: Mixed) -> dict[str, object]:
    """Return the body as plain JSON."""
    record = bot.record()
    assert record is not None
    return msgspec.json.decode(record.body, type=dict[str, object])
