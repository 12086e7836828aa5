"""Tables of probabilities: which one speaks for a window, what is refused, what a release reads."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from foresight.board import Method
from foresight.config import Config, config_hash, load, parse
from foresight.errors import ConfigError
from foresight.overrides import REPLAYED
from foresight.strategies import Opinion, Silence, Strategy, WindowView, build
from foresight.strategies.calibrated import Calibrated
from foresight.strategies.late_entry import LateEntry
from foresight.strategies.registry import parameters_unknown, prices_of, table_names
from foresight.strategies.table import MINUTES_OF, Table, parse_table
from foresight.table_files import SIZE_MAX, check_strategies, read_files, strategies_of
from tests.trading_values import RULES

ROOT = Path(__file__).resolve().parents[2]
TEXT = """
[strategy.5m]
name = "late_entry"
minute = 2
tables = ["a.json", "b.json"]
"""


def table(**changes: Any) -> Table:  # noqa: ANN401 - fields by their names
    values: dict[str, Any] = {
        "source": "synthetic",
        "timeframe": "5m",
        "rule": "last",
        "fitted_on": "seed 1",
        "first_minute": 0,
        "end_minute": 0,
        "minutes": {3: ((1.0, 0.6), (2.0, 0.8)), 4: ((0.0, 0.9),)},
    }
    return Table(**(values | changes))


LAST = table()
AVERAGE = table(rule="average", minutes={3: ((0.0, 0.7),)})


def as_file(one: Table) -> bytes:
    return msgspec.json.encode(one)


FILES = {"a.json": as_file(LAST), "b.json": as_file(AVERAGE)}


def view(*, elapsed: int, method: Method | None = Method.LAST_PRICE) -> WindowView:
    """Return a window that is far from its price to beat, 1.5 sigmas at minute 3."""
    return WindowView(
        minutes=5,
        elapsed=elapsed,
        reference=100.0,
        price=100.0 * 2.718281828459045 ** (0.0015 * 2.0**0.5),
        sigma=0.001,
        closes=(100.0,),
        rules=None if method is None else msgspec.structs.replace(RULES, method=method),
    )


def chance(strategy: Strategy, seen: WindowView) -> int:
    opinion = strategy.judge(seen)
    assert isinstance(opinion, Opinion), opinion
    return opinion.probability_ppm


def refusal(text: str, files: dict[str, bytes], prices: str = "") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        build(parse(text, {}, where="here"), None, files, prices)
    return caught.value


def test_each_minute_and_each_rule_have_their_own_curve() -> None:
    """One curve for all minutes and rules was wrong for most of them, and dear where it was."""
    strategy = LateEntry(minute=2, tables=(LAST, AVERAGE))
    assert chance(strategy, view(elapsed=3)) == pytest.approx(700_000, abs=10)
    assert chance(strategy, view(elapsed=4)) == 900_000
    assert chance(strategy, view(elapsed=3, method=Method.AVERAGE_60S)) == 700_000
    assert chance(strategy, view(elapsed=3, method=None)) == pytest.approx(700_000, abs=10)


def test_a_minute_or_a_rule_without_a_table_is_silent() -> None:
    """A probability of another minute would be believed, and stakes are sized by it."""
    strategy = LateEntry(minute=2, tables=(LAST, AVERAGE))
    assert strategy.judge(view(elapsed=2)) == Silence("no table for minute 2 settled by last")
    average = view(elapsed=4, method=Method.AVERAGE_60S)
    assert strategy.judge(average) == Silence("no table for minute 4 settled by average")
    only = LateEntry(tables=(AVERAGE,))
    assert only.judge(view(elapsed=3)) == Silence("no table for minute 3 settled by last")


def test_a_configuration_of_the_previous_release_decides_as_it_did() -> None:
    """Who named no table, or a curve of his own, is not to be silenced by an update."""
    without = build(parse("[strategy.5m]\nname = 'late_entry'", {}, where="here"))["5m"]
    assert without == LateEntry()
    assert chance(without, view(elapsed=3)) == 927_000
    text = "[strategy.5m]\nname = 'late_entry'\ncalibration = [[0.0, 0.5], [3.0, 0.8]]"
    assert chance(build(parse(text, {}, where="here"))["5m"], view(elapsed=3)) == 650_000
    assert config_hash(Config()) == config_hash(Config(), {})


def test_tables_are_read_by_the_names_that_the_configuration_gives() -> None:
    config = parse(TEXT, {}, where="here")
    assert table_names(config) == ("a.json", "b.json")
    made = build(config, None, FILES)["5m"]
    assert made == LateEntry(minute=2, tables=(LAST, AVERAGE))


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (table(timeframe="15m"), "[strategy.5m]: a.json is a table for windows of 15m"),
        (AVERAGE, "two of them are for windows settled by average"),
        (table(minutes={5: ((0.0, 0.5),)}), "a window of 5m has no minute 5"),
        (table(minutes={0: ((0.0, 0.5),)}), "a window of 5m has no minute 0"),
        (table(minutes={3: ((1.0, 0.5), (1.0, 0.6))}), "the curve of minute 3 does not rise"),
        (table(minutes={3: ((1.0, 0.6), (2.0, 0.5))}), "the curve of minute 3 does not rise"),
        (table(minutes={3: ((1.0, 1.0),)}), "a.json is no table of probabilities"),
        (table(minutes={3: ()}), "a.json is no table of probabilities"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(one: Table, what: str) -> None:
    assert what in refusal(TEXT, FILES | {"a.json": as_file(one)}).what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("tables = 'a.json'", "tables is no list of names"),
        ("replay_tables = [1]", "replay_tables is no list of names"),
        ("tables = ['a.json']\ncalibration = [[0.0, 0.6]]", "calibration is not read"),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(text: str, what: str) -> None:
    error = refusal(f"[strategy.5m]\nname = 'late_entry'\n{text}", FILES)
    assert what in error.what


@pytest.mark.parametrize("kind", ["paper", "live"])
def test_real_markets_refuse_a_table_of_generated_prices(kind: str) -> None:
    """It knows of a market that does not exist: believed there, it loses real money."""
    prices = prices_of(kind, replayed=False)
    assert "a.json was fitted on synthetic prices" in refusal(TEXT, FILES, prices).what
    recorded = {name: data.replace(b'"synthetic"', b'"recorded"') for name, data in FILES.items()}
    live = "wallet = '0x1'\nlive = true" if kind == "live" else ""
    config = parse(f"{TEXT}[venue]\nkind = '{kind}'\n{live}", {}, where="here")
    made = build(config, None, recorded, prices)["5m"]
    assert isinstance(made, LateEntry)
    assert [each.source for each in made.tables] == ["recorded", "recorded"]
    assert prices_of("local", replayed=False) == ""


def test_a_replay_takes_the_tables_that_are_named_for_it(tmp_path: Path) -> None:
    """Recorded prices are not what the synthetic table was fitted on, so it is refused there."""
    (tmp_path / "a.json").write_bytes(FILES["a.json"])
    (tmp_path / "r.json").write_bytes(as_file(table(source="recorded")))
    named = TEXT.replace(', "b.json"', "")
    config = parse(f"{named}replay_tables = ['r.json']", {}, where="here")
    for told, source in (({}, "synthetic"), ({REPLAYED: "1"}, "recorded")):
        made = strategies_of(config, {}, tmp_path, told)[0]["5m"]
        assert isinstance(made, LateEntry)
        assert [each.source for each in made.tables] == [source]
    without = parse(named, {}, where="here")
    with pytest.raises(ConfigError, match="fitted on synthetic prices, here they are recorded"):
        strategies_of(without, {}, tmp_path, {REPLAYED: "1"})
    with pytest.raises(ConfigError, match="fitted on synthetic prices, here they are recorded"):
        check_strategies(without, tmp_path, replayed=True)
    check_strategies(config, tmp_path, replayed=True)


def test_what_a_table_holds_is_part_of_the_configurations_hash() -> None:
    """Owner and replay gate must not take two tables for one configuration."""
    config = parse(TEXT, {}, where="here")
    changed = FILES | {"b.json": FILES["b.json"] + b"\n"}
    assert len({config_hash(config), config_hash(config, FILES), config_hash(config, changed)}) == 3


def test_a_table_is_read_from_the_release_and_from_nowhere_else(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "beside.json").write_bytes(FILES["a.json"])
    (tree / "link.json").symlink_to(tmp_path / "beside.json")
    (tree / "large.json").write_bytes(b" " * (SIZE_MAX + 1))
    for name, what in (
        ("../beside.json", "is not in the project"),
        (str(tmp_path / "beside.json"), "is not in the project"),
        ("link.json", "is not in the project"),
        ("missing.json", "cannot be read: No such file"),
        ("large.json", "is larger than"),
    ):
        with pytest.raises(ConfigError, match=what):
            read_files((name,), tree)


def test_strategies_of_a_project_may_read_tables_too() -> None:
    class Own(Calibrated, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """One of a project."""

    text = TEXT.replace("late_entry", "own:Own").replace("minute = 2", "")
    config = parse(text, {}, where="here")
    own: dict[str, type[Strategy]] = {"own:Own": Own}
    assert table_names(config) == ()  # of a stranger nothing is known
    assert table_names(config, own) == ("a.json", "b.json")
    made = build(config, own, FILES)["5m"]
    assert isinstance(made, Own)
    assert made.chance(view(elapsed=4), 1.0) == 0.9
    told = ("strategy.5m.replay_tables", "strategy.5m.table")
    assert parameters_unknown(config, told, own) == ("strategy.5m.table",)


def test_the_tables_that_come_along_know_every_minute_and_say_what_they_are_from() -> None:
    config = load(str(ROOT / "foresight.toml"), {})
    for prices in ("", "recorded"):
        names = table_names(config, None, prices)
        tables = [parse_table(data, where=name) for name, data in read_files(names, ROOT).items()]
        shapes = {(each.timeframe, each.rule) for each in tables}
        assert len(shapes) == len(tables) == 4
        for each in tables:
            assert each.source == (prices or "synthetic")
            assert list(each.minutes) == list(range(1, MINUTES_OF[each.timeframe]))
            said = "recorded minutes" if prices else "seeds 101, 102"
            assert each.fitted_on.startswith(said)
            assert bool(each.end_minute) is bool(prices)
