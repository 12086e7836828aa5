"""Recorded candles happen again, now, on the same boundaries, and end with a clear word."""

import asyncio
import gzip
import os
from pathlib import Path

import ccxt
import pytest

from foresight.evidence import exchange_books
from foresight.evidence.exchange_books import Exchange
from foresight.exchange.errors import RecordingError
from foresight.exchange.market.table_files import load_table
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_SECOND
from foresight.exchange.prices.recordings import load_recordings
from foresight.exchange.prices.replay import ReplayPrices, parse_recording
from foresight.exchange.prices.tape import Tape
from tests.exchange.served import Opener

HEADER = "open_time_ms,open,high,low,close,volume"
MARKET = Path(os.environ.get("CANDLES_RECORDED", Path(__file__).parents[3] / "shared" / "market"))
FIRST = 29_000_000 - 29_000_000 % 15


def rows(count: int, *, without: int = -1, first: int = FIRST) -> list[str]:
    """Return candles that rise by one a minute."""
    return [
        f"{(first + index) * 60_000},{100 + index},{102 + index},{99 + index},{101 + index},5"
        for index in range(count)
        if index != without
    ]


def write(folder: Path, name: str, lines: list[str]) -> None:
    text = "\n".join([HEADER, *lines]) + "\n"
    if name.endswith(".gz"):
        (folder / name).write_bytes(gzip.compress(text.encode()))
    else:
        (folder / name).write_text(text)


def test_history_lies_before_the_origin_and_windows_stay_aligned(tmp_path: Path) -> None:
    write(tmp_path, "BTCUSDT-1m.csv.gz", rows(120, without=50))
    write(tmp_path, "ADA.csv", rows(60))
    (tmp_path / "README.md").write_text("not a recording")
    origin = 40_000_007
    prices = ReplayPrices(load_recordings(tmp_path), origin_minute=origin, lead_minutes=60)
    assert prices.assets == ("ADA", "BTC")
    assert prices.first_minute == origin - origin % 15 - 60
    assert prices.first_minute % 15 == FIRST % 15
    assert prices.end_minute == prices.first_minute + 120
    first = prices.candle("BTC", prices.first_minute)
    assert first == (prices.first_minute, 100, 102, 99, 101, 5)
    assert prices.candle("BTC", prices.first_minute + 50) is None  # the gap is still one
    assert prices.candle("BTC", prices.first_minute + 51) is not None
    assert prices.candle("BTC", prices.first_minute - 1) is None
    assert prices.candle("ADA", prices.first_minute + 60) is None
    assert prices.tick("BTC") == 1


def test_a_last_price_reaches_over_a_gap(tmp_path: Path) -> None:
    write(tmp_path, "BTC.csv", rows(60, without=30))
    prices = ReplayPrices(load_recordings(tmp_path), origin_minute=40_000_000, lead_minutes=30)
    tape = Tape(prices, seed=1)
    gap_ns = (prices.first_minute + 30) * NS_PER_MINUTE
    assert tape.price_at("BTC", gap_ns + 30 * NS_PER_SECOND) == 130
    assert tape.partial("BTC", gap_ns + 1) is None
    assert tape.price_at("BTC", prices.first_minute * NS_PER_MINUTE) is None
    assert not tape.has_ended(gap_ns)
    assert tape.has_ended((prices.first_minute + 60) * NS_PER_MINUTE)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["wrong,header"], "header"),
        ([HEADER], "holds no candle"),
        ([HEADER, "60001,1,1,1,1,1"], "line 2"),
        ([HEADER, "60000,1,0.5,1,1,1"], "line 2"),
        ([HEADER, "60000,1,1,1,1"], "line 2"),
        ([HEADER, "60000,1,1,1,1,1", "60000,1,1,1,1,1"], "line 3"),
        ([HEADER, "60000,one,1,1,1,1"], "line 2"),
    ],
)
def test_a_damaged_recording_is_refused_with_its_place(lines: list[str], reason: str) -> None:
    with pytest.raises(RecordingError, match=reason):
        parse_recording("BTC", "file", lines)


def test_a_folder_without_or_with_doubled_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no <ASSET>"):
        load_recordings(tmp_path)
    write(tmp_path, "BTC.csv", rows(1))
    write(tmp_path, "BTCUSDT-1m.csv.gz", rows(1))
    with pytest.raises(RecordingError, match="second file"):
        load_recordings(tmp_path)
    (tmp_path / "BTC.csv").unlink()
    (tmp_path / "BTCUSDT-1m.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(RecordingError):
        load_recordings(tmp_path)


@pytest.mark.asyncio
async def test_when_the_recording_is_over_every_page_says_so(
    opener: Opener, tmp_path: Path
) -> None:
    folder = tmp_path / "market"
    folder.mkdir()
    write(folder, "BTC.csv", rows(90))
    async with opener(replay=folder, lead_minutes=60) as running:
        assert list(await running.spot.load_markets()) == ["BTC/USDT"]
        window = running.window()
        assert (await running.board.fetch_event(window.slug))["active"] is True
        end_minute = running.venue.tape.source.end_minute
        assert end_minute is not None
        running.clock.now_ns = end_minute * NS_PER_MINUTE + 1
        assert (await running.control("health"))["status"] == "ended"
        markets = await running.spot.load_markets(True)  # noqa: FBT003 - the client's signature
        assert markets["BTC/USDT"]["active"] is False
        with pytest.raises(ccxt.OperationFailed, match="are over"):
            await running.spot.fetch_ticker("BTC/USDT")
        with pytest.raises(ccxt.ExchangeNotAvailable, match="not found"):
            await running.board.fetch_event(running.window().slug)
        assert await running.board.fetch_events({"tags": ["up-or-down"]}) == []


@pytest.mark.asyncio
@pytest.mark.skipif(not MARKET.is_dir(), reason="recorded candles absent")
async def test_real_minutes_are_traded_and_settled_as_recorded(opener: Opener) -> None:
    """What the exchange settles is what the recording says, minute by minute."""
    async with opener(replay=MARKET, speed=60) as running:
        assert "BTC" in running.venue.identity.assets
        candles = await running.spot.fetch_ohlcv("BTC/USDT", "1m", limit=300)
        assert len(candles) == 300
        source, market = running.venue.tape.source, running.venue.market
        now_ns = source.first_minute * NS_PER_MINUTE + 3600 * NS_PER_SECOND
        for window in market.running(now_ns, ahead=0):
            first, last = window.start_s // 60 - 1, window.end_s // 60 - 1
            reference, final = source.candle(window.asset, first), source.candle(window.asset, last)
            assert reference is not None
            assert final is not None
            result = market.result(window, window.end_ns)
            assert result is not None
            assert result.value == ("Up" if final.close >= reference.close else "Down")
            event = await running.board.fetch_event(window.slug)
            assert event["resolved"] is True


@pytest.mark.parametrize(
    ("begins", "is_fitted"),
    [(-180, False), (-120, False), (-119, True), (-60, True), (-15, True), (0, False)],
)
def test_minutes_from_the_origin_on_are_played_and_those_before_only_looked_at(
    tmp_path: Path,
    begins: int,
    is_fitted: bool,  # noqa: FBT001 - a table
) -> None:
    """Two hours, one of them history, against an hour that a table was fitted on."""
    write(tmp_path, "BTC.csv", rows(120, first=FIRST + begins))
    prices = ReplayPrices(load_recordings(tmp_path), origin_minute=40_000_007, lead_minutes=60)
    assert prices.plays(FIRST, FIRST + 60) is is_fitted


@pytest.mark.asyncio
@pytest.mark.parametrize("late", [0, 20 * 1440])
async def test_a_replay_of_what_its_prices_were_fitted_on_says_so(
    opener: Opener, tmp_path: Path, late: int
) -> None:
    """A market that knows its own minutes is fairer there than it is: nothing is proven by it."""
    table = load_table("recorded")
    first = table.first_minute - table.first_minute % 15 + late
    write(tmp_path, "BTC.csv", rows(900, first=first))
    async with opener(replay=tmp_path) as running:
        said = await running.control("health")
        assert (said["replays_fitted"], said["fitted_on"]) == (late == 0, table.fitted_on)
        # The demonstration asks from a thread of its own; here the server shares ours.
        caution = await asyncio.to_thread(exchange_books.caution, Exchange(running.url))
    assert (table.fitted_on in caution) is (late == 0)
    assert bool(caution) is (late == 0)


@pytest.mark.asyncio
async def test_a_synthetic_market_replays_nothing(opener: Opener) -> None:
    async with opener() as running:
        said = await running.control("health")
    assert (said["replays_fitted"], said["fitted_on"][:5]) == (False, "seeds")
