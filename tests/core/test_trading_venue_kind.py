"""Which kind of venue a book belongs to: simulated money never becomes real, nor real simulated."""

from typing import Any

import msgspec
import pytest

from foresight.board import Result
from foresight.book import SCHEMA, Book, Cash, Gain, keep_decided
from foresight.config import Config
from foresight.decision import decide
from foresight.market import Ruling
from foresight.orders import KIND
from foresight.reconcile import strange_kind, take_kind
from foresight.trader import create_with
from handoff.deciding import decide_once
from handoff.errors import WorkloadFaulty
from handoff.worker.boundary_clock import SystemClock
from handoff.workload import Context
from state.record import Outcome, Receipt, SchemaId, Timeline
from tests.core.test_trading_decision import NOW_S, run
from tests.records import empty
from tests.trading_values import (
    WINDOW,
    cycle_at,
    decided,
    holding,
    open_order,
    policy,
    position,
    seen,
)

PAPER = msgspec.structs.replace(policy(), venue="paper")


def trader(kind: str) -> Any:  # noqa: ANN401 - it trades in its own types
    config = Config()
    config = msgspec.structs.replace(
        config, venue=msgspec.structs.replace(config.venue, kind=kind, url="http://127.0.0.1:1")
    )
    context = Context(app="app", release="r1", tree=".", home=".", timeline=Timeline())
    return create_with(config, context, {}, clock=SystemClock())


def test_a_book_belongs_to_the_kind_that_decides_it_first() -> None:
    """A body of version 1 does not say: whoever takes it over sets it, whatever is open."""
    assert run(Book()).body.venue == "local"
    older = SchemaId(name="foresight.book", version=1, fingerprint="")
    body = SCHEMA.decode(SCHEMA.encode_down(holding(Book(), position()), older), older)
    assert body.venue == ""
    assert strange_kind(body, "live") == ""
    assert run(body, by=PAPER, inputs=seen(NOW_S, offers={})).body.venue == "paper"


def test_a_book_that_holds_nothing_goes_to_another_kind_and_leaves_its_cash_behind() -> None:
    """What an exchange of ours held is nothing that the next account could be compared with."""
    book = Book(venue="local", cash=Cash(held_micro=5))
    assert (run(book).body.venue, run(book).body.cash) == ("local", Cash(held_micro=5))
    moved = run(book, by=PAPER).body
    assert (moved.venue, moved.cash) == ("paper", None)
    keep_decided(moved, decided())
    assert list(moved.tallies) == ["paper:r1"]


def test_what_was_won_at_another_kind_covers_no_loss_at_this_one() -> None:
    """500 of simulated profit let 1 200 of real money be lost under a drawdown guard of 700."""
    won = Gain(start_s=NOW_S - 120, profit_micro=500_000_000)
    lost = Gain(start_s=NOW_S - 60, profit_micro=-100_000_000)
    book = Book(venue="local", results=[won, lost], now_s=NOW_S - 60)
    assert run(book).body.results == [won, lost]
    assert run(book, by=PAPER).body.results == [lost], "whoever comes back finds his losses"


@pytest.mark.parametrize("open_one", ["position", "order"])
def test_what_is_open_at_another_kind_is_neither_settled_nor_traded(open_one: str) -> None:
    """Windows have the same names everywhere: a real result would decide a simulated position."""
    book = Book(venue="local")
    if open_one == "position":
        holding(book, position())
    else:
        book.orders["app:1"] = open_order()
    ruling = Ruling(slug=WINDOW.slug, result=Result.UP)
    inputs = seen(WINDOW.end_s, rulings=(ruling,))
    found = decide(PAPER, cycle=cycle_at(WINDOW.end_s), body=book, inputs=inputs, receipts=())
    assert found.effects == ()
    assert (found.body.positions, found.body.orders) == (book.positions, book.orders)
    assert (found.body.venue, found.body.decided) == ("local", [])
    assert [one.kind for one in found.body.anomalies] == ["venue_changed"]
    (violation,) = trader("paper").invariants(found.body)
    assert "1 positions and 0" in violation.reason or "0 positions and 1" in violation.reason
    assert "[engine] replay = 0" in violation.reason
    assert trader("local").invariants(found.body) == []


def test_the_last_receipt_frees_a_book_for_another_kind() -> None:
    book = Book(venue="local")
    book.orders["app:1"] = open_order()
    late = Receipt(effect_id="app:1", kind=KIND, outcome=Outcome.EXPIRED)
    freed = run(book, by=PAPER, receipts=(late,))
    assert (freed.body.venue, freed.body.anomalies) == ("paper", [])
    assert len(freed.effects) == 1, "what it buys now it buys there"


def test_a_release_of_another_kind_is_refused_while_something_is_open() -> None:
    """Before it asks its venue anything: that one knows nothing of these positions."""
    book = holding(Book(venue="local"), position())
    with pytest.raises(StopIteration) as ended:  # it waits for nobody
        trader("paper").reconcile(book, ()).send(None)
    (difference,) = ended.value.value.differences
    assert "'local' are open, and this release trades at 'paper'" in difference
    take_kind(book, "paper")
    assert book.venue == "local"


def test_the_engine_commits_no_cycle_of_a_book_that_belongs_elsewhere() -> None:
    """The refusal is the engine's, whoever decides: an owner, a candidate or a replay."""
    book = holding(Book(venue="local"), position())
    inputs = seen(NOW_S, offers={})
    record = msgspec.structs.replace(empty(), body=SCHEMA.encode(book), schema=SCHEMA.schema_id)
    decided_here = decide_once(trader("local"), record, cycle_at(NOW_S), inputs)
    assert list(decided_here.body.positions) == list(book.positions)
    with pytest.raises(WorkloadFaulty, match="invariant violated: 1 positions and 0 orders of the"):
        decide_once(trader("paper"), record, cycle_at(NOW_S), inputs)
