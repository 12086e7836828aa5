"""A trial put together: a configuration, a recording, and the prices of its market.

Owns which part is judged and which one prices it, the board (the assets that were recorded), the
strategies with their tables, and the refusal of tables that have seen what is judged.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from foresight.backtest.calibration import Span
from foresight.backtest.market import RecordedCandles, RecordedMarket, RecordedTape
from foresight.backtest.pricing import dates, fitted_table, refuse_overlap
from foresight.backtest.trading import Trial
from foresight.board import NS, slots_of
from foresight.config import CONFIG_FILE, config_hash
from foresight.decision import Policy
from foresight.errors import ConfigError
from foresight.exchange.market.rules import Rule
from foresight.own_strategies import load_own
from foresight.strategies.calibrated import Calibrated
from foresight.strategies.registry import build, own_names, table_names
from foresight.table_files import read_files
from handoff.cadence import every
from state.record import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from foresight.config import Config
    from foresight.exchange.market.calibration import Table
    from foresight.exchange.prices.replay import Recording
    from foresight.strategies.base import Strategy

DAY_MINUTES: Final = 1440
DELAY_S: Final = 1.0  # from a decision to the book: commit, signature and the way there
WINDOW_NS: Final = 300 * NS  # the shortest one
LONGEST_NS: Final = 900 * NS


class Terms(NamedTuple):
    """What a trial is held by, whatever is tried.

    Attributes:
        rule: What settles windows.
        delay_s: How long after a decision its orders meet the book.
        table: What prices shares; None fits one on the part before what is judged.
        judge_from: First minute that is judged; None for the middle of the recording, at midnight
            where it has days, or for the end of a table's own minutes.
        judge_until: First minute after it; None for the end of the recording.
    """

    rule: Rule = Rule.AVERAGE
    delay_s: float = DELAY_S
    table: Table | None = None
    judge_from: int | None = None
    judge_until: int | None = None


class Ground(NamedTuple):
    """A recording with its market: what several trials share."""

    recordings: Sequence[Recording]
    tape: RecordedTape
    judged: Span
    table: Table
    terms: Terms


def whole_span(recordings: Sequence[Recording]) -> Span:
    """Return the minutes that recordings cover."""
    first = min(each.minutes[0] for each in recordings)
    return Span(first, max(each.minutes[-1] for each in recordings) + 1)


def middle_of(whole: Span) -> int:
    """Return the middle of a recording, at midnight where it has days."""
    middle = (whole.first + whole.end) // 2
    midnight = middle // DAY_MINUTES * DAY_MINUTES
    return midnight if midnight > whole.first + DAY_MINUTES else middle


def prepare_ground(recordings: Sequence[Recording], terms: Terms, *, period_s: float) -> Ground:
    """Return the market of a recording.

    Args:
        recordings: At least one.
        terms: What is judged, and by which rule.
        period_s: From one decision to the next: prices are fitted for these moments.

    Raises:
        ConfigError: Nothing is judged, nothing is left to fit on, or a table has seen it.
    """
    judged = judged_span(whole_span(recordings), terms)
    tape = RecordedTape(recordings)
    table = terms.table
    if table is None:
        before = Span(whole_span(recordings).first, judged.first)
        offsets = _offsets_ns(every(period_s).period_ns, round(terms.delay_s * NS))
        fitted_on = f"recorded minutes, {dates(before)} UTC"
        table = fitted_table(
            tape, terms.rule, within=before, offsets_ns=offsets, fitted_on=fitted_on
        )
    refuse_overlap("the table of prices", Span(table.first_minute, table.end_minute), judged)
    return Ground(recordings, tape, judged, table, terms)


def judged_span(whole: Span, terms: Terms) -> Span:
    """Return the minutes that are judged.

    Raises:
        ConfigError: There are none, or they are not in the recording.
    """
    table = terms.table
    begin = middle_of(whole) if table is None else max(whole.first, _end_in(table, whole))
    first = begin if terms.judge_from is None else terms.judge_from
    end = whole.end if terms.judge_until is None else terms.judge_until
    if first >= end or first < whole.first or end > whole.end:
        what = f"{dates(Span(first, end))} is not a part of the recording, {dates(whole)}"
        raise ConfigError(what, "name days of it with --judge-from and --judge-until")
    return Span(first, end)


def trial_of(
    config: Config, tree: Path, ground: Ground, *, name: str, where: str = CONFIG_FILE
) -> Trial:
    """Return a configuration's trader on a market.

    Args:
        config: The configuration.
        tree: Where its own strategies and its tables are.
        ground: The market.
        name: What to call it: the release that its trades carry.
        where: What to call the configuration in an error.

    Raises:
        ConfigError: A strategy or a table cannot be used, or a table has seen what is judged.
    """
    strategies, files = strategies_for(config, tree, ground.table.source, where)
    for timeframe, strategy in strategies.items():
        for table in strategy.tables if isinstance(strategy, Calibrated) else ():
            what = f"the strategy's table for {timeframe} by {table.rule}"
            refuse_overlap(what, Span(table.first_minute, table.end_minute), ground.judged)
    policy = Policy(
        app=config.engine.app,
        config=config_hash(config, files),
        venue="backtest",
        timeline=Timeline(),
        slots=slots_of([each.asset for each in ground.recordings], config.board.timeframes),
        strategies=strategies,
        risk=config.risk,
    )
    return Trial(
        name=name,
        policy=policy,
        period_ns=every(config.engine.period_s).period_ns,
        feed=RecordedCandles(ground.recordings),
        market=RecordedMarket(
            ground.tape,
            rule=ground.terms.rule,
            table=ground.table,
            until_minute=ground.judged.end,
        ),
        judged=ground.judged,
        delay_ns=round(ground.terms.delay_s * NS),
        rule=ground.terms.rule.value,
        table=ground.table.fitted_on,
    )


def strategies_for(
    config: Config, tree: Path, prices: str, where: str = CONFIG_FILE
) -> tuple[dict[str, Strategy], dict[str, bytes]]:
    """Return the strategies by timeframe and slot, and the tables that they were made from.

    Args:
        config: The configuration.
        tree: Where its own strategies and its tables are.
        prices: Whose they are, `recorded` or `synthetic`.
        where: What to call the configuration in an error.

    Raises:
        ConfigError: A strategy or a table cannot be used.
    """
    own = load_own(own_names(config), where)
    files = read_files(table_names(config, own, prices), tree)
    return build(config, own, files, prices, where), files


def _end_in(table: Table, whole: Span) -> int:
    fitted = Span(table.first_minute, table.end_minute)
    return table.end_minute if fitted.meets(whole) else whole.first


def _offsets_ns(period_ns: int, delay_ns: int) -> list[int]:
    step_ns = math.gcd(period_ns, WINDOW_NS)
    decided = range(0, LONGEST_NS, max(step_ns, NS))
    return [offset + later for offset in decided for later in (0, delay_ns)]
