"""What demonstration, drill and series prove with: reports, verdicts over counts, waiting.

A proof that is too kind proves nothing, so each rule is tried from both sides.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from foresight.evidence.books import Comparison
from foresight.evidence.count import Sent, count_performed
from foresight.evidence.errors import CourseLeft, NeverCame
from foresight.evidence.processes import send
from foresight.evidence.record_watch import goes_on
from foresight.evidence.report import Report, Reporter, reports_in
from foresight.evidence.verdict import examples, sent_once
from foresight.evidence.waiting import wait_for
from foresight.trades import Fill
from handoff.processes import Identity, boot_id, pid_namespace
from tests.trading_values import position

if TYPE_CHECKING:
    from pathlib import Path

PERIOD_NS = 1_000
SENT = Sent(reports=4, distinct=3, asked=1, repeated=())
BOOKS = Comparison(
    received=4,
    distinct=3,
    duplicates=1,
    executed=3,
    booked=3,
    in_flight=(),
    unknown_to_book=(),
    unknown_to_exchange=(),
    differing=(),
    bought_twice=(),
)


def said(kind: str, cycle: int, at_ns: int = 0, effect: str = "") -> Report:
    return Report(kind, cycle, 7, "r", at_ns, effect)


# --- positions ---------------------------------------------------------------------------


def test_a_position_goes_on_less_at_most_what_may_still_fail() -> None:
    """A proof that forgave more would not see a position that was cut; less, no failed trade."""
    one = Fill(trade="t1", shares_micro=6_000_000, cost_micro=4_800_000, fee_micro=60_000)
    held = replace(position(), unconfirmed=(one,))
    assert goes_on(held, held)
    assert goes_on(held, replace(held, unconfirmed=()))
    left = {"shares_micro": 4_000_000, "cost_micro": 3_200_000, "fee_micro": 40_000}
    assert goes_on(held, replace(held, unconfirmed=(), **left))
    assert not goes_on(held, replace(held, **(left | {"shares_micro": 3_999_999})))
    assert not goes_on(held, replace(held, **(left | {"cost_micro": 3_199_999})))
    assert not goes_on(position(), replace(position(), fee_micro=99_999))
    assert not goes_on(held, replace(held, shares_micro=10_000_001))
    assert not goes_on(held, replace(held, order_id="another"))
    assert not goes_on(held, None)
    whole = replace(one, shares_micro=10_000_000, cost_micro=8_000_000, fee_micro=100_000)
    assert goes_on(replace(held, unconfirmed=(whole,)), None)
    assert not goes_on(position(), None)


# --- reports -----------------------------------------------------------------------------


def test_a_report_arrives_as_it_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "witness.jsonl"
    assert reports_in(path) == []
    reporter = Reporter(path)
    sent = [said("observe", 1, 5), said("perform", 1, 6, "order-1")]
    for report in sent:
        reporter.report(report)
    reporter.close()
    assert reports_in(path) == sent


def test_a_report_that_is_not_whole_yet_is_not_read(tmp_path: Path) -> None:
    """Whoever reads while others write would fail on half a line."""
    path = tmp_path / "witness.jsonl"
    reporter = Reporter(path)
    reporter.report(said("observe", 1))
    with path.open("ab") as file:
        file.write(b'{"kind":"obs')
    assert reports_in(path) == [said("observe", 1)]
    reporter.close()


def test_a_worker_whose_witness_does_not_listen_does_not_begin(tmp_path: Path) -> None:
    """It would trade unseen, and every one of its cycles would count as missed."""
    pipe = tmp_path / "witness.pipe"
    with pytest.raises(FileNotFoundError):
        Reporter(pipe, must_listen=True)
    assert not pipe.exists()
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="No such device"):
        Reporter(pipe, must_listen=True)


# --- counts and their verdicts ---------------------------------------------------------


def test_a_cycle_is_carried_out_by_its_effect_and_late_by_its_beginning() -> None:
    reports = [
        *(said("observe", 1, 1_000), said("perform", 1)),
        *(said("observe", 2, 3_000), said("perform", 2)),  # in the period of cycle 3
        said("observe", 3, 3_000),
        *(said("perform", 4), said("perform", 4)),
    ]
    seen = count_performed(reports, first=1, last=4, period_ns=PERIOD_NS)
    assert (seen.expected, seen.run) == (4, 3)
    assert (seen.missed, seen.doubled, seen.late) == ((3,), (4,), (2,))
    assert not seen.is_exact
    assert count_performed(reports, first=1, last=2, period_ns=PERIOD_NS).is_exact


def test_orders_are_sent_once_only_if_both_sides_say_so() -> None:
    """What was asked about may or may not have arrived; everything else must have."""
    assert sent_once(SENT, BOOKS)
    assert sent_once(SENT, BOOKS._replace(received=3, duplicates=0))
    assert not sent_once(SENT, BOOKS._replace(received=2, distinct=1))
    assert not sent_once(SENT, BOOKS._replace(received=5, distinct=4))
    assert not sent_once(SENT, BOOKS._replace(duplicates=0))
    assert not sent_once(SENT, BOOKS._replace(bought_twice=("w",)))
    assert not sent_once(SENT._replace(repeated=("order-1",)), BOOKS)


def test_books_disagree_by_one_window_that_they_tell_otherwise() -> None:
    assert BOOKS.agree
    assert not BOOKS._replace(unknown_to_book=("w",)).agree
    assert not BOOKS._replace(unknown_to_exchange=("w",)).agree
    assert not BOOKS._replace(differing=("w",)).agree


def test_examples_say_that_there_are_more_of_them() -> None:
    assert examples(()) == ""
    assert examples((1, 2, 3)) == "1, 2, 3"
    assert examples((1, 2, 3), 2) == "1, 2, ..."


# --- waiting and processes -------------------------------------------------------------


def test_what_never_comes_is_named_and_leaves_the_course() -> None:
    """A demonstration keeps what ran; it catches one kind of error for that."""
    assert wait_for("something", lambda: "there", 0) == "there"
    with pytest.raises(NeverCame, match="the owner did not come within 0 s") as caught:
        wait_for("the owner", lambda: "", 0)
    assert isinstance(caught.value, CourseLeft)
    assert caught.value.hint


def test_a_process_that_is_gone_is_not_signalled() -> None:
    """Its pid may be a stranger's by now."""
    stranger = Identity(os.getpid(), 1, boot_id(), pid_namespace())
    assert not send(stranger, 0)
