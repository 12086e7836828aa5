"""The pure parts of the series on a cluster: what strikes, and what it is judged by.

A count that forgives too much proves nothing, so each forgiveness is tried from both sides.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from msgspec.structs import replace

from bench.chained import next_link
from handoff.limits import NS
from state.journal_frames import Line
from tests.cluster import evidence
from tests.cluster.evidence import Found
from tests.cluster.exchange import BOOKS, Counts
from tests.cluster.faults import DEPLOYS_EVERY, OF_OWNER, OUTAGES, Fault, plan
from tests.cluster.series import Untouched
from tests.cluster.stage import CATCH_UP_S, PERIOD_S
from tests.cluster.striking import Blow

FIRST, LAST = 100, 109
CYCLES = range(FIRST, LAST + 1)


def boundary_ms(cycle: int) -> float:
    return cycle * PERIOD_S * 1000


def line(kind: str, cycle: int, *, epoch: int, at_ms: float) -> Line:
    return Line(
        kind=kind,
        cycle=cycle,
        epoch=epoch,
        at_ms=at_ms,
        result=f"{kind}-{cycle}-{epoch}",
        scheduled_ms=boundary_ms(cycle),
    )


def decision(cycle: int, *, epoch: int = 1, late_ms: float = 20.0) -> Line:
    at_ms = boundary_ms(cycle) + late_ms
    return replace(line("decide", cycle, epoch=epoch, at_ms=at_ms + 5), started_ms=at_ms)


def whole() -> Found:
    """A series in which everything was done once."""
    lines = [
        line("seize", FIRST - 1, epoch=1, at_ms=boundary_ms(FIRST) - 500),
        *(decision(cycle) for cycle in CYCLES),
    ]
    names = [f"{book}-{cycle}" for book in BOOKS for cycle in CYCLES]
    chain = ""
    for cycle in CYCLES:
        chain = next_link(chain, cycle, b"null")
    return Found(
        first=FIRST,
        last=LAST,
        lines=lines,
        same=True,
        counts=Counts(dict.fromkeys(names, 1), dict.fromkeys(names, 1)),
        ends=dict.fromkeys(names, "confirmed"),
        waiting=(),
        chain=chain,
    )


def without(found: Found, cycle: int) -> Found:
    lines = [each for each in found.lines if each.kind != "decide" or each.cycle != cycle]
    chain = ""
    for each in lines:
        chain = next_link(chain, each.cycle, b"null") if each.kind == "decide" else chain
    return found._replace(lines=lines, chain=chain)


def blow(fault: Fault, *, cycle: int, lasts_s: float = 1.0, epoch: int = 1) -> Blow:
    at_ns = round(boundary_ms(cycle) * 1e6)
    return Blow(fault.value, at_ns, at_ns + round(lasts_s * NS), epoch, "w")


def judged(found: Found, *blows: Blow, outages: tuple[Untouched, ...] = ()) -> dict[str, Any]:
    return evidence.judge(found, blows, (), outages)


def test_a_plan_deals_every_fault_and_each_outage_once() -> None:
    strikes = list(islice(plan(seed=3, outage_s=60, period_s=PERIOD_S), 3 * len(Fault)))
    assert {each.fault for each in strikes[: len(Fault)]} == {*Fault}
    assert sum(each.fault in OUTAGES for each in strikes) == len(OUTAGES)
    assert any(each.deploys for each in strikes)
    outside = islice(
        plan(seed=3, outage_s=60, period_s=PERIOD_S, only=[Fault.NO_MAJORITY]), DEPLOYS_EVERY
    )
    assert not any(each.deploys for each in outside), "its take would look like a touch"
    assert strikes[: len(Fault)] == list(
        islice(plan(seed=3, outage_s=60, period_s=PERIOD_S), len(Fault))
    )


def test_a_series_in_which_everything_was_done_once_passes() -> None:
    report = judged(whole())
    assert report["passed"]
    assert (report["cycles"]["due"], report["cycles"]["decided"]) == (10, 10)


@pytest.mark.parametrize(
    ("damaged", "what"),
    [
        (without(whole(), 104), "skipped"),
        (whole()._replace(lines=[*whole().lines, decision(104, epoch=2)]), "doubled"),
        (whole()._replace(chain="another"), "broken_chain"),
    ],
)
def test_a_cycle_that_is_lost_or_done_again_fails_it(damaged: Found, what: str) -> None:
    report = judged(damaged)
    assert not report["passed"]
    assert report["cycles"][what]


def test_only_an_outage_excuses_a_cycle_and_only_one_that_it_could_cost() -> None:
    found = without(whole(), 104)
    reach = round(CATCH_UP_S / PERIOD_S)
    assert judged(found, blow(Fault.NO_MAJORITY, cycle=104))["passed"]
    assert judged(found, blow(Fault.NO_MAJORITY, cycle=104 + reach - 1))["passed"]
    assert not judged(found, blow(Fault.NO_MAJORITY, cycle=104 + reach))["passed"]
    assert not judged(found, blow(Fault.NO_MAJORITY, cycle=102))["passed"]
    assert not judged(found, blow(Fault.LEADER_KILLED, cycle=104))["passed"]


@pytest.mark.parametrize(
    ("done", "ends", "what"),
    [
        ({"plain-104": 2}, {}, "doubled"),
        ({"plain-104": 0}, {}, "contradicted"),  # it says that it was carried out
        ({}, {"plain-104": "expired"}, "contradicted"),  # it says that it was not
        ({"plain-999": 1}, {}, "contradicted"),  # nobody decided it
    ],
)
def test_orders_are_judged_by_the_venues_count(
    done: dict[str, int], ends: dict[str, str], what: str
) -> None:
    found = whole()
    counts = found.counts._replace(done={**found.counts.done, **done})
    report = judged(found._replace(counts=counts, ends={**found.ends, **ends}))
    assert not report["passed"]
    assert report["orders"][what]


def test_an_order_that_was_not_carried_out_and_is_said_not_to_be_is_none_lost() -> None:
    found = whole()
    counts = found.counts._replace(done={**found.counts.done, "plain-104": 0})
    report = judged(found._replace(counts=counts, ends={**found.ends, "plain-104": "expired"}))
    assert report["passed"]
    assert report["orders"]["not_carried_out"] == ["plain-104"]


def test_an_order_without_an_end_fails_it_unless_its_cycle_is_under_way() -> None:
    found = whole()
    assert not judged(found._replace(waiting=["plain-104"]))["passed"]
    assert judged(found._replace(waiting=[f"plain-{LAST + 1}"]))["passed"]


def test_who_is_touched_in_an_outage_fails_it() -> None:
    assert not judged(whole(), outages=(Untouched((1, "a"), (2, "b")),))["passed"]
    assert judged(whole(), outages=(Untouched((1, "a"), (1, "a")),))["passed"]


def test_a_host_whose_journal_says_otherwise_fails_it() -> None:
    assert not judged(whole()._replace(same=False))["passed"]


def test_a_takeover_is_measured_from_the_blow_to_the_next_owners_line() -> None:
    found = whole()
    seize = line("seize", 104, epoch=2, at_ms=boundary_ms(105) + 3400)
    found = found._replace(lines=[*found.lines, seize])
    struck = judged(found, blow(Fault.OWNER_HOST_KILLED, cycle=105))
    assert struck["takeovers_s"] == {"owners-host-killed": [3.4]}
    assert (struck["unstruck"], judged(found)["unstruck"]) == (0, 1)
    assert Fault.LEADER_KILLED not in OF_OWNER


def test_a_take_after_its_boundary_fails_it() -> None:
    found = whole()
    take = line("take", 105, epoch=2, at_ms=boundary_ms(105) - 1400)
    assert judged(found._replace(lines=[*found.lines, take]))["passed"]
    late = replace(take, at_ms=boundary_ms(105) + 1)
    assert not judged(found._replace(lines=[*found.lines, late]))["passed"]
    settled = line("settle", 104, epoch=1, at_ms=boundary_ms(105) + 0.5)
    assert judged(found._replace(lines=[*found.lines, settled, late]))["passed"]
