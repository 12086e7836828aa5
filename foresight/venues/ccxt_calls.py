"""How ccxt is called: late, bounded, and with its exceptions translated.

Owns the import of ccxt (0.4 s and 100 MiB once compiled, so only when a client is opened), the
number of requests under way, the bounded retry of requests that only read, and what each of its
exceptions means to us. What is asked for is the adapters' matter.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from foresight.errors import (
    AnswerUnreadable,
    VenueError,
    VenueRefused,
    VenueThrottled,
    VenueUnreachable,
)
from foresight.venues.request_budget import Budget
from handoff.clean_text import HIDDEN, without_passwords

AnswerT = TypeVar("AnswerT")

READ_ATTEMPTS_MAX: Final = 2  # the next cycle asks again anyway
READ_PAUSE_S: Final = 0.02
OPEN_TIMEOUT_S: Final = 20.0  # lists of pairs and credentials, while a worker warms up
DETAIL_MAX: Final = 300  # characters of a venue's own words that are kept


def spot_client(options: dict[str, Any]) -> Any:  # noqa: ANN401 - ccxt carries no types
    """Return a Binance spot client."""
    import ccxt.async_support as ccxt  # noqa: PLC0415 - 0.4 s and 100 MiB: only when opened

    return ccxt.binance(options)


def watching_client(options: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
    """Return a Binance spot client that can listen too."""
    import ccxt.pro as ccxt  # noqa: PLC0415 - as above

    client = ccxt.binance(options)
    client.options["OHLCVLimit"] = 2  # it keeps a thousand of each pair, which nobody reads
    if client.aiohttp_trust_env:
        client.wssProxy = _proxy_of(client.urls["api"]["ws"]["spot"])
    return client


def _proxy_of(address: str) -> str | None:
    # The network's variables speak of https, and aiohttp looks for one that is called wss.
    is_direct = proxy_bypass(urlsplit(address).hostname or "")
    return None if is_direct else getproxies().get("https")


def board_client(options: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
    """Return a Polymarket client."""
    import ccxt.prediction as ccxt  # noqa: PLC0415 - as above

    return ccxt.polymarket(options)


def candle_client(exchange: str, options: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
    """Return a client of the exchange that ccxt calls so."""
    import ccxt.async_support as ccxt  # noqa: PLC0415 - as above

    return getattr(ccxt, exchange)(options)


def known_exchanges() -> list[str]:
    """Return what ccxt calls the exchanges that it knows."""
    import ccxt.async_support as ccxt  # noqa: PLC0415 - as above

    return list(ccxt.exchanges)


class Requests:
    """The requests of one client: so many at a time, none for ever, read again at most once.

    Attributes:
        budget: What the venue may still be asked.
        timeout_s: Longest wait for an answer, a second attempt included, seconds.
    """

    def __init__(self, at_once: int, *, timeout_s: float, budget: Budget | None = None) -> None:
        """Keep the bounds.

        Args:
            at_once: Requests under way at one time.
            timeout_s: Longest wait for an answer, a second attempt included.
            budget: Of this client alone; a new one by default.
        """
        self.budget = budget or Budget(time.monotonic_ns)
        self._gate = asyncio.Semaphore(at_once)
        self.timeout_s = timeout_s
        self._hidden: tuple[str, ...] = ()

    def hide(self, *secrets: str | None) -> None:
        """Keep values out of every error from now on: a venue's own words may hold them."""
        bare = {each.removeprefix("0x") for each in secrets if each}
        self._hidden = tuple({*self._hidden, *bare})

    def listen(self, client: Any) -> None:  # noqa: ANN401 - ccxt carries no types
        """Let every answer that a client gets from now on count in the budget."""
        told = client.on_rest_response  # made to be replaced, and called before errors are raised

        def heard(status: int, reason: str, url: str, method: str, headers: Any, *rest: Any) -> Any:  # noqa: ANN401 - as above
            self.budget.heard(status, headers)
            return told(status, reason, url, method, headers, *rest)

        client.on_rest_response = heard

    def cleaned(self, text: str) -> str:
        """Return a venue's words without what is hidden, and without logins in addresses."""
        for secret in self._hidden:
            text = re.sub(re.escape(secret), HIDDEN, text, flags=re.IGNORECASE)
        return without_passwords(text)

    async def read(
        self, ask: Callable[[], Awaitable[AnswerT]], *, timeout_s: float | None = None
    ) -> AnswerT:
        """Return the answer to a request that changes nothing.

        Args:
            ask: Makes the request; called again if the venue cannot be reached.
            timeout_s: Another longest wait than usual.

        Raises:
            VenueError: There is no usable answer.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(READ_ATTEMPTS_MAX),
            wait=wait_fixed(READ_PAUSE_S),
            retry=retry_if_exception_type(VenueUnreachable),
            reraise=True,
        )

        async def attempt() -> AnswerT:
            self.budget.require()
            with translated(self.cleaned):
                return await ask()

        return await self._bounded(lambda: retrying(attempt), timeout_s or self.timeout_s)

    async def once(self, ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        """Return the answer to a request that is made once.

        Raises:
            VenueError: There is no usable answer.
        """

        async def attempt() -> AnswerT:
            self.budget.require()
            with translated(self.cleaned):
                return await ask()

        return await self._bounded(attempt, self.timeout_s)

    async def _bounded(self, ask: Callable[[], Awaitable[AnswerT]], timeout_s: float) -> AnswerT:
        try:
            async with asyncio.timeout(timeout_s), self._gate:
                return await ask()
        except TimeoutError as error:
            what = f"no answer within {timeout_s:g} s"
            raise VenueUnreachable(what) from error


@contextmanager
def translated(cleaned: Callable[[str], str]) -> Iterator[None]:
    """Turn what ccxt raises into this package's errors, which nothing of ccxt's hangs on.

    Args:
        cleaned: Takes out of a venue's words what nobody may read.

    Raises:
        VenueError: Which one says what it means for the request.
    """
    from ccxt.base import errors as ccxt  # noqa: PLC0415 - as above

    try:
        yield
    except VenueError:
        raise
    except ccxt.DDoSProtection as error:  # RateLimitExceeded is one
        raise VenueThrottled(_words(error, cleaned)) from None
    except ccxt.NetworkError as error:
        raise VenueUnreachable(_words(error, cleaned)) from None
    except ccxt.BadResponse as error:
        raise AnswerUnreadable(_words(error, cleaned)) from None
    except ccxt.ExchangeError as error:
        raise VenueRefused(_words(error, cleaned)) from None
    except (ccxt.BaseError, ArithmeticError, AttributeError, LookupError, OSError) as error:
        raise AnswerUnreadable(_words(error, cleaned)) from None
    except (TypeError, ValueError) as error:
        # ccxt hands on a body that is no JSON as text, and then takes it apart.
        raise AnswerUnreadable(_words(error, cleaned)) from None


def _words(error: Exception, cleaned: Callable[[str], str]) -> str:
    # Cleaned before it is cut: half a secret would not be recognised.
    return cleaned(f"{type(error).__name__}: {error}")[:DETAIL_MAX]


def mapping_of(answer: object, what: str) -> dict[str, Any]:
    """Return an answer that has to be a JSON object.

    Raises:
        AnswerUnreadable: It is something else.
    """
    if isinstance(answer, dict):
        return answer
    raise AnswerUnreadable(f"{what}: {str(answer)[:80]!r} is no object")  # noqa: EM102, TRY003 - one place


def list_of(answer: object, what: str) -> list[Any]:
    """Return an answer that has to be a JSON array.

    Raises:
        AnswerUnreadable: It is something else.
    """
    if isinstance(answer, list):
        return answer
    raise AnswerUnreadable(f"{what}: {str(answer)[:80]!r} is no list")  # noqa: EM102, TRY003 - one place
