"""What is fetched from an exchange over HTTP is what it has, whatever happens on the way."""

from __future__ import annotations

import gzip
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from foresight.download.candle_lines import HEADER
from foresight.download.fetching import Fetched, fetch
from foresight.download.recording import Recording, Source, alone_in
from foresight.errors import ConfigError, DownloadStopped
from foresight.exchange.market_clock import NS_PER_MINUTE
from foresight.exchange.prices.recordings import load_recordings
from foresight.venues import candle_pages
from foresight.venues.candle_pages import CandlePages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.exchange.served import Opener, Running

MINUTES = 2400  # two full pages and a part of one
FIRST = 29_000_000 - 29_000_000 % 15
THROTTLED = {"rate_limit", "ban"}
GAP = range(1200, 1207)  # minutes after the first that were never recorded


def recorded(folder: Path) -> Path:
    """Write a recording with a gap."""
    folder.mkdir()
    rows = (
        f"{(FIRST + at) * 60_000},{100 + at},{102 + at},{99 + at},{101.25 + at},{at % 7}.5"
        for at in range(MINUTES)
        if at not in GAP
    )
    text = "\n".join([HEADER, *rows])
    (folder / "BTCUSDT-1m.csv").write_text(f"{text}\n", encoding="ascii")
    return folder


class Desk:
    """A served recording, and what is asked of it."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self.recording = Recording(folder, "BTC")
        self.paused_s: list[float] = []
        self.asked: list[int] = []
        self.first = running.venue.tape.first_minute("BTC") or 0
        self.end = running.clock.now_ns // NS_PER_MINUTE

    def wanted(self, **changes: Any) -> Source:  # noqa: ANN401 - members of many types
        source = Source(
            exchange="binance",
            url=self.running.url,
            pair="BTC/USDT",
            first_minute=self.first,
            end_minute=self.end,
        )
        return msgspec.structs.replace(source, **changes)

    async def fetched(self, wanted: Source | None = None, *, dies_after: int = 1000) -> Fetched:
        """Fetch as the command does, or die before a page as kill -9 would have it."""
        pages = CandlePages("binance", url=self.running.url, sleep=self._pause)
        try:
            await pages.open(["BTC/USDT"])
            return await fetch(
                Dying(pages, self.asked, dies_after),
                self.recording,
                wanted or self.wanted(),
                lambda _: None,
            )
        finally:
            await pages.close()

    def rows(self) -> dict[int, tuple[float, ...]]:
        """Return what the exchange itself reads of the file."""
        (read,) = load_recordings(self.recording.folder)
        numbers = [tuple(read.values[5 * at : 5 * at + 5]) for at in range(len(read.minutes))]
        return dict(zip(read.minutes, numbers, strict=True))

    def truth(self) -> dict[int, tuple[float, ...]]:
        """Return what the exchange has, from its own tape."""
        tape = self.running.venue.tape
        candles = (tape.source.candle("BTC", at) for at in range(self.first, self.end))
        return {each.minute: tuple(each[1:6]) for each in candles if each is not None}

    async def _pause(self, seconds: float) -> None:
        self.paused_s.append(seconds)


class Dying:
    """Pages until the process dies."""

    def __init__(self, pages: CandlePages, asked: list[int], dies_after: int) -> None:
        self.pages = pages
        self.asked = asked
        self.left = dies_after

    @property
    def rows(self) -> int:
        return self.pages.rows

    async def page(self, pair: str, first_minute: int) -> list[object]:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.asked.append(first_minute)
        return await self.pages.page(pair, first_minute)


@asynccontextmanager
async def desk(opener: Opener, tmp_path: Path) -> AsyncIterator[Desk]:
    """Serve a recording that has happened but for its last minutes."""
    folder = tmp_path / "candles"
    folder.mkdir()
    replay = recorded(tmp_path / "recorded")
    async with opener(replay=replay, lead_minutes=MINUTES - 30) as running:
        yield Desk(running, folder)


@pytest.mark.asyncio
async def test_what_is_fetched_is_what_the_exchange_has(opener: Opener, tmp_path: Path) -> None:
    """The unmodified client, over HTTP, into the file that the exchange itself replays."""
    async with desk(opener, tmp_path) as at:
        found = await at.fetched()
        assert at.rows() == at.truth()
        assert found.candles == len(at.truth()) > 2 * 1000
        assert [gap.minutes for gap in found.gaps] == [len(GAP)]
        assert found.gaps[0].first_minute == at.first + GAP.start
        assert sorted(path.name for path in at.recording.folder.iterdir()) == [
            "BTCUSDT-1m.csv.gz",
            "BTCUSDT-1m.source",
        ]


@pytest.mark.asyncio
async def test_a_killed_run_goes_on_where_it_stopped(opener: Opener, tmp_path: Path) -> None:
    """Not one page is asked for twice, and under the file's name is never half of it."""
    async with desk(opener, tmp_path) as at:
        with pytest.raises(KeyboardInterrupt):
            await at.fetched(dies_after=2)
        assert not at.recording.whole.exists()
        with at.recording.part.open("a") as part:
            part.write("17481699")  # it died within a line
        await at.fetched()
        assert at.rows() == at.truth()
        assert at.asked == sorted(set(at.asked))


@pytest.mark.asyncio
async def test_a_whole_recording_goes_on_to_a_later_end(opener: Opener, tmp_path: Path) -> None:
    """A month that is fetched every day is not fetched anew every day."""
    async with desk(opener, tmp_path) as at:
        await at.fetched(at.wanted(end_minute=at.first + 1100))
        assert len(at.rows()) == 1100
        at.asked.clear()
        await at.fetched()
        assert at.rows() == at.truth()
        assert min(at.asked) == at.first + 1100


@pytest.mark.asyncio
async def test_a_range_that_was_fetched_is_fetched_no_further(
    opener: Opener, tmp_path: Path
) -> None:
    """The assets before the one in which a run was killed cost nothing the second time."""
    async with desk(opener, tmp_path) as at:
        await at.fetched()
        before = at.recording.whole.read_bytes()
        at.asked.clear()
        again = await at.fetched()
        assert at.asked == []
        assert again.candles == len(at.truth())
        assert at.recording.whole.read_bytes() == before


@pytest.mark.parametrize(
    "fault", ["rate_limit", "ban", "server_error", "lost_answer", "malformed", "lost_request"]
)
@pytest.mark.asyncio
async def test_a_fault_on_the_way_costs_no_candle(
    opener: Opener, tmp_path: Path, fault: str
) -> None:
    """A body that is no JSON comes out of the client as an empty page, which was a gap."""
    async with desk(opener, tmp_path) as at:
        with pytest.raises(KeyboardInterrupt):
            await at.fetched(dies_after=1)
        pages = CandlePages("binance", url=at.running.url, sleep=at._pause)  # noqa: SLF001 - its own
        await pages.open(["BTC/USDT"])
        await at.running.control("faults", {fault: {"count": 2, "scope": "binance", "seconds": 7}})
        try:
            await fetch(pages, at.recording, at.wanted(), lambda _: None)
        finally:
            await pages.close()
        assert at.rows() == at.truth()
        # Of broken connections one is tried again by the client itself.
        assert at.paused_s in ([[7.0, 7.0]] if fault in THROTTLED else [[1.0], [1.0, 2.0]])


@pytest.mark.asyncio
async def test_an_exchange_that_stays_away_is_given_up(opener: Opener, tmp_path: Path) -> None:
    """Bounded, said, and what has come is there for the next run."""
    async with desk(opener, tmp_path) as at:
        with pytest.raises(KeyboardInterrupt):
            await at.fetched(dies_after=1)
        await at.running.control("faults", {"server_error": {"count": 100, "scope": "binance"}})
        with pytest.raises(DownloadStopped, match="Service Unavailable"):
            await at.fetched()
        assert len(at.paused_s) == candle_pages.ATTEMPTS_MAX - 1
        assert max(at.paused_s) <= candle_pages.PAUSE_S_MAX
        await at.running.control("faults", {"server_error": None})
        await at.fetched()
        assert at.rows() == at.truth()


@pytest.mark.asyncio
async def test_who_is_sent_away_for_long_leaves(opener: Opener, tmp_path: Path) -> None:
    """Asking a venue that bans is how a ban gets longer."""
    async with desk(opener, tmp_path) as at:
        await at.running.control(
            "faults", {"ban": {"count": 9, "scope": "binance", "seconds": 900}}
        )
        with pytest.raises(DownloadStopped, match="left alone for 900 s"):
            await at.fetched()
        assert at.paused_s == []


@pytest.mark.asyncio
async def test_a_range_without_a_candle_leaves_no_file(opener: Opener, tmp_path: Path) -> None:
    """A file without a candle would be refused by whoever reads the folder."""
    async with desk(opener, tmp_path) as at:
        wanted = at.wanted(first_minute=at.first + GAP.start, end_minute=at.first + GAP.stop)
        found = await at.fetched(wanted)
        assert found.candles == 0
        assert [gap.minutes for gap in found.gaps] == [len(GAP)]
        assert list(at.recording.folder.iterdir()) == []


@pytest.mark.asyncio
async def test_recordings_of_two_sources_are_not_mixed(opener: Opener, tmp_path: Path) -> None:
    """Half a month of one exchange and half of another is a recording of neither."""
    async with desk(opener, tmp_path) as at:
        await at.fetched()
        for other in (
            at.wanted(exchange="kraken"),
            at.wanted(first_minute=at.first - 1),
            at.wanted(end_minute=at.end - 1),
        ):
            with pytest.raises(ConfigError):
                at.recording.begin(other)
        assert at.rows() == at.truth()


@pytest.mark.parametrize("name", ["BTC.csv", "BTCUSDT-1m.csv.gz", "BTC_USDT_1m.csv"])
def test_files_of_others_are_left_alone(tmp_path: Path, name: str) -> None:
    """A second file of one asset makes a folder unreadable, and one in its place is lost."""
    (tmp_path / name).write_bytes(gzip.compress(b"somebody's"))
    wanted = Source(exchange="binance", url="", pair="BTC/USDT", first_minute=1, end_minute=9)
    with pytest.raises(ConfigError, match="is there already"):
        Recording(tmp_path, "BTC").begin(wanted)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_second_download_into_a_folder_is_refused(tmp_path: Path) -> None:
    """Two who add to one file would leave every other page out."""
    with (
        alone_in(tmp_path),
        pytest.raises(ConfigError, match="another download"),
        alone_in(tmp_path),
    ):
        pass
    with alone_in(tmp_path):
        assert tmp_path.is_dir()


@pytest.mark.asyncio
async def test_what_an_exchange_lacks_is_said_before_anything_is_fetched(opener: Opener) -> None:
    """A wrong name is a mistake of who wrote it, not a fault of the exchange."""
    with pytest.raises(ConfigError, match="no exchange") as unknown:
        CandlePages("binanc")
    assert "binance" in unknown.value.hint
    with pytest.raises(ConfigError, match="no address"):
        CandlePages("binance", url="localhost:1")
    with pytest.raises(ConfigError, match="not kraken"):
        CandlePages("kraken", url="http://127.0.0.1:1")
    async with opener() as running:
        pages = CandlePages("binance", url=running.url)
        try:
            with pytest.raises(ConfigError, match="no market NOPE/USDT"):
                await pages.open(["BTC/USDT", "NOPE/USDT"])
        finally:
            await pages.close()
