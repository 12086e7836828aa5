"""`foresight trades`: every trade with its fees, and what each release earned."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from foresight.board import Side
from foresight.book import SCHEMA, Book, Cash, keep_decided, spend
from foresight.market import Holdings, VenuePosition
from foresight.reconcile import adopt
from foresight.settlement import AWAITED_S
from tests.core.test_earned import of
from tests.process.cli_project import Project, record_of
from tests.trading_values import START_S, WINDOW

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)

BY_HAND = VenuePosition(
    token="t",  # noqa: S106 - a market's token, no secret
    slug=WINDOW.slug,
    side=Side.UP,
    shares_micro=10_000_000,
    price_micro=450_000,
    cost_micro=4_500_000,
    fee_micro=50_000,
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project whose book holds thirty trades of two releases."""
    project = Project(tmp_path)
    book = Book(venue="local")
    for number in range(30):
        trade = of("a" if number < 10 else "b", number)
        spend(book, trade.cost_micro + trade.fee_micro)
        keep_decided(book, trade)
    adopt(book, Holdings(positions=(BY_HAND,)), now_s=START_S)
    book.cash = Cash(held_micro=1_234_567_890)
    body = SCHEMA.encode(book)
    project.record(msgspec.structs.replace(record_of(), body=body, schema=SCHEMA.schema_id))
    return project


def test_all_trades_that_are_kept_go_into_a_csv_with_every_fee(project: Project) -> None:
    done = project.run("trades", "--csv", "--last", "3")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert (done.returncode, len(rows)) == (0, 31)
    ours = [row for row in rows if row["result"] != "open"]
    assert len(ours) == 30
    assert {row["fee"] for row in ours} == {"0.1"}
    assert sum(float(row["profit"]) for row in ours) == pytest.approx(30 * 1.9)


def test_what_each_release_earned_is_shown_with_its_interval(project: Project) -> None:
    done = project.run("trades", "--by-release", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    earned = [(row["release"], row["trades"], row["profit"]) for row in rows if row["trades"]]
    assert earned == [("a", 10, 19.0), ("b", 20, 38.0)]
    low, high = rows[-1]["interval"]
    assert low < rows[-1]["expectation"] <= high
    assert "too few to say" in project.run("trades", "--by-release").stdout


def test_the_newest_trades_alone_are_listed(project: Project) -> None:
    shown = project.run("trades", "--json", "--last", "2").stdout.splitlines()
    assert [json.loads(line)["release"] for line in shown] == ["", "b", "b"]
    project.assert_refused(2, "0 is not in the range", "trades", "--last", "0")


def test_a_person_sees_time_side_price_result_and_totals(project: Project) -> None:
    heading, held, newest, *_, totals = project.run("trades", "--last", "5").stdout.splitlines()
    assert heading.split() == ["ends", "slot", "side", "shares", "price", "result", "profit"]
    assert "open" in held
    assert newest.split()[-3:] == ["0.800", "won", "+1.90"], newest
    assert totals == "5 trades decided, 5 won, profit +9.50 after fees of 0.50; 1 position open"


def test_two_forms_at_once_are_a_usage_error(project: Project) -> None:
    project.assert_refused(2, "choose one", "trades", "--csv", "--json")


def test_what_was_bought_by_hand_is_seen_in_status_and_among_the_anomalies(
    project: Project,
) -> None:
    """It is the account's money and none of the strategy's: neither may hide the other."""
    shown = project.run("status").stdout
    assert "cash      1234.57 USDC" in shown
    assert "by hand   1 open for 4.55 USDC, 0 decided, profit +0.00" in shown
    assert f"position_adopted {WINDOW.slug} (`foresight anomalies`)" in " ".join(shown.split())
    summary = json.loads(project.run("status", "--json").stdout)
    assert (summary["cash"], summary["scores"]["overall"]["trades"]) == (1234.56789, 30)
    (found,) = project.run("anomalies", "--json").stdout.splitlines()
    assert json.loads(found)["kind"] == "position_adopted"
    assert WINDOW.slug in project.run("anomalies").stdout


def test_what_ended_without_a_result_is_said_with_what_it_takes_from_the_boards_limit(
    tmp_path: Path,
) -> None:
    """A board that buys nothing for it looks like one whose strategy is silent."""
    project = Project(tmp_path)
    book = Book(venue="local", now_s=START_S)
    adopt(book, Holdings(positions=(BY_HAND,)), now_s=START_S)
    book.now_s = WINDOW.end_s + AWAITED_S
    body = SCHEMA.encode(book)
    project.record(msgspec.structs.replace(record_of(), body=body, schema=SCHEMA.schema_id))
    line = "awaited 1 ended window without a result: 4.55 USDC count against [risk] stake"
    assert line in " ".join(project.run("status").stdout.split())
    summary = json.loads(project.run("status", "--json").stdout)
    assert summary["awaited"] == {"positions": 1, "staked": 4.55}
