"""How far two hosts' clocks are apart, whatever the network between them does."""

from __future__ import annotations

import random
from statistics import median

import pytest

from state.etcd.clock_gap import Gap, Told, together
from state.hosts_seen import Clock


class Line:
    """Another host that writes and one here that reads, both about once a second, on one true time.

    Each request reaches etcd and is answered after a while of its own; etcd does one at a time.
    """

    def __init__(self, seed: int, ahead_ms: float, *, slow_ms: float) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - ways and pauses, not secrets
        self._ahead_ms = ahead_ms
        self._slow_ms = slow_ms
        self.gap = Gap()

    def _way(self) -> float:
        return self._chance.uniform(0.1, self._slow_ms)

    def run(self, seconds: float) -> None:
        writes = self._writes(seconds * 1e3)
        shown: tuple[float, Told] | None = None
        missed_ms, now_ms = 0.0, 500.0
        while now_ms < seconds * 1e3:
            there_ms = now_ms + self._way()
            found_ms = there_ms + self._way()
            newest = [each for each in writes if each[0] <= there_ms][-1:]
            if newest and newest[0] != shown:
                shown = newest[0]
                self.gap.hear(shown[1], missed_ms=missed_ms, found_ms=found_ms)
            missed_ms = now_ms
            now_ms = found_ms + self._chance.uniform(750, 1250)

    def _writes(self, until_ms: float) -> list[tuple[float, Told]]:
        """Return when each write came about, and what it says."""
        found: list[tuple[float, Told]] = []
        now_ms, before_ms, took_ms = 0.0, 0.0, 0.0
        while now_ms < until_ms:
            there_ms = now_ms + self._way()
            answered_ms = there_ms + self._way()
            at_ms = now_ms + self._ahead_ms
            found.append((there_ms, Told(at_ms, before_ms, took_ms)))
            before_ms, took_ms = at_ms, answered_ms - now_ms
            now_ms = answered_ms + self._chance.uniform(750, 1250)
        return found


@pytest.mark.parametrize("slow_ms", [5.0, 200.0])
@pytest.mark.parametrize("ahead_ms", [0.0, 400.0, -2_000.0])
def test_the_true_difference_lies_within_the_bounds_and_a_minute_makes_them_narrow(
    ahead_ms: float, slow_ms: float
) -> None:
    uncertain: list[float] = []
    for seed in range(25):
        line = Line(seed, ahead_ms, slow_ms=slow_ms)
        line.run(60)
        clock = line.gap.clock()
        assert clock is not None
        assert clock.low_ms <= ahead_ms <= clock.high_ms
        uncertain.append(clock.uncertain_ms)
    assert median(uncertain) < 80 + slow_ms


def test_an_answer_that_came_late_there_makes_nobody_wrong() -> None:
    """How long a write took is told with the next one, for nobody knows it before."""
    gap = Gap()
    gap.hear(Told(1_000, 0, 0), missed_ms=1_300, found_ms=1_400)  # it came about 350 ms late
    assert gap.clock() is None
    gap.hear(Told(2_000, 1_000, 360), missed_ms=2_000, found_ms=2_010)
    assert gap.clock() == Clock(low_ms=-400, high_ms=60)


def test_a_write_between_that_nobody_read_tells_nothing_of_the_one_before() -> None:
    gap = Gap()
    gap.hear(Told(1_000, 0, 0), missed_ms=900, found_ms=1_010)
    gap.hear(Told(3_000, 2_000, 5), missed_ms=2_900, found_ms=3_010)
    assert gap.clock() is None


def test_after_a_clock_was_set_only_what_came_since_counts() -> None:
    gap, before_ms = Gap(), 0.0
    for number, (ahead_ms, missed_ms, found_ms) in enumerate(
        [(0, 50, 10), (0, 40, 20), (5_000, 60, 30), (5_000, 20, 90), (5_000, 9, 9)], start=1
    ):
        at_ms = number * 1_000.0
        told = Told(at_ms + ahead_ms, before_ms, 0)  # of the last nothing is told any more
        gap.hear(told, missed_ms=at_ms - missed_ms, found_ms=at_ms + found_ms)
        before_ms = told.at_ms
    assert gap.clock() == Clock(low_ms=4_970, high_ms=5_020)


@pytest.mark.parametrize(
    ("low_ms", "high_ms", "apart_ms"),
    [(300, 320, 300), (-320, -300, 300), (-10, 400, 0), (0, 400, 0)],
)
def test_two_clocks_are_apart_by_what_is_sure(
    low_ms: float, high_ms: float, apart_ms: float
) -> None:
    assert Clock(low_ms=low_ms, high_ms=high_ms).apart_ms == apart_ms


def test_two_workers_of_a_host_tell_of_its_one_clock_together() -> None:
    """One that was heard for longer does not lose its bound to one whose bounds are narrower."""
    wide, narrow = Clock(low_ms=259, high_ms=950), Clock(low_ms=246, high_ms=750)
    assert together([wide, narrow]) == together([narrow, wide]) == Clock(low_ms=259, high_ms=750)
    assert together([narrow]) == narrow
    assert together([]) is None


def test_where_workers_contradict_each_other_the_narrowest_counts() -> None:
    before, since = Clock(low_ms=-200, high_ms=200), Clock(low_ms=400, high_ms=600)
    assert together([before, since]) == together([since, before]) == since
