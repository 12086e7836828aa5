"""Trading on paper from end to end, with our exchange in the place of the real markets.

Paper is what somebody trades on before real money: what it shows has to come from the market that
it watches, has to go on over a restart, and must never reach that market as an order.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from foresight.book import SCHEMA as BOOK
from foresight.book import Book
from foresight.evidence.exchange_books import Exchange, Ledger, ask, ledger
from foresight.market import SCHEMA as MARKET
from foresight.market import Market, Offer
from state.journal_reader import read_lines
from state.local_store import read_only_snapshot
from state.record import SchemaId
from tests.process.overriding import RunningProject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from foresight.board import Side

pytestmark = pytest.mark.timeout(400)
SPEED = 60
KEYS = ("privateKey", "key_file", "wallet")


class Remote:
    """An exchange that somebody else started."""

    def __init__(self, place: Path, *, speed: int = SPEED) -> None:
        words = ["--dir", str(place), "--speed", str(speed), "--assets", "BTC,ETH,SOL,XRP"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "foresight", "exchange", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        token = (place / "control.token").read_text("utf-8").strip()
        self.exchange = Exchange(said["addresses"]["spot"].removesuffix("/api/v3"), token)

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    found = Remote(tmp_path / "elsewhere")
    yield found
    found.end()


@pytest.fixture
def paper(tmp_path: Path, remote: Remote) -> Iterator[RunningProject]:
    """A project on paper that watches the exchange, and buys as freely as the demonstration."""
    with RunningProject(tmp_path) as found:
        path = found.project.tree / "foresight.toml"
        path.write_text(
            f"""{path.read_text()}
[board]
assets = ["BTC", "ETH", "SOL", "XRP"]
[venue]
kind = "paper"
url = "{remote.exchange.url}"
stream = true
stream_stale_s = 5.0
[risk]
edge_min_cents = -4.0
stake_floor_usdc = 8.0
slippage_cents = 3.0
drawdown_usdc = 0.0
[strategy.5m]
name = "late_entry"
minute = 3
minute_last = 4
threshold_sigmas = 0.2
""",
            encoding="utf-8",
        )
        found.project.git("commit", "-qam", "Trade on paper")
        yield found


def book_of(running: RunningProject) -> Book:
    record = read_only_snapshot(running.project.home / "state")
    book: Book = BOOK.decode(record.body, record.schema)
    return book


def seen(running: RunningProject) -> list[Market]:
    """Return what each cycle of the journal saw."""
    decided = [
        line for line in read_lines(running.project.home / "journal") if line.kind == "decide"
    ]
    return [
        MARKET.decode(
            line.inputs,
            SchemaId(name=MARKET.schema_id.name, version=line.inputs_schema, fingerprint=""),
        )
        for line in decided
        if not line.unavailable
    ]


def offers_of(markets: list[Market]) -> dict[str, Offer]:
    """Return the newest offer with a book of every window, by slug."""
    return {
        offer.slug: offer for market in markets for offer in market.offers.values() if offer.asks
    }


def paid_by(remote: Remote, slug: str, side: Side) -> Fraction:
    """Return what a share of a side got, as the exchange itself tells anybody who asks."""
    url = f"{remote.exchange.url}/gamma/events/slug/{slug}"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - ours
        (market,) = json.load(answer)["markets"]
    assert market["closed"]
    prices = zip(json.loads(market["outcomes"]), json.loads(market["outcomePrices"]), strict=True)
    return Fraction(dict(prices)[side.value.capitalize()])


def nothing_was_sent(books: Ledger) -> bool:
    return not books["requests_received"] and not books["spot"]["requests_received"]


def test_paper_trades_over_a_restart_on_what_it_sees_and_sends_nothing(
    paper: RunningProject, remote: Remote
) -> None:
    """A book that a restart loses, or that settles by itself, proves nothing of a release."""
    paper.up()
    paper.wait(lambda: len(book_of(paper).decided) >= 2, "two decided trades")
    paper.wait(lambda: bool(book_of(paper).positions), "a position")
    paper.down()
    before = book_of(paper)
    paper.up()
    wanted = len(before.decided) + 2
    paper.wait(lambda: len(book_of(paper).decided) >= wanted, "more of them after the restart")
    paper.down()
    markets = seen(paper)
    book, books, offers = book_of(paper), ledger(remote.exchange), offers_of(markets)
    late = [candles for market in markets[-20:] for candles in market.candles.values()]
    assert [each for each in late if not each.stream], "its stream was heard to the end"
    assert nothing_was_sent(books)
    assert not [each for each in books["accounts"].values() if each.get("positions")]
    assert book.venue == "paper"
    assert book.decided[: len(before.decided)] == before.decided
    held = {each.entry.slug for each in before.positions.values()}
    settled = {each.entry.slug: each for each in book.decided}
    assert held <= settled.keys() | {each.entry.slug for each in book.positions.values()}
    for slug, trade in settled.items():
        assert trade.payout_micro == paid_by(remote, slug, trade.entry.side) * trade.shares_micro
        assert trade.shares_micro > 0
        assert trade.fee_micro > 0
        assert offers[slug].side is trade.entry.side
    text = (paper.project.tree / "foresight.toml").read_text("utf-8")
    assert not [word for word in KEYS if word in text]
    assert ask(remote.exchange, "health")["speed"] == SPEED


def test_an_exchange_at_another_speed_is_refused_before_anything_is_built(
    tmp_path: Path, paper: RunningProject
) -> None:
    """Every candle would be of another minute: the bot would sit there and buy nothing."""
    other = Remote(tmp_path / "slow", speed=1)
    done = paper.project.run("up", "-d", FORESIGHT_VENUE_URL=other.exchange.url)
    other.end()
    assert done.returncode == 2, done.stderr
    assert "runs at speed 1, not at 60" in done.stderr
    done = paper.project.run("up", "-d", FORESIGHT_VENUE_URL=other.exchange.url)
    assert done.returncode == 2, done.stderr
    assert "start it first" in done.stderr
    assert not list((paper.project.home / "releases").iterdir())
