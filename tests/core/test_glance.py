"""What one release gets of the world, held against another one: from both sides of each bound."""

from __future__ import annotations

from typing import Any

import pytest

from handoff.worker.glance import (
    BLAMED_CYCLES,
    GATE_TRIES_MAX,
    GATE_TRIES_MIN,
    Glance,
    Judged,
    Try,
    baseline,
    decided,
    is_low,
    is_more,
    judge,
    newest_evidence,
    share,
)
from state.heard import Heard
from state.journal_frames import ABORTED, Health

DROP = 0.25
ALL, HALF, QUARTER, NONE = (Health(asked=16, answered=n) for n in (16, 8, 4, 0))


def heard(cycle: int, answered: int | None = 16, **members: Any) -> Heard:  # noqa: ANN401 - members of Heard
    health = None if answered is None else Health(asked=16, answered=answered)
    told: dict[str, Any] = {"kind": "decide", "release": "r1", "seq": cycle, "cycle": cycle}
    return Heard(**(told | {"health": health} | members))


def saw(health: Health | None, *, fault: str = "", words: str = "") -> Glance:
    return Glance(cycle=7, health=health, fault=fault, words=words, seconds=1.5, budget_s=5.0)


def judged(
    *tries: Try, usual: float | None = 1.0, drop: float = DROP, last: bool = False
) -> Judged | None:
    return judge(tries, usual, drop=drop, last=last)


# --- shares ------------------------------------------------------------------------------


def test_where_nothing_was_asked_nothing_is_missing() -> None:
    """A cycle on a closed market must not look like an outage."""
    assert share(Health()) == 1.0
    assert [share(each) for each in (ALL, HALF, NONE)] == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(("answered", "low"), [(12, False), (11, True)])
def test_a_quarter_less_is_not_too_little_and_one_feed_more_is(answered: int, *, low: bool) -> None:
    assert is_low(Health(asked=16, answered=answered), 1.0, DROP) is low


@pytest.mark.parametrize(
    ("mine", "other", "drop", "more"),
    [
        (HALF, QUARTER, DROP, True),
        (Health(asked=16, answered=7), QUARTER, DROP, False),
        (HALF, HALF, 0.0, False),
        (Health(asked=16, answered=9), HALF, 0.0, True),
        (Health(asked=10, answered=7), Health(asked=10, answered=4), 0.3, True),
    ],
    ids=["by the drop", "by less", "the same", "by anything", "by a drop that rounds up"],
)
def test_what_sees_more_sees_it_by_the_drop_at_least(
    mine: Health, other: Health, drop: float, *, more: bool
) -> None:
    """An owner that sees the same as its way back must keep its bake."""
    assert is_more(mine, other, drop) is more


def test_the_counts_of_tries_and_of_cycles_are_the_stated_ones() -> None:
    assert (GATE_TRIES_MIN, GATE_TRIES_MAX, BLAMED_CYCLES) == (2, 3, 2)


# --- what the journal says ---------------------------------------------------------------


def test_a_baseline_is_the_median_of_the_newest_eight() -> None:
    """Four good ones and four without answers: neither a ninth nor one less may decide."""
    lines = [heard(99 - n, 16 if n < 4 else 0) for n in range(20)]
    assert baseline(lines, "r1") == 0.5


def test_a_baseline_is_made_of_what_that_release_counted_and_of_nothing_else() -> None:
    lines = [
        heard(9, 0, release="r2"),
        heard(8, 0, kind="settle"),
        heard(7, None),
        heard(6, 4, kind=ABORTED, aborts=5),
        heard(5, 0),
        heard(4, 8),
    ]
    assert baseline(lines, "r1") == 0.5
    assert baseline(lines[:3], "r1") is None


def test_a_decision_is_looked_for_among_the_newest_64_lines() -> None:
    lines = [heard(7, seq=100 - n, kind="command") for n in range(63)]
    assert decided([*lines, heard(7)], 7) == heard(7)
    assert decided([*lines, heard(8, kind="miss"), heard(7)], 7) is None
    assert decided([heard(8), heard(6), heard(7, kind="settle")], 7) is None


def test_the_newest_evidence_is_of_the_release_that_decided_last() -> None:
    unasked = heard(9, health=Health())
    assert newest_evidence([heard(9, kind="settle"), unasked, heard(8)], "r1") == heard(8)
    without = heard(9, None, unavailable="no inputs within 5 s")
    assert newest_evidence([without, heard(8)], "r1") == without
    assert newest_evidence([heard(9, release="r2"), heard(8)], "r1") is None
    assert newest_evidence([unasked, heard(8, None)], "r1") is None
    lines = [heard(9, seq=100 - n, kind="command") for n in range(63)]
    assert newest_evidence([*lines, heard(8)], "r1") == heard(8)
    assert newest_evidence([*lines, unasked, heard(8)], "r1") is None


# --- what the gate says ------------------------------------------------------------------


def test_only_what_was_asked_or_raised_is_evidence() -> None:
    bare = Glance(cycle=7)
    assert (bare.health, bare.seconds, bare.budget_s, bare.is_evidence) == (None, 0.0, 0.0, False)
    assert not saw(Health()).is_evidence
    assert saw(Health(asked=1)).is_evidence
    assert saw(None, fault="KeyError: 'x'").is_evidence


def test_without_any_evidence_the_last_try_passes_and_those_before_say_nothing() -> None:
    assert judged() is None
    assert judged(last=True) == Judged(passed=True, words="nothing could be compared")


def test_a_good_try_passes_whatever_came_before_it() -> None:
    bad, good = Try(saw(NONE), ALL), Try(saw(ALL), ALL)
    found = judged(bad, bad, good)
    assert found is not None
    assert found.passed


def test_bad_tries_refuse_once_there_are_three_or_no_more_can_come() -> None:
    bad = Try(saw(NONE), ALL)
    assert judged(bad, bad) is None
    for found in (judged(bad, bad, bad), judged(bad, bad, last=True)):
        assert found is not None
        assert not found.passed


def test_one_bad_try_alone_refuses_nobody_unless_the_release_itself_raised() -> None:
    """The world may have failed once; the release's own mistake would come again."""
    found = judged(Try(saw(NONE, words="no answer"), ALL), last=True)
    assert found is not None
    assert found.passed
    assert found.words.endswith("in the median of its cycles; one try alone refuses nobody")
    raised = judged(Try(saw(None, fault="KeyError: 'x'"), ALL), last=True)
    assert raised == Judged(passed=False, words="in 1 tries KeyError: 'x'")


TOOK = "in 1.50 s, 30% of the budget"


@pytest.mark.parametrize(
    ("tried", "usual", "words"),
    [
        (
            Try(saw(ALL), ALL),
            0.5,
            (
                f"16 of 16 answered {TOOK}, the owner had 16 of 16 answered, "
                "50% in the median of its cycles"
            ),
        ),
        (Try(saw(ALL), ALL), None, f"16 of 16 answered {TOOK}, the owner had 16 of 16 answered"),
        (
            Try(saw(HALF, words="8 late"), None),
            0.5,
            (
                f"8 of 16 answered {TOOK} (8 late), the owner's line does not say, "
                "50% in the median of its cycles"
            ),
        ),
        (
            Try(saw(QUARTER), QUARTER),
            1.0,
            (
                f"4 of 16 answered {TOOK}, the owner had 4 of 16 answered, "
                "100% in the median of its cycles: it gets as little, so the bake will tell"
            ),
        ),
        (
            Try(saw(QUARTER), None),
            None,
            f"4 of 16 answered {TOOK}; there is nothing to compare it with",
        ),
    ],
    ids=["as much", "no median", "no owner's count", "as little", "nothing to compare"],
)
def test_a_pass_says_on_what_evidence(tried: Try, usual: float | None, words: str) -> None:
    """What an operator reads before a bake: a fact left out hides an outage."""
    assert judged(tried, usual=usual) == Judged(passed=True, words=words)


def test_a_refusal_does_not_say_that_the_owner_gets_as_little() -> None:
    bad = Try(saw(NONE), ALL)
    words = f"0 of 16 answered {TOOK}, the owner had 16 of 16 answered"
    assert judged(bad, bad, bad) == Judged(
        passed=False, words=f"in 3 tries {words}, 100% in the median of its cycles"
    )
