"""What each release earned: a version is judged by the trades that it decided, and by no others."""

from typing import Any

import msgspec

from deploy.history import Entry
from foresight.board import Result
from foresight.book import Book, keep_decided
from foresight.cli.trading import earned_rows, rows_here, rows_of
from foresight.dashboard.deploys import past_deploy
from foresight.dashboard.money import money_of
from foresight.report.document import document_of
from foresight.report.facts import facts_of_book
from foresight.scoring import TRADES_MIN, Interval, earned_by, evidence_in, evidence_of, scores_of
from foresight.trades import OLDER, RELEASES_KEPT, Decided
from state.record import Timeline
from tests.trading_values import START_S, decided


def of(release: str, number: int = 0, **changes: Any) -> Decided:  # noqa: ANN401 - fields by their names
    """Return a trade that a release decided to buy, settled as the number says."""
    trade = decided(**changes)
    entry = msgspec.structs.replace(trade.entry, release=release)
    return msgspec.structs.replace(trade, entry=entry, decided_s=START_S + number)


def with_trades(*trades: Decided, venue: str = "local") -> Book:
    book = Book(venue=venue)
    for trade in trades:
        keep_decided(book, trade)
    return book


def test_a_trade_counts_for_the_release_that_decided_it_whoever_settles() -> None:
    book = with_trades(of("a"), of("b", 1, result=Result.DOWN), of("a", 2))
    earned = {each.release: each for each in earned_by(book)}
    assert [each.release for each in earned_by(book)] == ["b", "a"]  # the last to decide at the end
    assert (earned["a"].score.trades, earned["a"].score.won, earned["a"].venue) == (2, 2, "local")
    assert (earned["b"].score.trades, earned["b"].score.won) == (1, 0)
    assert earned["a"].score.profit + earned["b"].score.profit == 2 * 1.9 - 8.1


def test_money_of_one_kind_of_venue_is_never_added_to_that_of_another() -> None:
    """A release that did well on simulated fills has not earned a cent."""
    book = with_trades(of("a"), venue="paper")
    book.venue = "live"
    keep_decided(book, of("a", 1, result=Result.DOWN))
    assert [(each.venue, each.score.won) for each in earned_by(book)] == [("paper", 1), ("live", 0)]


def gone_live() -> Book:
    """Return a book that won three trades on paper and lost one of real money since."""
    book = with_trades(*(of("a", number) for number in range(3)), venue="paper")
    book.venue, book.venue_since_s, book.now_s = "live", START_S + 60, START_S + 120
    keep_decided(book, of("a", 90, result=Result.DOWN))
    return book


def test_figures_are_of_the_kind_of_venue_that_is_traded_at_now() -> None:
    """Three wins on paper made a loss of real money look like three of four won."""
    scores = scores_of(gone_live())
    assert (scores.recent.trades, scores.recent.won, scores.recent.profit) == (1, 0, -8.1)
    assert (scores.overall.trades, scores.overall.profit) == (1, -8.1)
    money = money_of(gone_live(), Timeline())
    assert (money.trades, money.profit) == (1, -8.1)


def test_the_newest_trades_are_those_of_the_kind_that_is_traded_at_now() -> None:
    """The others stay in what programs read, and are added to nothing."""
    book = gone_live()
    shown = rows_of(book, 20)
    assert [(row["venue"], row["profit"]) for row in shown] == [("live", -8.1), *[("", 1.9)] * 3]
    assert [row["profit"] for row in rows_here(shown, "live")] == [-8.1]
    book.venue_since_s = 0
    assert {row["venue"] for row in rows_of(book, 20)} == {"live"}


def test_releases_beyond_the_newest_are_summed_up_and_nothing_is_lost() -> None:
    book = with_trades(*(of(f"r{number:03}", number) for number in range(RELEASES_KEPT + 8)))
    earned = earned_by(book)
    assert earned[0].release == OLDER
    assert earned[0].score.trades == 8
    assert sum(each.score.trades for each in earned) == RELEASES_KEPT + 8


def test_a_release_that_never_decided_a_trade_says_so() -> None:
    rows = earned_rows(with_trades(of("a")), ["idle", "a", "idle", ""])
    assert [(row["release"], row["trades"], row["says"]) for row in rows] == [
        ("idle", 0, "decided no trade"),
        ("a", 1, "too few to say"),
    ]


def test_a_release_whose_trades_are_summed_up_is_not_said_to_have_none() -> None:
    """The sums of the oldest releases have no names any more: nobody can say that they lack one."""
    book = with_trades(*(of(f"r{number:03}", number) for number in range(RELEASES_KEPT + 1)))
    says = {row["release"]: row["says"] for row in earned_rows(book, ["r000", "r001"])}
    assert says["r000"] == "none, or among the older ones"
    took = Entry(deploy="d", requested_at="", requested_ms=5, by="", release="r000", boundary_ms=9)
    assert past_deploy(took, earned_by(book)).earned == "none, or among the older ones"


def test_the_page_adds_no_money_of_one_kind_of_venue_to_that_of_another() -> None:
    """Simulated profit covered a loss of real money beside the release that made both."""
    book = with_trades(of("a"), venue="paper")
    book.venue = "live"
    keep_decided(book, of("a", 1, result=Result.DOWN))
    took = Entry(deploy="d", requested_at="", requested_ms=5, by="", release="a", boundary_ms=9)
    simulated, real = past_deploy(took, earned_by(book)).earned.split("; ")
    assert simulated.startswith("+1.90 USDC in 1 trade at paper")
    assert real.startswith("-8.10 USDC in 1 trade at live")


def test_only_an_interval_beside_zero_says_anything() -> None:
    assert evidence_in(Interval(-0.1, 0.1)) == "no evidence of an edge"
    assert evidence_in(Interval(0.0, 0.1)) == "no evidence of an edge"
    assert evidence_in(Interval(0.001, 0.1)) == "above zero"
    assert evidence_in(Interval(-0.1, -0.001)) == "loses"


def test_a_few_trades_say_nothing_of_a_release_wherever_it_is_asked() -> None:
    """A listing called one lost favourite evidence that a version loses, which the page did not."""
    lost = [of("a", number, result=Result.DOWN) for number in range(TRADES_MIN)]
    took = Entry(deploy="d", requested_at="", requested_ms=5, by="", release="a", boundary_ms=9)
    for trades, says in ((lost[1:], "too few to say"), (lost, "loses")):
        book = with_trades(*trades)
        assert evidence_in(earned_by(book)[0].score.expectation_interval) == "loses"
        (row,) = earned_rows(book, ["a"])
        assert row["says"] == evidence_of(earned_by(book)[0].score) == says
        assert past_deploy(took, earned_by(book)).earned.endswith(says)
        facts = facts_of_book(book, name="app", marks=(), deployed=())
        assert f'words">{says}</td>' in document_of(facts)


def test_the_page_says_beside_a_deploy_what_its_release_earned() -> None:
    earned = earned_by(with_trades(of("a"), of("a", 1)))
    took = Entry(deploy="d", requested_at="", requested_ms=5, by="ann", release="a", boundary_ms=9)
    assert past_deploy(took, earned).earned == "+3.80 USDC in 2 trades, too few to say"
    idle = msgspec.structs.replace(took, release="b")
    assert past_deploy(idle, earned).earned == "decided no trade"
    refused = msgspec.structs.replace(took, boundary_ms=0)
    assert past_deploy(refused, earned).earned == ""
