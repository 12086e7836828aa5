"""What is made of a stream's words: which candles are finished, and which have to be asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from foresight.closes import CLOSES_KEPT
from foresight.feeds.received import Received
from foresight.feeds.streamed import StreamedCandles
from foresight.market import Candles, Detail
from foresight.venues.candle_stream import CandleStream
from foresight.venues.ccxt_calls import Requests
from handoff.virtual_time import run_virtual

if TYPE_CHECKING:
    from tenacity import RetryCallState

DOWN = "VenueUnreachable: no answer"
NS = 1_000_000_000


def event(minute: int, **changes: object) -> dict[str, Any]:
    """Return the last event of a minute's candle; changes are of the candle, `E` of the event."""
    now_ms = changes.pop("E", (minute + 1) * 60_000)
    told = {"t": minute * 60_000, "o": "2", "h": "4", "l": "1", "c": "3", "v": "9", "x": True}
    return {"E": now_ms, "k": told | changes}


def received(now_ns: int = 0) -> Received:
    return Received(("BTC",), lambda: now_ns)


@pytest.mark.parametrize(
    "unfinished",
    [
        event(5, x=False),
        event(5, x="true"),
        event(5, x=1),
        event(5, E=6 * 60_000 - 1),
    ],
)
def test_a_candle_is_finished_when_it_is_said_so_after_its_minute(
    unfinished: dict[str, Any],
) -> None:
    """By the exchange's word and by its clock: either alone may be wrong."""
    heard = received()
    assert heard.hear("BTC", unfinished)
    assert heard.finished("BTC", 0, 9) == {}
    assert heard.hear("BTC", event(5))
    assert list(heard.finished("BTC", 0, 9)) == [5]


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"E": 360_000, "k": "BTCUSDT"},
        event(5, E=None),
        event(5, c="NaN"),
        event(5, t=300_001),
        event(5, v=None),
        event(5, l="0"),
        event(5, h="2.5"),
    ],
)
def test_what_is_no_candle_is_no_sign_of_life(bad: dict[str, Any]) -> None:
    """A stream of nonsense is as silent as one that says nothing."""
    heard = received()
    assert not heard.hear("BTC", bad)
    assert heard.trouble("BTC") == "nothing has come yet"
    assert heard.finished("BTC", 0, 9) == {}


def test_no_more_candles_are_kept_than_a_body_keeps() -> None:
    """The newest of them: a worker that nobody asks listens for as long as it lives."""
    heard = received()
    for minute in range(CLOSES_KEPT + 5):
        heard.hear("BTC", event(minute))
    assert list(heard.finished("BTC", 0, CLOSES_KEPT + 5)) == list(range(5, CLOSES_KEPT + 5))


def test_a_minute_is_waited_for_while_it_may_still_be_told() -> None:
    """Not where the connection broke, nor where a later minute has begun; and never for long."""

    async def waited(*said: str) -> float:
        heard, loop = received(), asyncio.get_running_loop()
        heard.hear("BTC", event(4))
        begun_s = loop.time()
        wait = asyncio.create_task(heard.until(("BTC",), 5, wait_s=2.0))
        await asyncio.sleep(0.5)  # noqa: TID251 - of a virtual loop
        for word in said:
            heard.hear("BTC", event(6 if word == "later" else 5, x=word == "end"))
            if word == "lost":
                heard.lose("cut off")
        await wait
        return loop.time() - begun_s

    async def all_of_them() -> list[float]:
        words = [(), ("running",), ("running", "end"), ("later",), ("lost",)]
        return [await waited(*each) for each in words]

    assert run_virtual(all_of_them()) == pytest.approx([2.0, 2.0, 0.5, 0.5, 0.5])


class Client:
    """What ccxt says of a connection that an exchange refused."""

    def __init__(self, wait_ms: int) -> None:
        self.ws_dial_backoff = {"wss://somewhere": {"attempts": 1, "until": 1000 + wait_ms}}

    def milliseconds(self) -> int:
        return 1000


@pytest.mark.parametrize(
    ("attempts", "wait_ms", "pause_s"),
    [(1, 0, 0.25), (2, 0, 0.5), (4, 0, 2.0), (500, 0, 30.0), (1, 90_000, 90.0), (500, 90, 30.0)],
)
def test_each_connection_is_waited_for_longer_and_as_long_as_the_exchange_says(
    attempts: int, wait_ms: int, pause_s: float
) -> None:
    """What ccxt would wait itself is taken from it: nothing could end that wait."""
    client = Client(wait_ms)
    stream = CandleStream(
        {},
        requests=Requests(1, timeout_s=2.0),
        silent_s=30.0,
        heard=lambda *_: True,
        lost=lambda *_: None,
    )
    stream._client, stream._attempts = client, attempts  # noqa: SLF001 - after so many of them
    assert stream._pause_s(cast("RetryCallState", None)) == pytest.approx(pause_s)  # noqa: SLF001 - as above
    assert client.ws_dial_backoff == {}


class Pages:
    """Answers what is asked for in the place of an exchange, or nothing."""

    def __init__(self, failure: str = "") -> None:
        self.failure = failure
        self.asked: list[tuple[int, int]] = []

    async def one(self, asset: str, newest: int, end_minute: int) -> Candles:
        assert asset == "BTC"
        self.asked.append((newest + 1, end_minute))
        minutes = () if self.failure else tuple(range(newest + 1, end_minute))
        rest = Detail(open=1.0, high=1.0, low=1.0, volume=0.0)
        return Candles(
            minutes=minutes,
            prices=(1.0,) * len(minutes),
            details=(rest,) * len(minutes),
            failure=self.failure,
        )


def fetched(
    told: tuple[int, ...], newest: int, pages: Pages, *, now_s: int = 0, end: int = 10
) -> tuple[Candles, list[tuple[int, int]]]:
    """Return what a feed that was told some minutes says, and what it asked for."""
    now_ns = [0]
    feed = StreamedCandles(
        {},
        assets=("BTC",),
        quote="USDT",
        requests=Requests(1, timeout_s=2.0),
        stale_s=30.0,
        monotonic_ns=lambda: now_ns[0],
    )
    feed._asked = pages  # type: ignore[assignment] # noqa: SLF001 - it asks, whoever answers
    for minute in told:
        feed._received.hear("BTC", event(minute))  # noqa: SLF001 - what a connection would tell
    now_ns[0] = now_s * NS
    found = run_virtual(feed.fetch({"BTC": newest}, end_minute=end))
    return found["BTC"], pages.asked


@pytest.mark.parametrize(
    ("told", "newest", "asked", "prices"),
    [
        ((7, 8, 9), 6, [], [3, 3, 3]),
        ((6, 7, 8, 9), 9, [], []),
        ((7, 9), 6, [(8, 9)], [3, 1, 3]),
        ((8,), 5, [(6, 10)], [1, 1, 3, 1]),
        ((), 8, [(9, 10)], [1]),
        ((9, 10, 11), 8, [], [3]),
    ],
)
def test_what_was_not_told_is_asked_for_and_nothing_else(
    told: tuple[int, ...], newest: int, asked: list[tuple[int, int]], prices: list[float]
) -> None:
    """One question for each asset at most, and none of a minute that is not over."""
    candles, questions = fetched(told, newest, Pages())
    assert questions == asked
    assert list(candles.prices) == prices
    assert list(candles.minutes) == list(range(newest + 1, 10))
    assert (candles.failure, candles.stream) == ("", "")


def test_what_lies_behind_a_hole_waits_until_the_hole_is_filled() -> None:
    """A body takes newer minutes only: one that was passed over would be missing for an hour."""
    candles, _ = fetched((7, 9), 6, Pages(DOWN))
    assert candles.minutes == (7,)
    assert candles.failure == DOWN


def test_a_body_that_knows_nothing_asks_for_no_more_than_it_keeps() -> None:
    _, questions = fetched((), -1, Pages(), end=500)
    assert questions == [(500 - CLOSES_KEPT, 500)]


@pytest.mark.parametrize(("now_s", "said"), [(30, ""), (31, "BTC: its stream is silent for 31 s")])
def test_a_stream_is_stale_beyond_its_bound(now_s: int, said: str) -> None:
    """Said beside the candles, which are none the worse for it."""
    candles, _ = fetched((8,), 8, Pages(), now_s=now_s)
    assert candles.stream == said
    assert candles.minutes == (9,)
    assert candles.failure == ""
