"""In which order effects are sent: lanes side by side, one after another within, and `after`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest

from handoff.limits import LANES_MAX, NS, RESOLVE_ATTEMPTS_MAX
from handoff.virtual_time import VirtualClock, run_virtual
from handoff.worker.effects import Performer
from handoff.workload import Unknown, receipt
from state.record import Delivery, Effect, Fate, Outcome, Receipt
from tests.engine_world import START_NS, Application, LogBook, Venue, order

if TYPE_CHECKING:
    from handoff.worker.requests import Verdict


def settled(
    venue: Venue, *outbox: Effect, fresh: bool = True, slow: dict[str, float] | None = None
) -> tuple[dict[str, Verdict], float]:
    """Settle the effects, some of them slow; return their fates and how long it took."""

    async def main() -> tuple[dict[str, Verdict], float]:
        clock = VirtualClock(START_NS)
        for name, seconds in (slow or {}).items():
            venue.hooks[name] = partial(clock.pause, seconds)
        performer = Performer(Application(venue), clock, LogBook().log)
        verdicts = await performer.settle_all(outbox, fresh=fresh, limit_s=5, may_send=True)
        return verdicts, clock.monotonic_ns() / NS

    return run_virtual(main())


def confirmed(verdicts: dict[str, Verdict]) -> set[str]:
    return {
        name
        for name, verdict in verdicts.items()
        if isinstance(verdict, Receipt) and verdict.outcome is Outcome.CONFIRMED
    }


def test_one_lane_keeps_its_order() -> None:
    venue = Venue()
    outbox = [order(name, lane="btc") for name in ("a", "b", "c")]
    verdicts, took_s = settled(venue, *outbox, slow={"a": 1.0, "b": 0.5, "c": 0.1})
    assert venue.executed == ["a", "b", "c"]
    assert confirmed(verdicts) == {"a", "b", "c"}
    assert 1.6 <= took_s < 1.7
    assert venue.most_under_way == 1


def test_lanes_run_side_by_side() -> None:
    venue = Venue()
    outbox = [order(name, lane=name) for name in ("a", "b", "c")]
    _, took_s = settled(venue, *outbox, slow={"a": 1.0, "b": 0.5, "c": 0.1})
    assert venue.executed == ["c", "b", "a"]
    assert 1.0 <= took_s < 1.1


def test_effects_without_a_lane_have_one_each() -> None:
    venue = Venue()
    outbox = [msgspec.structs.replace(order(name), lane="") for name in ("a", "b")]
    settled(venue, *outbox, slow={"a": 1.0})
    assert venue.executed == ["b", "a"]


def test_no_more_lanes_than_the_bound_run_at_once() -> None:
    venue = Venue()
    names = [f"order-{number}" for number in range(3 * LANES_MAX)]
    verdicts, took_s = settled(venue, *map(order, names), slow=dict.fromkeys(names, 0.1))
    assert confirmed(verdicts) == set(names)
    assert venue.most_under_way == LANES_MAX
    assert 0.3 <= took_s < 0.4


def test_an_effect_waits_for_the_one_it_names() -> None:
    """Cancel before place, whatever the lanes and whatever the order in the outbox."""
    venue = Venue()
    place, cancel = order("place", after="cancel"), order("cancel")
    settled(venue, place, cancel, slow={"cancel": 1.0})
    assert venue.executed == ["cancel", "place"]


def test_many_that_wait_do_not_take_the_places_of_those_they_wait_for() -> None:
    """With every place taken by one that waits, nothing would ever move."""
    venue = Venue()
    waiting = [order(f"wait-{number}", after="first") for number in range(2 * LANES_MAX)]
    verdicts, took_s = settled(venue, *waiting, order("first"), slow={"first": 1.0})
    assert venue.executed[0] == "first"
    assert len(confirmed(verdicts)) == 2 * LANES_MAX + 1
    assert took_s < 1.1


def test_an_effect_is_not_sent_while_the_one_it_names_is_in_doubt() -> None:
    venue = Venue()
    venue.answers["cancel"] = [OSError("reset")]
    venue.resolving["cancel"] = [Unknown("busy")] * RESOLVE_ATTEMPTS_MAX
    verdicts, _ = settled(venue, order("cancel"), order("place", after="cancel"))
    place = verdicts["place"]
    assert isinstance(place, Receipt)
    assert place.outcome is Outcome.REFUSED
    assert place.reason == "not sent: the outcome of cancel is unknown"
    assert "place" not in venue.sent


def test_a_refusal_is_final_and_what_waits_for_it_goes_on() -> None:
    venue = Venue()
    venue.answers["cancel"] = [receipt(order("cancel"), Outcome.REFUSED)]
    verdicts, _ = settled(venue, order("cancel"), order("place", after="cancel"))
    assert confirmed(verdicts) == {"place"}


def test_waiting_for_what_was_final_long_ago_is_no_waiting() -> None:
    venue = Venue()
    verdicts, took_s = settled(venue, order("place", after="cancel of yesterday"))
    assert confirmed(verdicts) == {"place"}
    assert took_s < 0.1


def test_two_that_wait_for_each_other_are_not_sent_and_cost_no_more_than_the_limit() -> None:
    """A mistake of the application's must not stop its cycles."""
    venue = Venue()
    verdicts, took_s = settled(venue, order("a", after="b"), order("b", after="a"))
    outcomes = {each.outcome for each in verdicts.values() if isinstance(each, Receipt)}
    assert outcomes <= {Outcome.REFUSED, Outcome.CONFIRMED}
    assert Outcome.REFUSED in outcomes
    assert took_s <= 5.2


def test_one_that_waits_for_itself_is_not_sent() -> None:
    venue = Venue()
    verdicts, _ = settled(venue, order("a", after="a"))
    assert confirmed(verdicts) == set()
    assert venue.sent == []


def test_what_is_not_answered_is_asked_about_ever_more_slowly() -> None:
    """A venue that is busy is not helped by four questions at once: 0.1, 0.2 and 0.4 s between."""
    venue = Venue()
    venue.resolving["a"] = [Unknown("busy")] * RESOLVE_ATTEMPTS_MAX
    verdicts, took_s = settled(venue, order("a"), fresh=False)
    assert verdicts == {"a": Fate.DOUBTFUL}
    assert took_s == pytest.approx(0.7)


def test_beyond_the_limit_each_request_gets_a_moment_and_no_more() -> None:
    """A lane behind one that hangs is still told apart, and costs a cycle next to nothing."""
    venue = Venue()
    outbox = [order(name, lane="btc") for name in ("a", "b")]
    verdicts, took_s = settled(venue, *outbox, slow={"a": 1000.0, "b": 1000.0})
    assert verdicts == {"a": Fate.DOUBTFUL, "b": Fate.DOUBTFUL}
    assert venue.sent == ["a", "a", "b", "b"]
    assert took_s == pytest.approx(5 + 3 * 0.05)


def test_what_may_execute_twice_is_not_sent_beyond_the_limit() -> None:
    venue = Venue()
    venue.answers["a"] = [OSError("down")] * (1 + RESOLVE_ATTEMPTS_MAX)
    message = order("a", delivery=Delivery.AT_LEAST_ONCE)
    verdicts, took_s = settled(venue, message, slow={"a": 3.0})
    assert verdicts == {"a": Fate.DOUBTFUL}
    assert venue.sent == ["a", "a"]
    assert took_s == pytest.approx(5.05)


def test_after_a_dead_owner_what_is_blocked_is_asked_about_and_not_sent() -> None:
    """It may have been sent before the doubt arose."""
    venue = Venue()
    venue.resolving["cancel"] = [Unknown("busy")] * RESOLVE_ATTEMPTS_MAX
    venue.executed = ["place"]
    verdicts, _ = settled(venue, order("cancel"), order("place", after="cancel"), fresh=False)
    assert verdicts["cancel"] is Fate.DOUBTFUL
    assert confirmed(verdicts) == {"place"}
    assert venue.sent == []


def test_a_doubtful_effect_of_an_earlier_cycle_waits_for_nothing() -> None:
    venue = Venue()
    doubtful = msgspec.structs.replace(order("old", after="new"), fate=Fate.DOUBTFUL)
    venue.executed = ["old"]
    settled(venue, doubtful, order("new"), slow={"new": 2.0})
    assert venue.asked == ["old"]
    assert venue.sent == ["new"]
