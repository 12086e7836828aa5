"""Whether a strategy depends on later candles: what is altered, what is asked, what is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from typing_extensions import override

from foresight.backtest.altered import altered_lines
from foresight.backtest.prepared import Terms, prepare_ground, trial_of
from foresight.backtest.views import Found, Verdict, compare, cuts_of, verdicts_of
from foresight.board import Side
from foresight.config import parse
from foresight.exchange.market.table_files import load_table
from foresight.exchange.prices.recordings import load_recordings
from foresight.exchange.prices.replay import parse_recording
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView
from tests.recordings import FIRST_MINUTE, write_recording

if TYPE_CHECKING:
    from pathlib import Path

    from foresight.backtest.trading import Trial

HOURS = 4
SETTINGS = '[strategy.5m]\nname = "late_entry"\nminute_last = 4\nminute = 1\n'


class Told(Strategy, frozen=True, kw_only=True):
    """Takes the side that it was told, by the newest close."""

    name: ClassVar[str] = "told"
    sides: dict[float, Side]

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        side = self.sides.get(view.price)
        return Silence("told nothing") if side is None else self.opinion(side, 0.9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("recorded"), minutes=60 * HOURS)


@pytest.fixture
def trial(folder: Path) -> Trial:
    terms = Terms(table=load_table("synthetic"), judge_from=FIRST_MINUTE + 60)
    ground = prepare_ground(load_recordings(folder), terms, period_s=60.0)
    return trial_of(parse(SETTINGS, {}, where="it"), folder, ground, name="r1")


@pytest.mark.parametrize("is_up", [True, False])
def test_a_copy_is_the_same_up_to_a_minute_and_another_world_after_it(
    folder: Path, *, is_up: bool
) -> None:
    """What is the same after the cut, a strategy could look at without being caught."""
    lines = (folder / "BTCUSDT-1m.csv").read_text().splitlines(keepends=True)
    cut = FIRST_MINUTE + 100
    copied = list(altered_lines(lines, cut, is_up=is_up))
    before, after = parse_recording("BTC", "it", lines), parse_recording("BTC", "it", copied)
    assert before.minutes == after.minutes
    at = before.minutes.index(cut)
    assert copied[: at + 1] == lines[: at + 1]
    earlier, later = before.values[5 * at :], after.values[5 * at :]
    assert all(one != other for one, other in zip(earlier, later, strict=True))
    reference = before.values[5 * at - 2]
    closes = later[3::5]
    assert min(closes) > reference if is_up else max(closes) < reference
    falls = [close < opening for opening, close in zip(later[::5], closes, strict=True)]
    rose = [close > opening for opening, close in zip(earlier[::5], earlier[3::5], strict=True)]
    assert falls == rose


def test_moments_are_late_ones_of_windows_and_have_the_views_of_all_slots(trial: Trial) -> None:
    cuts = cuts_of(trial)
    assert [cut.minute % 15 for cut in cuts] == [4, 11, 3, 10, 2, 9]
    assert all(trial.judged.first < cut.minute < trial.judged.end for cut in cuts)
    assert len({cut.minute // 15 for cut in cuts}) == len(cuts)
    late = cuts[0].views["5m"]
    assert {view.elapsed for view in late} == {4}
    assert len({view.price for view in late}) == 2  # both assets
    assert sum(len(cut.views["15m"]) for cut in cuts) >= 2 * len(cuts)


def test_what_is_judged_for_minutes_has_no_moment(trial: Trial) -> None:
    first = trial.judged.first
    assert cuts_of(trial._replace(judged=trial.judged._replace(end=first + 29))) == []


def test_verdicts_of_views_are_those_of_the_trader(trial: Trial) -> None:
    """What a wrapped strategy is asked in a cycle is what the bare one answers alike."""
    cuts = cuts_of(trial)
    decided = [verdicts_of(trial.policy.strategies, cut.views) for cut in cuts]
    again = [verdicts_of(trial.policy.strategies, cut.views) for cut in cuts]
    found = compare(
        {"5m": "late_entry"}, decided, again, [each for each in again for _ in range(2)]
    )
    assert (found[0].unsteady, found[0].otherwise, found[0].sees_future) == (0, 0, False)
    assert 0 < found[0].opinions < found[0].views


def test_who_decides_otherwise_is_named_and_how_often(trial: Trial) -> None:
    views = cuts_of(trial)[0].views
    prices = sorted({view.price for view in views["5m"]})

    def asked(*sides: Side) -> dict[str, list[Verdict | None]]:
        told = Told(sides=dict(zip(prices, sides, strict=False)))
        return verdicts_of({"5m": told, "15m": told}, views)

    one, other, silent = asked(Side.UP, Side.UP), asked(Side.UP, Side.DOWN), asked()
    names = {"5m": "told"}

    def found(*verdicts: dict[str, list[Verdict | None]]) -> Found:
        decided, same, altered = verdicts
        # One copy that nothing is seen on is not enough.
        return compare(names, [decided], [same], [decided, altered])[0]

    assert found(one, one, other).sees_future
    assert found(one, one, silent).otherwise == found(one, one, silent).opinions > 0
    assert found(one, other, other).unsteady > 0
    assert not found(one, other, other).sees_future  # it is not the candles that it follows
    assert found(silent, silent, silent).opinions == 0
