"""A worker of the previous release beside a launcher of this one, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.upgrade.mixed import Mixed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

EITHER = pytest.mark.parametrize(("one", "other"), [("previous", "this"), ("this", "previous")])


@EITHER
def test_a_worker_of_the_other_release_takes_dies_and_gives_back(
    tmp_path: Path, engines: Engines, one: str, other: str
) -> None:
    """Up and down a version under a launcher that stays as it is."""
    with Mixed(tmp_path, engines) as bot:
        first = bot.carry(one)
        bot.launch(bot.installations[one])
        began = bot.owner().release
        second = bot.carry(other)
        (deployed,) = bot.said(one, "deploy", second, "--json")
        assert (deployed["outcome"], deployed["from"]) == ("permanent", began), deployed
        bot.kill_owner()
        assert bot.live() == second, "its standby is of the release that owns"
        (back,) = bot.said(other, "rollback", "--json")
        assert (back["outcome"], back["release"]) == ("permanent", began), back
        assert bot.live() == first
        bot.run_cycles(2)
        bot.down(other)
        assert bot.verify() == [began, deployed["release"], began]
