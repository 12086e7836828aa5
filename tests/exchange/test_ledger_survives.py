"""Nothing that was acknowledged is lost, whatever kills the exchange."""

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import ccxt
import ccxt.prediction
import pytest

from foresight.exchange.__main__ import EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, main
from foresight.exchange.errors import LedgerDamagedError, TimelineMismatchError
from foresight.exchange.ledger.file import Identity, open_ledger
from foresight.exchange.ledger.prediction_entries import AccountOpened
from foresight.exchange.market.rules import Rule
from foresight.venues.local import polymarket_options
from tests.exchange.served import Opener, pinned

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def process(
    folder: Path, *more: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Any]]:
    """Run the real program; yields it and its first line."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "foresight.exchange", "--dir", str(folder), "--seed", "3", *more),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    try:
        yield program, json.loads(await program.stdout.readline())
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()
        await program.stdout.read()


@pytest.mark.asyncio
async def test_a_killed_exchange_remembers_every_acknowledged_order(tmp_path: Path) -> None:
    async with process(tmp_path, "--hold-ms", "0") as (program, hello):
        board = ccxt.prediction.polymarket(polymarket_options(hello["address"]))
        start_s = hello["market_ms"] // 1000 // 900 * 900 + 900
        slug = f"eth-updown-15m-{start_s}"
        outcome = f"ETH_UPDOWN_15M_{start_s}:UP"
        await board.fetch_event(slug)
        placed = await board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
        paid = (await board.fetch_balance())["USDC"]["total"]
        program.kill()
        await program.wait()
        await board.close()
    async with process(tmp_path, "--hold-ms", "0") as (program, again):
        assert again["origin_ms"] == hello["origin_ms"]
        board = ccxt.prediction.polymarket(polymarket_options(again["address"]))
        try:
            await board.fetch_event(slug)
            assert (await board.fetch_order(placed["id"]))["filled"] == float(
                placed["info"]["takingAmount"]
            )
            assert (await board.fetch_balance())["USDC"]["total"] == paid < 10_000
            with pytest.raises(ccxt.ExchangeNotAvailable, match="Duplicated"):
                await board.create_order(outcome, "limit", "buy", 10, 0.99, pinned())
        finally:
            await board.close()
        program.terminate()
        assert await program.wait() == EXIT_DONE


@pytest.mark.asyncio
async def test_the_market_goes_on_as_if_nothing_had_happened(opener: Opener) -> None:
    async with opener(speed=60, seed=5) as running:
        before = await running.spot.fetch_ohlcv("ZEC/USDT", "1m", limit=500)
        await running.spot.create_order("BTC/USDT", "limit", "buy", 0.1, 50_000)
        await running.spot.create_order("BTC/USDT", "market", "buy", 0.01)
        money = await running.spot.fetch_balance()
    async with opener(speed=60, seed=5) as running:
        assert await running.spot.fetch_ohlcv("ZEC/USDT", "1m", limit=500) == before
        assert (await running.spot.fetch_balance())["total"] == money["total"]
        assert len(await running.spot.fetch_open_orders("BTC/USDT")) == 1


@pytest.mark.asyncio
async def test_an_unfinished_last_line_is_cut_off_and_a_damaged_one_refused(
    opener: Opener,
) -> None:
    async with opener() as running:
        await running.spot.create_order("BTC/USDT", "market", "buy", 0.01)
    path = opener.folder / "ledger.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"spot_req')
    async with opener() as running:
        assert (await running.control("ledger"))["spot"]["executed"] == 1
    assert path.read_bytes() == whole
    path.write_bytes(whole.replace(b'"spot_funded"', b'"spot_nonsense"'))
    with pytest.raises(LedgerDamagedError, match="line 2"):
        async with opener():
            pass
    path.write_bytes(b"{}\n")
    with pytest.raises(LedgerDamagedError, match="line 1"):
        async with opener():
            pass


@contextmanager
def room_for(path: Path, more: int) -> Iterator[None]:
    """Let a file grow by so many bytes, as on a disk that is nearly full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_the_disk_refuses_leaves_nothing_in_the_ledger(tmp_path: Path) -> None:
    """Half a line became the beginning of the next one, and the exchange never started again."""
    file = open_ledger(tmp_path)
    file.begin(Identity(seed=1, origin_ns=0, speed=1, assets=("BTC",), source="synthetic"))
    entries = [AccountOpened("0xowner", 1, wall_ns) for wall_ns in range(3)]
    file.append(entries[:1])
    path = tmp_path / "ledger.jsonl"
    before = path.read_bytes()
    line = len(before.splitlines()[-1]) + 1
    for more in (line // 2, line + line // 2):
        with room_for(path, more), pytest.raises(OSError, match="large"):
            file.append(entries[1:])
        assert path.read_bytes() == before
    file.append(entries[2:])
    assert list(file.entries()) == [entries[0], entries[2]]
    file.close()


@pytest.mark.asyncio
async def test_a_ledger_of_the_first_format_goes_on_by_the_last_price(opener: Opener) -> None:
    """A home of 0.2.0 has no rule in its first line: what it meant then is what it means now."""
    async with opener(seed=5):
        pass
    path = opener.folder / "ledger.jsonl"
    first, _, rest = path.read_bytes().partition(b"\n")
    fields = json.loads(first)
    assert (fields.pop("rule"), fields.pop("hold_ms"), fields["format"]) == ("average", 0, 4)
    path.write_bytes(json.dumps(fields | {"format": 1}).encode() + b"\n" + rest)
    async with opener(seed=5) as running:
        assert running.venue.market.rule is Rule.LAST
    with pytest.raises(TimelineMismatchError, match="rule"):
        async with opener(seed=5, rule=Rule.AVERAGE):
            pass
    path.write_bytes(json.dumps(fields | {"format": 5}).encode() + b"\n" + rest)
    with pytest.raises(TimelineMismatchError, match="format"):
        async with opener(seed=5):
            pass


@pytest.mark.asyncio
async def test_a_new_ledger_holds_orders_and_an_older_one_goes_on_without(opener: Opener) -> None:
    """An order that 0.2.0 was answered at once must not wait because the exchange is newer."""
    async with opener(seed=5, hold_ms=None) as running:
        assert (await running.control("health"))["hold_ms"] == 250
    path = opener.folder / "ledger.jsonl"
    first, _, rest = path.read_bytes().partition(b"\n")
    fields = {name: value for name, value in json.loads(first).items() if name != "hold_ms"}
    path.write_bytes(json.dumps(fields | {"format": 2}).encode() + b"\n" + rest)
    async with opener(seed=5, hold_ms=None) as running:
        assert (await running.control("health"))["hold_ms"] == 0
    with pytest.raises(TimelineMismatchError, match="hold_ms"):
        async with opener(seed=5, hold_ms=250):
            pass


def test_a_directory_keeps_its_timeline_and_one_exchange(
    opener: Opener, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from foresight.exchange.venue import Settings, open_venue  # noqa: PLC0415

    folder = tmp_path / "kept"
    venue = open_venue(Settings(folder=folder, speed=60), opener.clock)
    try:
        assert main(["--dir", str(folder), "--speed", "60"]) == EXIT_REFUSED
        assert "another exchange is running" in capsys.readouterr().err
    finally:
        venue.close()
    assert main(["--dir", str(folder), "--speed", "30"]) == EXIT_REFUSED
    assert "created with speed=60, not speed=30" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--speed", "0"],
        ["--assets", ""],
        ["--assets", "BTC,BTC"],
        ["--assets", "WAYTOOLONGNAME"],
        ["--hold-ms", "-1"],
        ["--redeem-s", "-1"],
        ["--fault", "nonsense"],
        ["--fault", "nonsense=1"],
        ["--fault", "ban=1@moon"],
    ],
)
def test_an_option_that_cannot_be_is_a_usage_error(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--dir", str(tmp_path), *arguments]) == EXIT_USAGE
    assert capsys.readouterr().err.startswith("error: ")
