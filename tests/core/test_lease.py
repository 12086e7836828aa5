"""What a lease allows, to the nanosecond: a clock that is read late must never allow more."""

from __future__ import annotations

import pytest

from state.etcd.lease import Standing, left_ns, may_begin, renewed, time_to_send_ns

NS = 1_000_000_000
HELD = Standing(lease=7, ttl_ns=3 * NS, renewed_ns=100 * NS)
GONE = HELD._replace(is_gone=True)
NONE = Standing()


@pytest.mark.parametrize(
    ("standing", "now_ns", "left"),
    [
        (HELD, 100 * NS, 3 * NS),
        (HELD, 103 * NS - 1, 1),
        (HELD, 103 * NS, 0),
        (HELD, 500 * NS, 0),
        (GONE, 100 * NS, 0),
        (NONE, 0, 0),
    ],
)
def test_a_lease_is_counted_from_when_its_renewal_was_sent(
    standing: Standing, now_ns: int, left: int
) -> None:
    assert left_ns(standing, now_ns=now_ns) == left


def test_a_request_is_sent_only_if_all_of_its_time_is_left_and_gets_no_more() -> None:
    """Else it may arrive after somebody else seized, and be sent by both."""
    wanted = 2 * NS
    assert time_to_send_ns(HELD, now_ns=101 * NS, wanted_ns=wanted) == wanted
    assert time_to_send_ns(HELD, now_ns=101 * NS + 1, wanted_ns=wanted) == 0
    assert time_to_send_ns(GONE, now_ns=100 * NS, wanted_ns=1) == 0
    with pytest.raises(AssertionError, match="time-out"):
        time_to_send_ns(HELD, now_ns=100 * NS, wanted_ns=0)


def test_a_cycle_is_begun_only_within_a_third_of_the_lease_after_a_renewal() -> None:
    assert may_begin(HELD, now_ns=100 * NS)
    assert may_begin(HELD, now_ns=101 * NS)
    assert not may_begin(HELD, now_ns=101 * NS + 1)
    assert not may_begin(HELD, now_ns=100 * NS - 1), "no clock of this boot says so"
    assert not may_begin(GONE, now_ns=100 * NS)
    assert not may_begin(NONE, now_ns=0)


def test_a_renewal_counts_from_when_it_was_sent_and_never_backwards() -> None:
    later = renewed(HELD, lease=7, ttl_s=3, sent_ns=101 * NS)
    assert later.renewed_ns == 101 * NS
    assert renewed(later, lease=7, ttl_s=3, sent_ns=100 * NS) == later


def test_a_renewal_without_time_ends_a_lease_for_good() -> None:
    gone = renewed(HELD, lease=7, ttl_s=0, sent_ns=101 * NS)
    assert gone == GONE
    assert renewed(gone, lease=7, ttl_s=3, sent_ns=102 * NS) == gone


def test_an_answer_about_another_lease_says_nothing_of_this_one() -> None:
    assert renewed(HELD, lease=6, ttl_s=0, sent_ns=101 * NS) == HELD
