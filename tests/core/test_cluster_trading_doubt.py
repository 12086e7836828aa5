"""Orders without an answer when a host ended: the story fails where one of them was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from foresight.book import Book
from tests.cluster.trading_doubt import known, unanswered
from tests.core.test_cluster_trading import (
    TRADES,
    WINDOWS,
    bought,
    journal,
    order,
    whole,
    whole_journals,
    wrong_in,
)
from tests.records import effect, empty, receipt

if TYPE_CHECKING:
    from state.record import Record

SLUGS = [window.slug for window in WINDOWS]


def test_a_story_in_which_nothing_was_in_doubt_fails() -> None:
    journals = dict.fromkeys(whole_journals(), journal(unproven=False))
    (words,) = wrong_in(whole()._replace(journals=journals))
    assert words == "1 orders were in doubt, 0 of them of a host that nobody proved dead"
    (words,) = wrong_in(whole()._replace(unanswered=set()))
    assert words == "0 bought something unanswered, 0 were decided in the end"


def test_an_order_without_an_answer_that_the_book_has_lost_fails_it() -> None:
    (words,) = wrong_in(whole()._replace(unanswered={SLUGS[0], "sol-updown-5m-1"}))
    expected = "2 bought something unanswered, 1 were decided in the end (sol-updown-5m-1)"
    assert words == expected


def waiting(**changes: Any) -> Record:  # noqa: ANN401 - members by their names
    return replace(empty(1), outbox=(effect(),), **changes)


def test_unanswered_is_what_was_bought_and_stands_neither_in_book_nor_record() -> None:
    book = Book(positions={"token": bought(WINDOWS[0])}, decided=TRADES[1:2])
    assert known(book) == {*SLUGS[:2]}
    nothing = {**order(WINDOWS[4]), "filled": "0"}
    said = {"orders": [*(order(window) for window in WINDOWS[:4]), nothing]}
    assert unanswered(said, waiting(), book) == {*SLUGS[2:4]}


@pytest.mark.parametrize("record", [empty(1), waiting(receipts=(receipt(),))])
def test_what_has_an_answer_is_not_unanswered(record: Record) -> None:
    assert unanswered({"orders": [order(WINDOWS[0])]}, record, Book()) == set()
