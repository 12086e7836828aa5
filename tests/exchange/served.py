"""A served exchange with both clients on it, and a clock that stands until it is moved."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.async_support
import ccxt.prediction
from typing_extensions import override

from foresight.door.token_file import token_of
from foresight.exchange.credentials import BINANCE_DEMO_KEY, BINANCE_DEMO_SECRET
from foresight.exchange.guard import TOKEN_FILE
from foresight.exchange.market.fair_market import FairMarket
from foresight.exchange.market.table_files import load_table
from foresight.exchange.market.windows import Side, Window, window_at
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND, Timeline
from foresight.exchange.prices.synthetic import SyntheticPrices
from foresight.exchange.prices.tape import Tape
from foresight.exchange.server import loopback_socket, serving
from foresight.exchange.venue import RULE_DEFAULT, Settings, Venue, open_venue
from foresight.venues.local import binance_options, polymarket_options


@dataclass
class StandingClock:
    """Wall time that moves only when told to; it begins at the real one, for signatures."""

    now_ns: int = field(default_factory=time.time_ns)

    def __call__(self) -> int:
        return self.now_ns

    def forward(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_SECOND)


@dataclass
class Running:
    """A served exchange, its clients and its clock."""

    venue: Venue
    clock: StandingClock
    url: str
    spot: Any
    board: Any
    token: str

    def window(self, asset: str = "BTC", timeframe: str = "5m") -> Window:
        return window_at(asset, timeframe, self.venue.now().market_ns)

    async def outcome(self, side: Side = Side.UP, asset: str = "BTC") -> str:
        """Return the handle of the running window's outcome, known to the client."""
        window = self.window(asset)
        await self.board.fetch_event(window.slug)
        return f"{asset}_UPDOWN_5M_{window.start_s}:{side.value.upper()}"

    async def control(self, page: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        method = "GET" if body is None else "POST"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"{self.url}/_control/{page}", json=body, headers=headers
            ) as answer,
        ):
            return await answer.json()


def pinned(number: int = 1, **more: object) -> dict[str, object]:
    """Return params that make two submissions one order."""
    return {"salt": str(number), "timestamp": "1763827201000", "orderType": "FAK"} | more


@asynccontextmanager
async def exchange(settings: Settings, clock: StandingClock) -> AsyncIterator[Running]:
    """Serve an exchange and construct both clients on it."""
    venue = open_venue(settings, clock)
    try:
        token = token_of(settings.folder / TOKEN_FILE)
        async with serving(venue, loopback_socket(0), clock_ns=clock, token=token) as url:
            quick = {"enableRateLimit": False, "timeout": 2000}
            account = {"apiKey": BINANCE_DEMO_KEY, "secret": BINANCE_DEMO_SECRET}
            spot = ccxt.async_support.binance(binance_options(url) | account | quick)
            board = ccxt.prediction.polymarket(polymarket_options(url) | quick)
            for client in (spot, board):
                client.milliseconds = lambda: clock.now_ns // NS_PER_MS
                client.seconds = lambda: clock.now_ns // NS_PER_SECOND
            try:
                yield Running(venue, clock, url, spot, board, token)
            finally:
                await spot.close()
                await board.close()
    finally:
        venue.close()


class Opener:
    """Opens exchanges on the test's directory, one after another."""

    def __init__(self, folder: Path, clock: StandingClock) -> None:
        self.folder = folder
        self.clock = clock

    def __call__(self, **settings: Any) -> Any:  # noqa: ANN401 - settings as they come
        """Serve; orders are not held, and shares not kept, unless a test says so."""
        settings = {"hold_ms": 0, "redeem_s": 0} | settings  # its clock stands
        return exchange(Settings(folder=self.folder, **settings), self.clock)

    @override
    def __repr__(self) -> str:
        return f"Opener({self.folder.name})"


@asynccontextmanager
async def undecided(opener: Opener, **settings: object) -> AsyncIterator[Running]:
    """Serve at speed 60, forty market seconds into an undecided five-minute window."""
    timeline = Timeline(opener.clock.now_ns, speed=60)
    wanted_ns = window_at("BTC", "5m", timeline.origin_ns).end_ns + 40 * NS_PER_SECOND
    seed = undecided_seed(wanted_ns)
    async with opener(speed=60, seed=seed, origin_ns=timeline.origin_ns, **settings) as served:
        served.clock.now_ns = timeline.wall_ns(wanted_ns)
        yield served


RISE_MINUTES = 30
"""Market minutes in which a market of `rising_seed` passes a sale's price."""


def rising_seed(asset: str, market_ns: int) -> int:
    """Return a seed whose market closes at least 0.3 % higher within `RISE_MINUTES`."""
    return _moving_seed(asset, market_ns, lambda closes: max(closes) > closes[0] * 1.003)


def falling_seed(asset: str, market_ns: int) -> int:
    """Return a seed whose market closes at least 0.3 % lower within `RISE_MINUTES`."""
    return _moving_seed(asset, market_ns, lambda closes: min(closes) < closes[0] * 0.997)


def _moving_seed(asset: str, market_ns: int, moves: Callable[[list[float]], bool]) -> int:
    minute = market_ns // NS_PER_MINUTE
    for seed in range(100):
        prices = SyntheticPrices(seed=seed, origin_minute=minute, assets=(asset,))
        found = [prices.candle(asset, minute + late) for late in range(RISE_MINUTES)]
        closes = [candle.close for candle in found if candle is not None]
        if closes and moves(closes):
            return seed
    message = f"no seed below 100 has a market of {asset} that moves so"
    raise AssertionError(message)


def undecided_seed(market_ns: int) -> int:
    """Return a seed whose market has BTC's running five minutes still open at an instant.

    Real time decides where in a market a test happens; a test that trades needs both sides.
    """
    for seed in range(100):
        prices = SyntheticPrices(
            seed=seed, origin_minute=market_ns // NS_PER_MINUTE, assets=("BTC",)
        )
        market = FairMarket(
            Tape(prices, seed=seed), seed=seed, rule=RULE_DEFAULT, table=load_table("synthetic")
        )
        window = window_at("BTC", "5m", market_ns)
        chances = [
            market.probability_up(window, market_ns + late * NS_PER_SECOND) for late in (-30, 0)
        ]
        if all(0.3 < chance < 0.7 for chance in chances):
            return seed
    message = "no seed below 100 has an undecided window"
    raise AssertionError(message)
