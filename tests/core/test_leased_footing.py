"""What a worker may do on its lease, at each bound and from both sides of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff.limits import NS
from handoff.worker.leased import Leased
from state.etcd.lease import PARTS, Standing
from tests.records import worker

if TYPE_CHECKING:
    from state.etcd.presence import Present

TTL_NS = 3 * NS
SENT_NS = 100 * NS  # when the newest renewal was sent


class Clock:
    """Stands still."""

    def __init__(self, now_ns: int) -> None:
        self.at_ns = now_ns

    def boot_ns(self) -> int:
        return self.at_ns

    def now_ns(self) -> int:
        return self.at_ns


class Store:
    """An etcd's answers, as they are wanted."""

    def __init__(self, *, binds: bool = False, bound: bool = True) -> None:
        self._binds, self._bound = binds, bound
        self.bound_with = 7
        self.sent_ns = SENT_NS

    def hold_lease(self) -> Standing:
        return self.standing()

    def standing(self) -> Standing:
        return Standing(lease=7, ttl_ns=TTL_NS, renewed_ns=self.sent_ns)

    def bind_anew(self, *, epoch: int) -> bool:
        assert epoch == 2
        return self._binds

    def keep_up(self) -> None:
        """Nobody follows."""

    def bound_lease(self) -> int:
        return self.bound_with if self._bound else 0

    def say_present(self, present: Present) -> bool:
        return bool(present.worker)

    def introduce(self, present: Present) -> None:
        """Nobody is told."""


def footing(store: Store, *, after_ns: int) -> Leased:
    return Leased(store, Clock(SENT_NS + after_ns), worker("a"))  # type: ignore[arg-type] # all that is asked of it


@pytest.mark.parametrize(("late_ns", "may"), [(0, True), (1, False)])
def test_a_cycle_begins_only_within_a_third_of_the_lease(late_ns: int, *, may: bool) -> None:
    assert footing(Store(), after_ns=TTL_NS // PARTS + late_ns).may_begin() is may


def test_a_lease_is_lost_when_its_time_is_over() -> None:
    assert not footing(Store(), after_ns=TTL_NS - 1).is_lost()
    assert footing(Store(), after_ns=TTL_NS).is_lost()


@pytest.mark.parametrize(
    ("store", "after_ns", "has_it"),
    [
        (Store(binds=True, bound=False), TTL_NS, True),
        (Store(bound=True), TTL_NS - 1, True),  # nobody could renew it, and it outlived that
        (Store(bound=True), TTL_NS, False),  # it may be gone any moment
        (Store(bound=False), 0, False),  # somebody else may have seized
    ],
)
def test_an_owner_goes_on_only_where_its_key_is_bound(
    store: Store, after_ns: int, *, has_it: bool
) -> None:
    assert footing(store, after_ns=after_ns).regain(2) is has_it


def test_a_new_lease_that_the_key_does_not_go_with_yet_lets_nothing_be_sent() -> None:
    """It is got for a word to other hosts too; who counts on it stands there without its key."""
    store = Store()
    owner = footing(store, after_ns=0)
    assert owner.seconds_to_send(1.0) > 0
    store.bound_with = 6
    assert owner.is_lost()
    assert not owner.seconds_to_send(1.0)
    assert not owner.regain(2)


def test_a_gap_between_renewals_counts_although_nobody_looked_at_the_owner_meanwhile() -> None:
    """While the record is out of reach it is asked only whether it can be written again."""
    store = Store(bound=False)
    clock = Clock(SENT_NS)
    follower = Leased(store, clock, worker("a"))  # type: ignore[arg-type] # as above
    assert not follower.has_lapsed()
    clock.at_ns += TTL_NS
    follower.time_counts()  # nothing was renewed since
    store.sent_ns = clock.at_ns
    clock.at_ns += TTL_NS // PARTS
    assert not follower.has_lapsed(), "nobody could renew anything"
    store.sent_ns = clock.at_ns = clock.at_ns + TTL_NS
    assert follower.has_lapsed()
