"""One-minute candles of any exchange that ccxt knows, page by page.

Owns which exchange that is, how long it is waited for and how often it is asked again, and that an
answer that is no JSON is no empty page. What is done with the candles is `foresight.download`'s.
"""

import asyncio
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from foresight.errors import (
    AnswerUnreadable,
    ConfigError,
    DownloadStopped,
    VenueError,
    VenueRefused,
)
from foresight.venues.ccxt_calls import Requests, candle_client, known_exchanges
from foresight.venues.local import binance_options

DEFAULT_EXCHANGE: Final = "binance"
ATTEMPTS_MAX: Final = 8  # of one page; the pauses between them come to two minutes
PAUSE_S_MIN: Final = 1.0
PAUSE_S_MAX: Final = 60.0
ASKED_PAUSE_S_MAX: Final = 300.0  # who is sent away for longer comes back by another command
TIMEOUT_S: Final = 30.0  # of one attempt, the client's own pause between requests included
ROWS_MAX: Final = 1000
ROWS_UNSAID: Final = 100  # where an exchange does not say how long its pages are
_MS: Final = 1000

Sleep = Callable[[float], Awaitable[None]]


class CandlePages:
    """A source of candles.

    Args:
        exchange: ccxt's name of it.
        url: Address of a server that speaks as binance does, or an empty string.
        sleep: Waits between two attempts.
    """

    def __init__(
        self,
        exchange: str,
        *,
        url: str = "",
        sleep: Sleep = asyncio.sleep,  # noqa: TID251 - bounded pauses of a command
    ) -> None:
        """Check what was asked for; nothing is loaded or asked yet.

        Raises:
            ConfigError: There is no such exchange, or the address is none.
        """
        self._exchange = exchange
        self._options = _options(exchange, url)
        self._sleep = sleep
        self._client: Any = None
        self._requests = Requests(1, timeout_s=TIMEOUT_S)
        self._rows = ROWS_UNSAID

    @property
    def rows(self) -> int:
        """Return how many candles a page has at most; known once it is open."""
        return self._rows

    async def open(self, pairs: list[str]) -> None:
        """Load the client and the exchange's list of pairs.

        Raises:
            ConfigError: It does not have a pair, or no candles of one minute.
            DownloadStopped: It does not answer.
        """
        self._client = candle_client(self._exchange, self._options)
        client = self._client
        client.enableLastResponseHeaders = client.enableLastJsonResponse = True
        if not client.has.get("fetchOHLCV") or "1m" not in (client.timeframes or {"1m": ""}):
            what = f"{self._exchange} has no candles of one minute"
            raise ConfigError(what, "name another --exchange")
        markets = await self._again(client.load_markets)
        for pair in pairs:
            if pair not in markets:
                what = f"{self._exchange} has no market {pair}"
                raise ConfigError(what, "see --assets; each is one of the exchange's, with USDT")
        limit = client.feature_value(pairs[0], "fetchOHLCV", "limit")
        self._rows = min(ROWS_MAX, int(limit)) if limit else ROWS_UNSAID

    async def time_ms(self) -> int | None:
        """Return the exchange's clock, milliseconds UTC, or None where it has none.

        Raises:
            DownloadStopped: It does not answer.
        """
        if self._client.has.get("fetchTime") is not True:
            return None
        return int(await self._again(self._client.fetch_time))

    async def page(self, pair: str, first_minute: int) -> list[object]:
        """Return rows from a minute on: milliseconds UTC, open, high, low, close, volume.

        Args:
            pair: Such as `BTC/USDT`.
            first_minute: Minutes since 1970 UTC.

        Raises:
            DownloadStopped: There is no usable answer.
        """
        since_ms = first_minute * 60 * _MS

        async def ask() -> list[object]:
            self._client.last_json_response = None
            rows = await self._client.fetch_ohlcv(pair, "1m", since_ms, self._rows)
            # ccxt makes "no candles", as in a gap, of a body that is no JSON.
            if self._client.last_json_response is None or not isinstance(rows, list):
                what = f"{pair}: the answer is no JSON"
                raise AnswerUnreadable(what)
            return rows

        found: list[object] = await self._again(ask)
        return found

    async def close(self) -> None:
        """Give back the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _again(self, ask: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - ccxt carries no types
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS_MAX),
            wait=self._pause_s,
            retry=retry_if_exception(self._may_end),
            sleep=self._sleep,
            reraise=True,
        )

        async def attempt() -> Any:  # noqa: ANN401 - as above
            self._client.last_response_headers = None
            return await self._requests.once(ask)

        try:
            return await retrying(attempt)
        except VenueError as error:
            what = f"{self._exchange}: {error}"
            wait_s = self._asked_pause_s()
            if wait_s > ASKED_PAUSE_S_MAX:
                what = f"{self._exchange} wants to be left alone for {wait_s:.0f} s: {error}"
            raise DownloadStopped(what) from error

    def _may_end(self, error: BaseException) -> bool:
        if not isinstance(error, VenueError) or isinstance(error, VenueRefused):
            return False
        return self._asked_pause_s() <= ASKED_PAUSE_S_MAX

    def _pause_s(self, state: RetryCallState) -> float:
        own_s: float = min(PAUSE_S_MAX, PAUSE_S_MIN * 2 ** (state.attempt_number - 1))
        return max(own_s, self._asked_pause_s())

    def _asked_pause_s(self) -> float:
        """Return how long the last answer asks to wait, seconds; 0 where it does not say."""
        headers = self._client.last_response_headers or {}
        said = next((headers[name] for name in headers if name.lower() == "retry-after"), "")
        return float(said) if said.isascii() and said.isdigit() else 0.0


def _options(exchange: str, url: str) -> dict[str, Any]:
    known = known_exchanges()
    if exchange not in known:
        near = get_close_matches(exchange, known, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "ccxt's names are in its manual"
        what = f"no exchange is called {exchange[:40]!r}"
        raise ConfigError(what, hint)
    if not url:
        return {"options": _SPOT, "aiohttp_trust_env": True}
    if exchange != DEFAULT_EXCHANGE:
        what = f"--url is for servers that speak as {DEFAULT_EXCHANGE} does, not {exchange}"
        raise ConfigError(what, "leave --exchange out")
    return binance_options(_address(url)) | {"aiohttp_trust_env": not _is_here(url)}


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
        is_address = is_address and parts.port != 0 and not parts.query
    except ValueError:
        is_address = False
    if not is_address:
        what = f"--url {url[:80]!r} is no address"
        raise ConfigError(what, "write it as http://127.0.0.1:8640")
    return url.rstrip("/")


def _is_here(url: str) -> bool:
    """Tell whether an address is this host's, which is reached without a proxy."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


_SPOT: Final = {
    "fetchCurrencies": False,
    "fetchMargins": False,
    "fetchMarkets": {"types": ["spot"]},
}
