"""The market of a backtest: recorded candles as a feed, and the local exchange's prices as venue.

Owns what a trader would be told: finished candles, facts of windows, books, rulings, and what an
order gets from the book that stands when it arrives. Everything is the exchange's own arithmetic,
read without a wire. Which moments are asked about, and what is decided, is `trading`'s matter.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from math import log, sqrt
from typing import TYPE_CHECKING, Final

import msgspec
from typing_extensions import override

from foresight.board import (
    LOCAL_SOURCE,
    MICRO,
    NS,
    FeeSchedule,
    Method,
    Result,
    Rules,
    Side,
    Tie,
)
from foresight.closes import CLOSES_KEPT
from foresight.exchange.counters.settlement import SETTLEMENT_DELAY_NS
from foresight.exchange.market.amounts import RESTING_MIN_MICRO, TICK_DEFAULT_MICRO
from foresight.exchange.market.fair_market import SLOT_NS, FairMarket
from foresight.exchange.market.fees import RATE_PERCENT
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.windows import Side as Outcome
from foresight.exchange.market.windows import Window, parse_slug
from foresight.exchange.prices.replay import LEAD_MINUTES_DEFAULT, ReplayPrices
from foresight.exchange.prices.tape import SIGMA_FLOOR, SIGMA_MINUTES, Tape
from foresight.market import Candles, Detail, Level, Offer, Ruling, WindowFacts
from foresight.venues.paper import simulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from foresight.exchange.market.calibration import Table
    from foresight.exchange.prices.replay import Recording
    from foresight.orders import Bought, Buy
    from foresight.venues.base import NotBought

SEED: Final = 1  # of depths, and of what lies inside a minute: one recording, one market
NO_MARKET: Final = "the recording ends before this window"
_COLUMNS: Final = 5
_METHODS: Final = {Rule.LAST: Method.LAST_PRICE, Rule.AVERAGE: Method.AVERAGE_60S}
_OUTCOMES: Final = {Side.UP: Outcome.UP, Side.DOWN: Outcome.DOWN}


class RecordedCandles:
    """The feed: finished candles of a recording, as the trader's feed would give them."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        """Keep the numbers as they are; a candle is made when it is asked for."""
        self._recordings = {one.asset: one for one in recordings}

    def fresh(self, newest: Mapping[str, int], *, end_minute: int) -> dict[str, Candles]:
        """Return new finished candles by asset.

        Args:
            newest: By asset, the newest minute that is known, or -1.
            end_minute: The first minute that is not finished yet.
        """
        return {asset: self._one(asset, known, end_minute) for asset, known in newest.items()}

    def _one(self, asset: str, newest: int, end_minute: int) -> Candles:
        recording = self._recordings[asset]
        minutes, values = recording.minutes, recording.values
        first = bisect_left(minutes, max(newest + 1, end_minute - CLOSES_KEPT))
        end = bisect_left(minutes, end_minute, lo=first)
        opens, highs, lows, closes, volumes = (
            values[_COLUMNS * first + column : _COLUMNS * end : _COLUMNS]
            for column in range(_COLUMNS)
        )
        return Candles(
            minutes=tuple(minutes[first:end]),
            prices=tuple(closes),
            details=tuple(
                [
                    Detail(open=opening, high=high, low=low, volume=volume)
                    for opening, high, low, volume in zip(opens, highs, lows, volumes, strict=True)
                ]
            ),
        )


class RecordedTape(Tape):
    """Prices of recordings at their own dates; how much they move is computed once.

    The numbers are the tape's own, to the last bit: a backtest asks for each of them many times.
    """

    def __init__(self, recordings: Sequence[Recording]) -> None:
        """Lay recordings on the tape; what lies inside a minute is the same in every run."""
        first = min(each.minutes[0] for each in recordings)
        prices = ReplayPrices(recordings, origin_minute=first + LEAD_MINUTES_DEFAULT)
        assert prices.first_minute == first, "dates stay the recording's own"
        super().__init__(prices, seed=SEED)
        self._minutes = {each.asset: each.minutes for each in recordings}
        self._squares = {each.asset: _squares(each) for each in recordings}

    @override
    def sigma(self, asset: str, minute: int) -> float:
        """Return what the tape would: over the hour before a minute, gaps left out."""
        minutes = self._minutes[asset]
        first = bisect_left(minutes, minute - SIGMA_MINUTES)
        squares = self._squares[asset][first + 1 : bisect_left(minutes, minute, lo=first)]
        if not squares:
            return 10 * SIGMA_FLOOR
        return max(SIGMA_FLOOR, sqrt(sum(squares) / len(squares)))


class RecordedMarket:
    """The venue: windows of a recording, priced and settled as the local exchange does."""

    def __init__(self, tape: Tape, *, rule: Rule, table: Table, until_minute: int) -> None:
        """Put the market together.

        Args:
            tape: Prices.
            rule: What settles its windows.
            table: What prices their shares.
            until_minute: Windows that end later are not listed.
        """
        self._market = FairMarket(tape, seed=SEED, rule=rule, table=table)
        self._until_s = until_minute * 60
        self._shown: dict[tuple[str, Side], tuple[Level, ...] | None] = {}
        self._shown_at = -1
        self._rules = Rules(
            tick_micro=TICK_DEFAULT_MICRO,
            size_min_micro=RESTING_MIN_MICRO,
            fee=FeeSchedule(rate_ppm=RATE_PERCENT * MICRO // 100, exponent=1),
            tie=Tie.UP,
            method=_METHODS[rule],
            source=LOCAL_SOURCE,
        )

    def facts(self, slugs: Iterable[str], now_ns: int) -> dict[str, WindowFacts | str]:
        """Return what markets say of running windows, by slug, or why one says nothing."""
        return {slug: self._facts(slug, now_ns) for slug in slugs}

    def books(self, offers: Mapping[str, Offer], now_ns: int) -> dict[str, Offer]:
        """Return offers of known windows with the books of an instant."""
        return {key: self._with_book(offer, now_ns) for key, offer in offers.items()}

    def rulings(self, slugs: Iterable[str], now_ns: int) -> tuple[Ruling, ...]:
        """Return what is known of ended windows: the result comes a little after the end."""
        return tuple(Ruling(slug=slug, result=self._result(slug, now_ns)) for slug in slugs)

    def bought(self, order: Buy, at_ns: int) -> Bought | NotBought:
        """Return what an order gets from the book that stands when it arrives."""
        offer = self._with_book(Offer(slug=order.slug, side=order.side), at_ns)
        return simulate(order, offer)

    def _facts(self, slug: str, now_ns: int) -> WindowFacts | str:
        window = _window(slug)
        reference = self._market.reference(window, now_ns)
        if window.end_s > self._until_s or not self._market.exists(window) or reference is None:
            return NO_MARKET
        return WindowFacts(
            start_s=window.start_s,
            rules=self._rules,
            reference=reference,
            up_token=f"{slug}:up",
            down_token=f"{slug}:down",
        )

    def _with_book(self, offer: Offer, now_ns: int) -> Offer:
        asks = self._asks(offer.slug, offer.side, now_ns)
        return msgspec.structs.replace(
            offer,
            asks=asks or (),
            is_accepting=asks is not None,
            book_s=now_ns // NS,
        )

    def _asks(self, slug: str, side: Side, now_ns: int) -> tuple[Level, ...] | None:
        """Return the sellers of an instant, or None while a window takes no orders."""
        # A book stands for five seconds: an order mostly meets the one that it was decided by.
        if now_ns // SLOT_NS != self._shown_at:
            self._shown_at = now_ns // SLOT_NS
            self._shown.clear()
        place = slug, side
        if place not in self._shown:
            self._shown[place] = self._quoted(_window(slug), side, now_ns)
        return self._shown[place]

    def _quoted(self, window: Window, side: Side, now_ns: int) -> tuple[Level, ...] | None:
        if not self._market.is_tradable(window, now_ns):
            return None
        asks = self._market.asks(window, _OUTCOMES[side], now_ns)
        return tuple(Level(price, size) for price, size in asks)

    def _result(self, slug: str, now_ns: int) -> Result | None:
        window = _window(slug)
        if now_ns < window.end_ns + SETTLEMENT_DELAY_NS:
            return None
        result = self._market.result(window, now_ns)
        return None if result is None else Result(result.value.lower())


def _squares(recording: Recording) -> list[float]:
    closes = recording.values[3::_COLUMNS]
    moves = (log(after / before) for before, after in pairwise(closes))
    return [0.0, *(move * move for move in moves)]


def _window(slug: str) -> Window:
    window = parse_slug(slug)
    assert window is not None, "the trader names windows as the exchange does"
    return window
