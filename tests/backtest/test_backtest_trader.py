"""The trader over a recording: the same trades every time, at later prices, within its limits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from foresight.backtest.calibration import Span
from foresight.backtest.market import RecordedTape
from foresight.backtest.prepared import Terms, prepare_ground, trial_of, whole_span
from foresight.backtest.pricing import fitted_table
from foresight.backtest.trading import run
from foresight.cli.trials import in_words
from foresight.config import Config, parse
from foresight.errors import ConfigError
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.table_files import load_table
from foresight.exchange.prices.recordings import load_recordings
from foresight.exchange.prices.replay import Recording, ReplayPrices
from foresight.exchange.prices.tape import Tape
from tests.recordings import FIRST_MINUTE, write_recording

if TYPE_CHECKING:
    from foresight.backtest.results import BacktestResult

HOURS = 5
EAGER = """
[risk]
edge_min_cents = -100
edge_max_cents = 100
stake_floor_usdc = 8.0
{more}
[strategy.5m]
name = "late_entry"
[strategy.15m]
name = "late_entry"
minute = 11
minute_last = 13
"""


def eager(more: str = "") -> Config:
    """A configuration that buys whatever it has an opinion of."""
    return parse(EAGER.format(more=more), {}, where="it")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    folder = tmp_path_factory.mktemp("recorded")
    return load_recordings(write_recording(folder, minutes=60 * HOURS))


def tried(
    recordings: list[Recording],
    tree: Path,
    config: Config | None = None,
    **changes: Any,  # noqa: ANN401 - terms by their names
) -> BacktestResult:
    """Try a configuration, at the prices of the synthetic market's own table."""
    terms = Terms(table=load_table("synthetic"), judge_from=FIRST_MINUTE + 60)
    ground = prepare_ground(recordings, terms._replace(**changes), period_s=60.0)
    return run(trial_of(config or eager(), tree, ground, name="r1"))


def test_the_same_recording_gives_the_same_trades(
    recordings: list[Recording], tmp_path: Path
) -> None:
    """Two versions are compared by it: a difference must be theirs."""
    first, second = tried(recordings, tmp_path), tried(recordings, tmp_path)
    assert first == second
    assert len(first.trades) > 30
    assert {trade.release for trade in first.trades} == {"r1"}
    assert first.undecided == 0


def test_totals_are_those_of_the_trades(recordings: list[Recording], tmp_path: Path) -> None:
    found = tried(recordings, tmp_path)
    assert found.score.trades == len(found.trades) == sum(one.score.trades for one in found.slots)
    assert found.score.profit == pytest.approx(sum(trade.profit for trade in found.trades))
    mean = sum(trade.share_profit for trade in found.trades) / len(found.trades)
    assert found.score.expectation == pytest.approx(mean, abs=1e-6)
    assert found.signals == sum(one.signals for one in found.slots)
    assert found.signals == len(found.trades) + sum(found.unbought.values())
    assert len({trade.slug for trade in found.trades}) == len(found.trades)
    assert found.cycles == 60 * (HOURS - 1)


def test_windows_end_as_the_candles_say(recordings: list[Recording], tmp_path: Path) -> None:
    """By the last close, against the close before the window; what is equal is Up."""
    found = tried(recordings, tmp_path, rule=Rule.LAST)
    closes = {
        (one.asset.lower(), minute): one.values[5 * at + 3]
        for one in recordings
        for at, minute in enumerate(one.minutes)
    }
    judged = 0
    for trade in found.trades:
        asset = trade.slot.partition("-")[0]
        ends = (asset, trade.start_s // 60 - 1), (asset, trade.end_s // 60 - 1)
        if all(end in closes for end in ends):
            reference, last = (closes[end] for end in ends)
            assert trade.result == ("up" if last >= reference else "down")
            judged += 1
    assert judged > 30


def test_an_order_meets_the_book_of_later_and_pays_no_more_than_its_limit(
    recordings: list[Recording], tmp_path: Path
) -> None:
    """Half a minute later the price has gone on: what got dearer than the limit is not bought."""
    at_once, later = tried(recordings, tmp_path), tried(recordings, tmp_path, delay_s=30.0)
    assert later.unbought["not_fillable"] > at_once.unbought.get("not_fillable", 0)
    prices = {trade.slug: trade.price for trade in at_once.trades}
    both = [(trade.price, prices[trade.slug]) for trade in later.trades if trade.slug in prices]
    assert sum(now != then for now, then in both) > 10
    assert max(now - then for now, then in both) <= 0.021  # the slippage that is allowed
    too_late = tried(recordings, tmp_path, delay_s=130.0)  # minutes 3 and 4 of 5 are over then
    assert {trade.slot for trade in too_late.trades} <= {"btc-15m", "eth-15m"}


def test_limits_hold_as_in_life(recordings: list[Recording], tmp_path: Path) -> None:
    found = tried(recordings, tmp_path, eager("stake_day_usdc = 40.0"))
    assert 0 < sum(trade.staked for trade in found.trades) <= 40.0
    assert found.unbought["limit_day"] > 0


def test_who_has_no_skill_is_told_so(recordings: list[Recording], tmp_path: Path) -> None:
    found = tried(recordings, tmp_path)
    assert found.evidence == "no evidence of an edge"
    assert in_words(found).startswith("there is no evidence of an edge: ")


def test_a_table_that_has_seen_what_is_judged_is_refused(
    recordings: list[Recording], tmp_path: Path
) -> None:
    """Prices that were fitted on the judged days know how they ended."""
    judged = FIRST_MINUTE + 60
    for first, end, is_refused in (
        (FIRST_MINUTE, judged + 1, True),
        (FIRST_MINUTE + 299, FIRST_MINUTE + 400, True),
        (FIRST_MINUTE, judged, False),
    ):
        table = msgspec.structs.replace(load_table("synthetic"), first_minute=first, end_minute=end)
        if is_refused:
            with pytest.raises(ConfigError, match="overlaps"):
                tried(recordings, tmp_path, table=table)
        else:
            assert tried(recordings, tmp_path, table=table).trades


def test_a_strategys_own_table_that_has_seen_what_is_judged_is_refused(
    recordings: list[Recording], tmp_path: Path
) -> None:
    table = {
        "source": "synthetic",
        "timeframe": "5m",
        "rule": "average",
        "fitted_on": "these days",
        "first_minute": FIRST_MINUTE,
        "end_minute": FIRST_MINUTE + 200,
        "minutes": {"4": [[0.5, 0.7]]},
    }
    (tmp_path / "t.json").write_bytes(msgspec.json.encode(table))
    text = '[strategy.5m]\nname = "late_entry"\ntables = ["t.json"]\n'
    with pytest.raises(ConfigError, match=r"the strategy's table for 5m .* overlaps"):
        tried(recordings, tmp_path, parse(text, {}, where="it"))


def test_what_moves_is_measured_as_the_exchange_does(recordings: list[Recording]) -> None:
    """To the last bit: prices of a backtest are the exchange's own."""
    first = whole_span(recordings).first
    other = Tape(ReplayPrices(recordings, origin_minute=first + 360), seed=1)
    ours = RecordedTape(recordings)
    minutes = range(first, first + 60 * HOURS, 7)
    assert [ours.sigma("BTC", each) for each in minutes] == [
        other.sigma("BTC", each) for each in minutes
    ]


def test_too_little_before_what_is_judged_prices_nothing(recordings: list[Recording]) -> None:
    """Curves of a few windows would be guesses that look like prices."""
    tape, within = RecordedTape(recordings), Span(FIRST_MINUTE, FIRST_MINUTE + 240)
    with pytest.raises(ConfigError, match="no prices can be fitted"):
        fitted_table(tape, Rule.LAST, within=within, offsets_ns=[0], fitted_on="a morning")


def test_prices_are_fitted_on_the_part_before_what_is_judged(tmp_path: Path) -> None:
    """By default, and for the moments that are asked about: the longer delay has its own."""
    assets = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "HYPE", "ZEC")
    recordings = load_recordings(write_recording(tmp_path / "r", assets=assets, minutes=15 * 60))
    late = recordings.pop()  # begins later than the others: no window before it has a result
    recordings.append(
        Recording(late.asset, late.minutes[100:], late.values[500:])  # five numbers a minute
    )
    judged = FIRST_MINUTE + 14 * 60
    terms = Terms(rule=Rule.LAST, delay_s=7.0, judge_from=judged)
    ground = prepare_ground(recordings, terms, period_s=60.0)
    table = ground.table
    assert (table.first_minute, table.end_minute) == (FIRST_MINUTE, judged)
    assert set(table.curves) == {
        f"{timeframe}/last/{number}/{kind}{tied}"
        for timeframe, last in (("5m", 32), ("15m", 82))
        for number in (11, 12, *range(16, last, 5), *range(17, last + 1, 5))
        for kind in ("moved", "waiting", "still")
        for tied in ("", "/tied")
    }
    assert any(table.pulls)
    minutes: list[int] = []
    result = run(trial_of(eager(), tmp_path, ground, name="r1"), heard=minutes.append)
    assert minutes == list(range(judged, judged + 60))
    assert result.trades
    assert result.table.startswith("recorded minutes, 2025-11-08 00:00 to 2025-11-08 14:00")


def test_what_is_not_in_the_recording_is_not_judged(
    recordings: list[Recording], tmp_path: Path
) -> None:
    for changes in (
        {"judge_from": FIRST_MINUTE - 1},
        {"judge_until": FIRST_MINUTE + 60 * HOURS + 1},
        {"judge_from": FIRST_MINUTE + 60, "judge_until": FIRST_MINUTE + 60},
    ):
        with pytest.raises(ConfigError, match="is not a part of the recording"):
            tried(recordings, tmp_path, None, **changes)


def test_no_window_is_bought_that_ends_after_what_is_judged(
    recordings: list[Recording], tmp_path: Path
) -> None:
    """What it would come to lies where nobody looks."""
    until = FIRST_MINUTE + 60 * 3 + 14  # a window of 15 minutes has a minute to go
    found = tried(recordings, tmp_path, judge_until=until)
    assert max(trade.end_s for trade in found.trades) == 60 * (until - 4)
    assert found.undecided == 0


MARKET = Path(os.environ.get("CANDLES_RECORDED", Path(__file__).parents[3] / "shared" / "market"))
THREE_DAYS = 3 * 1440


@pytest.mark.timeout(120)  # seconds of the processor: 2 to 3, on a machine with other work
@pytest.mark.skipif(not MARKET.is_dir(), reason=f"market history is absent: {MARKET}")
def test_three_recorded_days_come_to_the_same_trades(tmp_path: Path) -> None:
    """Of two assets; how long a month takes is the bench's matter."""
    for name in ("BTCUSDT-1m.csv.gz", "ETHUSDT-1m.csv.gz"):
        (tmp_path / name).symlink_to(MARKET / name)
    recordings = [_newest(each, THREE_DAYS + 120) for each in load_recordings(tmp_path)]
    end = whole_span(recordings).end
    terms = Terms(table=load_table("recorded"), judge_from=end - THREE_DAYS, rule=Rule.LAST)
    ground = prepare_ground(recordings, terms, period_s=60.0)
    found = run(trial_of(eager(), tmp_path, ground, name="r1"))
    assert (found.signals, len(found.trades), found.score.won) == (1951, 1194, 1033)
    assert round(found.score.profit, 2) == -141.46


def _newest(recording: Recording, minutes: int) -> Recording:
    return Recording(
        recording.asset, recording.minutes[-minutes:], recording.values[-5 * minutes :]
    )
