"""`download`: the candles of an exchange, as the local exchange replays and a backtest reads them.

Owns the command: what is asked for, in which words, and what is said of what is missing.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from foresight.cli.moments import now_ns
from foresight.cli.output import emit_json, emit_text, json_option, progress
from foresight.download.candle_lines import EPOCH, MINUTE_MS, text_of
from foresight.download.fetching import MINUTES_MAX, Fetched, fetch
from foresight.download.recording import Recording, Source, alone_in
from foresight.errors import ConfigError
from handoff.exit_codes import ExitCode
from handoff.plurals import counted

if TYPE_CHECKING:
    from foresight.download.candle_lines import Gap
    from foresight.venues.candle_pages import CandlePages

GAPS_SHOWN_MAX: Final = 20  # of an asset; --json has them all
_ASSET: Final = re.compile(r"[A-Z0-9]{1,8}")
_MINUTE_NS: Final = 60_000_000_000
_DATES: Final = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%MZ"))


class Wanted(NamedTuple):
    """What is to be fetched.

    Attributes:
        exchange: ccxt's name of it.
        url: Its address, or an empty string for the exchange's own.
        assets: Upper-case names.
        first_minute: Minutes since 1970 UTC.
        end_minute: The first minute after it, or None for all that are over.
    """

    exchange: str
    url: str
    assets: tuple[str, ...]
    first_minute: int
    end_minute: int | None


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option("--assets", required=True, help="Which, such as BTC,ETH; each against USDT.")
@click.option("--from", "since", required=True, type=_DATES, help="The first minute, UTC.")
@click.option("--to", "until", type=_DATES, help="The first minute after it, UTC.  [default: now]")
@click.option("--exchange", default="binance", show_default=True, help="As ccxt calls it.")
@click.option("--url", default="", help="Of a server that speaks as binance does.")
@json_option
def download(
    folder: Path,
    *,
    assets: str,
    since: datetime,
    until: datetime | None,
    exchange: str,
    url: str,
    as_json: bool,
) -> int:
    """Fetch 1-minute candles into DIR, as `backtest` reads and `exchange --replay` plays them.

    The same command again goes on where one was stopped, or on to a later end.
    """
    wanted = Wanted(
        exchange, url, _names(assets), _minute(since), None if until is None else _minute(until)
    )
    found = asyncio.run(_fetched(folder, wanted))
    for asset, fetched in found.items():
        _show(folder, asset, fetched, as_json=as_json)
    if not as_json:
        emit_text(_summary(found))
    empty = [asset for asset, fetched in found.items() if not fetched.candles]
    if empty:
        what = f"{exchange} has no candle of {', '.join(empty)} in that time"
        raise ConfigError(what, "ask for a time in which they were traded there")
    return ExitCode.DONE


async def _fetched(folder: Path, wanted: Wanted) -> dict[str, Fetched]:
    from foresight.venues.candle_pages import CandlePages

    pages = CandlePages(wanted.exchange, url=wanted.url)
    now_minute = now_ns() // _MINUTE_NS
    _require_range(wanted, wanted.end_minute or now_minute)
    with alone_in(folder):
        try:
            await pages.open([_pair(asset) for asset in wanted.assets])
            end_minute = await _end_minute(pages, wanted, now_minute)
            return {
                asset: await fetch(
                    pages,
                    Recording(folder, asset),
                    Source(
                        exchange=wanted.exchange,
                        url=wanted.url,
                        pair=_pair(asset),
                        first_minute=wanted.first_minute,
                        end_minute=end_minute,
                    ),
                    progress,
                )
                for asset in wanted.assets
            }
        finally:
            await pages.close()


async def _end_minute(pages: CandlePages, wanted: Wanted, now_minute: int) -> int:
    """Return where the range ends: a minute that is not over has no candle to keep."""
    said_ms = await pages.time_ms()
    over = now_minute if said_ms is None else said_ms // MINUTE_MS
    if wanted.end_minute is not None and wanted.end_minute > over:
        what = f"--to {text_of(wanted.end_minute)} lies ahead of {wanted.exchange}'s clock"
        raise ConfigError(what, f"it is {text_of(over)} there: leave --to out for all until then")
    end_minute = over if wanted.end_minute is None else wanted.end_minute
    _require_range(wanted, end_minute)
    return end_minute


def _require_range(wanted: Wanted, end_minute: int) -> None:
    first, minutes = wanted.first_minute, end_minute - wanted.first_minute
    if minutes <= 0:
        what = f"--from {text_of(first)} is not before {text_of(end_minute)}"
        raise ConfigError(what, "write dates as 2025-06-01 or 2025-06-01T12:00, in UTC")
    if minutes > MINUTES_MAX:
        what = f"--from {text_of(first)} is more than {MINUTES_MAX // 1440} days before the end"
        raise ConfigError(what, "fetch less at a time, each into a folder of its own")


def _names(assets: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(each.strip().upper() for each in assets.split(",")))
    bad = next((name for name in names if not _ASSET.fullmatch(name)), None)
    if bad is not None:
        what = f"--assets: {bad[:40]!r} is no asset"
        raise ConfigError(what, "name them as BTC,ETH")
    return names


def _pair(asset: str) -> str:
    return f"{asset}/USDT"


def _minute(moment: datetime) -> int:
    return int((moment.replace(tzinfo=UTC) - EPOCH) // timedelta(minutes=1))


def _show(folder: Path, asset: str, fetched: Fetched, *, as_json: bool) -> None:
    if as_json:
        emit_json(_object(folder, asset, fetched))
        return
    for gap in fetched.gaps[:GAPS_SHOWN_MAX]:
        emit_text(f"{asset}: no candle in {_words(gap)}")
    if len(fetched.gaps) > GAPS_SHOWN_MAX:
        emit_text(f"{asset}: and {len(fetched.gaps) - GAPS_SHOWN_MAX} gaps more, see --json")
    if fetched.bad:
        progress(f"{asset}: {fetched.bad} rows of the exchange were no candles")


def _object(folder: Path, asset: str, fetched: Fetched) -> dict[str, Any]:
    return {
        "asset": asset,
        "file": str(Recording(folder, asset).whole) if fetched.candles else None,
        "candles": fetched.candles,
        "gaps": [
            {
                "from": text_of(gap.first_minute),
                "to": text_of(gap.end_minute),
                "minutes": gap.minutes,
            }
            for gap in fetched.gaps
        ],
        "bad": fetched.bad,
    }


def _gap(gap: Gap) -> dict[str, Any]:
    first, end = text_of(gap.first_minute), text_of(gap.end_minute)
    return {"from": first, "to": end, "minutes": gap.minutes}


def _words(gap: Gap) -> str:
    length = counted(gap.minutes, "minute")
    return f"{text_of(gap.first_minute)} to {text_of(gap.end_minute)} ({length})"


def _summary(found: dict[str, Fetched]) -> str:
    candles = sum(each.candles for each in found.values())
    gaps = [gap for each in found.values() for gap in each.gaps]
    minutes = counted(sum(gap.minutes for gap in gaps), "minute")
    missing = f"{counted(len(gaps), 'gap')} of {minutes}"
    have = f"{counted(len(found), 'asset')}, {counted(candles, 'candle')}"
    return f"{have}, {missing if gaps else 'no gaps'}"
