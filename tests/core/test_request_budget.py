"""How much a venue may still be asked, told by its answers alone: virtual time, no venue.

Whoever asks on after the limit is banned with everybody at the same address: a candidate that is
tried out must never cost its owner the feed.
"""

import pytest

from foresight.errors import VenueThrottled
from foresight.venues.request_budget import RETRY_AFTER_S_MAX, WEIGHT_MAX, Budget

NS = 1_000_000_000
HALF = WEIGHT_MAX // 2
AT_40 = "Sun, 29 Nov 2026 09:00:40 GMT"


class Moment:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> int:
        return round(self.seconds * NS)


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
def budget(moment: Moment) -> Budget:
    return Budget(moment)


def used(weight: int, date: str = AT_40) -> dict[str, str]:
    return {"X-MBX-USED-WEIGHT-1M": str(weight), "Date": date}


def is_open(budget: Budget) -> bool:
    try:
        budget.require()
    except VenueThrottled:
        return False
    return True


def test_who_looks_on_stops_at_half_and_the_owner_at_nine_tenths(budget: Budget) -> None:
    """The second half of an address's minute belongs to the owner."""
    budget.heard(200, used(HALF - 1))
    assert is_open(budget)
    budget.heard(200, used(HALF))
    assert not is_open(budget)
    assert budget.is_spent
    budget.ask_as(owner=True)
    assert is_open(budget)
    assert not budget.is_spent
    budget.heard(200, used(WEIGHT_MAX * 9 // 10))
    with pytest.raises(VenueThrottled, match=r"5400 of 6000 .* stops at 90%"):
        budget.require()
    budget.ask_as(owner=False)
    assert not is_open(budget)


def test_the_count_is_of_the_venues_minute_and_begins_anew_with_it(
    budget: Budget, moment: Moment
) -> None:
    """By our own minute a worker would wait too long, or ask on while nothing is left."""
    budget.heard(200, used(HALF))
    moment.seconds += 19
    assert not is_open(budget)
    moment.seconds += 1
    assert is_open(budget)
    budget.heard(200, used(5, "Sun, 29 Nov 2026 09:01:00 GMT"))
    assert is_open(budget)


def test_an_answer_that_was_overtaken_takes_nothing_back(budget: Budget) -> None:
    """Eight requests are under way at a time: an older count may come after a newer one."""
    budget.heard(200, used(HALF))
    budget.heard(200, used(HALF - 100))
    assert not is_open(budget)


@pytest.mark.parametrize("status", [429, 418])
def test_what_a_venue_says_of_waiting_is_kept_to_whoever_asks(
    budget: Budget, moment: Moment, status: int
) -> None:
    """Asking on makes a ban longer each time; an owner is banned like anybody."""
    budget.ask_as(owner=True)
    budget.heard(status, {"retry-after": "30"})
    budget.heard(status, {"Retry-After": "10"})  # of a request that was sent before
    moment.seconds += 29
    assert not is_open(budget)
    assert not budget.is_spent
    moment.seconds += 1
    assert is_open(budget)


def test_what_is_no_number_or_no_refusal_is_not_waited_for(budget: Budget, moment: Moment) -> None:
    """A header of a proxy, or one that nobody can read, must not silence a bot."""
    budget.heard(200, {"Retry-After": "30"})
    budget.heard(429, {"Retry-After": "soon", "X-MBX-USED-WEIGHT": "-1"})
    budget.heard(429, {"Retry-After": "³"})
    assert is_open(budget)
    budget.heard(418, {"Retry-After": str(10**9)})
    moment.seconds += RETRY_AFTER_S_MAX
    assert is_open(budget)


def test_a_venue_that_does_not_say_the_time_is_believed_for_a_minute(
    budget: Budget, moment: Moment
) -> None:
    """The longest that its count can still hold."""
    budget.heard(200, used(HALF, "half past nine"))
    moment.seconds += 59
    assert not is_open(budget)
    moment.seconds += 1
    assert is_open(budget)
