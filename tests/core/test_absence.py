"""When the word of a venue that it has no such effect is final, and when asking ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from state.absence import (
    CARRIED_CYCLES_MIN,
    CARRIED_NS_MIN,
    Absence,
    Next,
    ends_unknown,
    is_repeated,
    when_absent,
)
from state.record import Delivery, Fate
from tests.records import NOW_NS, effect

if TYPE_CHECKING:
    from state.record import Effect

EFFECTS = {
    "planned": effect(),
    "doubtful": effect(fate=Fate.DOUBTFUL),
    "unproven": effect(fate=Fate.DOUBTFUL, unproven=True),
}
ABSENCES = {
    "nothing": Absence(quiet=False),
    "quiet": Absence(quiet=True),
    "repeatable": Absence(quiet=False, repeatable=True),
    "quiet, repeatable": Absence(quiet=True, repeatable=True),
    "enforced": Absence(quiet=False, enforced=True),
    "enforced, repeatable": Absence(quiet=False, enforced=True, repeatable=True),
}
SEND, OFF, ASK = Next.SEND, Next.WRITE_OFF, Next.ASK_AGAIN

# What stands behind the absence; what may be done if it may be sent, and if it may not.
TABLE = [
    ("planned", "nothing", ASK, ASK),
    ("planned", "quiet", SEND, OFF),
    ("planned", "repeatable", SEND, ASK),
    ("planned", "quiet, repeatable", SEND, OFF),
    ("planned", "enforced", OFF, OFF),
    ("planned", "enforced, repeatable", OFF, OFF),
    ("doubtful", "nothing", ASK, ASK),
    ("doubtful", "quiet", OFF, OFF),
    ("doubtful", "repeatable", ASK, ASK),
    ("doubtful", "quiet, repeatable", OFF, OFF),
    ("doubtful", "enforced", OFF, OFF),
    ("doubtful", "enforced, repeatable", OFF, OFF),
    ("unproven", "nothing", ASK, ASK),
    ("unproven", "quiet", ASK, ASK),
    ("unproven", "repeatable", SEND, ASK),
    ("unproven", "quiet, repeatable", SEND, ASK),
    ("unproven", "enforced", OFF, OFF),
    ("unproven", "enforced, repeatable", OFF, OFF),
]


@pytest.mark.parametrize(("fate", "behind", "may", "may_not"), TABLE)
def test_absent_is_final_only_with_a_reason_that_nobody_can_overtake(
    fate: str, behind: str, may: Next, may_not: Next
) -> None:
    found, absence = EFFECTS[fate], ABSENCES[behind]
    assert when_absent(found, absence, may_send=True) is may
    assert when_absent(found, absence, may_send=False) is may_not


def test_the_table_leaves_nothing_out() -> None:
    assert [row[:2] for row in TABLE] == [(one, other) for one in EFFECTS for other in ABSENCES]


def test_only_what_may_execute_twice_is_repeated_without_asking() -> None:
    repeated = {each for each in Delivery if is_repeated(effect(delivery=each))}
    assert repeated == {Delivery.AT_LEAST_ONCE}


def over(found: Effect, *, after_ns: int, cycles: int) -> bool:
    return ends_unknown(found, planned_ns=NOW_NS, now_ns=NOW_NS + after_ns, cycle=cycles)


REPEATED = effect(delivery=Delivery.AT_LEAST_ONCE, fate=Fate.DOUBTFUL)
UNPROVEN = EFFECTS["unproven"]


@pytest.mark.parametrize("found", [REPEATED, UNPROVEN], ids=["at least once", "unproven"])
def test_what_is_carried_ends_after_a_day_and_a_thousand_cycles(found: Effect) -> None:
    """A day is few tries of a slow bot; a thousand cycles of a fast one are a short outage."""
    assert over(found, after_ns=CARRIED_NS_MIN, cycles=CARRIED_CYCLES_MIN)
    assert not over(found, after_ns=CARRIED_NS_MIN - 1, cycles=CARRIED_CYCLES_MIN)
    assert not over(found, after_ns=CARRIED_NS_MIN, cycles=CARRIED_CYCLES_MIN - 1)


def test_what_is_repeated_ends_at_its_last_moment_where_it_has_one() -> None:
    found = effect(delivery=Delivery.AT_LEAST_ONCE, fate=Fate.DOUBTFUL, not_after_ns=NOW_NS + 5)
    assert not over(found, after_ns=4, cycles=CARRIED_CYCLES_MIN)
    assert over(found, after_ns=5, cycles=1)


def test_an_unproven_effect_is_asked_about_beyond_its_last_moment() -> None:
    """A venue that enforces it can say that the effect is absent for good only from then on."""
    found = effect(fate=Fate.DOUBTFUL, unproven=True, not_after_ns=NOW_NS + 5)
    assert not over(found, after_ns=CARRIED_NS_MIN + 4, cycles=CARRIED_CYCLES_MIN)
    assert over(found, after_ns=CARRIED_NS_MIN + 5, cycles=CARRIED_CYCLES_MIN)


def test_what_can_be_asked_about_is_asked_about_until_there_is_an_answer() -> None:
    assert over(EFFECTS["doubtful"], after_ns=9 * CARRIED_NS_MIN, cycles=10**6) is False


def test_the_bounds_are_one_day_and_a_thousand_cycles() -> None:
    """A slip of the unit would write off what a venue answers after lunch."""
    assert timedelta(microseconds=CARRIED_NS_MIN / 1000) == timedelta(days=1)
    assert CARRIED_CYCLES_MIN == 1000


@pytest.mark.parametrize("found", [REPEATED, UNPROVEN], ids=["at least once", "unproven"])
def test_the_thousand_cycles_are_counted_from_the_one_that_planned_it(found: Effect) -> None:
    """Not from the first cycle ever: an old bot would give up at once."""
    late = replace(found, cycle=5_000)
    assert not over(late, after_ns=CARRIED_NS_MIN, cycles=5_999)
    assert over(late, after_ns=CARRIED_NS_MIN, cycles=6_000)
