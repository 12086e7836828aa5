"""A second account on the host finds no way to read, stop or change a bot.

What everybody sees of it is not tried here: its command lines, that its ports listen, and what
the page shows.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from handoff.processes import HAS_PIDFD
from tests.process.neighbour import TRIES
from tests.process.second_account import Target, place_of_all, running, tries, unprotected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foresight.evidence.command import Command

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else"),
]

WATCHED_S = 15.0

Found = dict[str, dict[str, list[str]]]


@pytest.fixture(scope="module")
def bot() -> Iterator[tuple[Command, Target, Found]]:
    """The real bot, what is known of it, and what the tries do to an unprotected copy of it."""
    with place_of_all() as place, running(place) as (command, target):
        with unprotected(place, target) as copy:
            found = tries(copy)
        yield command, target, found


@pytest.fixture(scope="module")
def found(bot: tuple[Command, Target, Found]) -> Found:
    return tries(bot[1])


@pytest.mark.parametrize("name", TRIES)
def test_what_succeeds_against_an_unprotected_copy_is_refused_by_a_bot(
    bot: tuple[Command, Target, Found], found: Found, name: str
) -> None:
    """A try that cannot succeed anywhere would prove nothing."""
    unprotected_copy = bot[2][name]
    assert unprotected_copy["done"], unprotected_copy
    assert not unprotected_copy["refused"], unprotected_copy
    assert not found[name]["done"], found[name]
    assert found[name]["refused"], found[name]


def test_no_cycle_is_missed_while_a_neighbour_tries(bot: tuple[Command, Target, Found]) -> None:
    """Also while he holds connections that say nothing, to each port."""
    command, target, _ = bot
    before = json.loads(command.run("status", "--json").out)
    tries(target, seconds=WATCHED_S)
    after = json.loads(command.run("status", "--json").out)
    assert after["owner"] == before["owner"]
    checked = command.run("cycles", "--check", "--since", str(before["cycle"]), "--json")
    assert checked.code == 0, checked.words
    rows = command.run("cycles", "--since", str(before["cycle"]), "--json").objects()
    assert len(rows) > WATCHED_S / 2
    assert not [row for row in rows if row["late_ms"] is None], rows
