"""Strategies by name, made from the configuration, and asked without harm.

Owns the list of names, the refusal of unknown names and parameters, and the one place where
a fault of a strategy becomes that slot's refusal. How a strategy thinks is its own module's
matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from foresight.board import MICRO
from foresight.config import (
    CONFIG_FILE,
    TIMEFRAMES,
    Config,
    is_strategy_key,
    nearest,
    timeframe_of,
)
from foresight.errors import ConfigError
from foresight.overrides import STRATEGY
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView
from foresight.strategies.calibrated import Calibrated
from foresight.strategies.fade import Fade
from foresight.strategies.late_entry import LateEntry
from foresight.strategies.stand_aside import StandAside
from foresight.strategies.table import MINUTES_OF, Table, parse_table

STRATEGIES: Final[Mapping[str, type[Strategy]]] = {
    kind.name: kind for kind in (LateEntry, Fade, StandAside)
}
FAULTY: Final = "strategy faulty"
_MINUTES: Final = ("minute", "minute_last")
TABLES: Final = "tables"
REPLAY_TABLES: Final = "replay_tables"  # read in their place where recorded candles are played
_OTHER_TABLE: Final = (
    "name a table fitted on such prices (`foresight calibrate`); where candles are played, in "
    "replay_tables"
)


def build(
    config: Config,
    own: Mapping[str, type[Strategy]] | None = None,
    files: Mapping[str, bytes] | None = None,
    prices: str = "",
    where: str = CONFIG_FILE,
) -> dict[str, Strategy]:
    """Return the strategy of each timeframe, and of each slot that has a section of its own.

    A timeframe without a section stands aside.

    Args:
        config: The configuration.
        own: Strategies of the project itself, by `module:class`.
        files: What the table files hold that `table_names` found, by their names.
        prices: What a market's prices are known to be, `synthetic` or `recorded`; else empty.
        where: What to call the configuration in an error.

    Raises:
        ConfigError: A name or a parameter is unknown or out of range, or a table is not for
            these windows or prices.
    """
    known = {**STRATEGIES, **(own or {})}
    return {
        key: _made(config, key, known, files or {}, prices=prices, where=where)
        for key in _keys(config)
    }


def table_names(
    config: Config, own: Mapping[str, type[Strategy]] | None = None, prices: str = ""
) -> tuple[str, ...]:
    """Return the table files that strategies name, as they are named, each once.

    Args:
        config: The configuration.
        own: Strategies of the project itself, by `module:class`.
        prices: As for `build`.

    Raises:
        ConfigError: Something else than names is there.
    """
    known = {**STRATEGIES, **(own or {})}
    return tuple(
        dict.fromkeys(
            name for key in _keys(config) for name in _names(config, key, known, prices=prices)
        )
    )


def refuse_misfits(
    config: Config, files: Mapping[str, bytes], prices: str, where: str = CONFIG_FILE
) -> None:
    """Refuse strategies, parameters and tables of ours that no worker would take.

    Of a project's own strategies only the minutes are judged: their code is a release's to run.

    Args:
        config: The configuration.
        files: What the table files hold that `table_names` found, by their names.
        prices: As for `build`.
        where: As for `build`.

    Raises:
        ConfigError: A name or a parameter is unknown or out of range, or a file is no table, or
            one for other windows or prices.
    """
    for key in _keys(config):
        section = _section(config, key)
        if ":" in str(section.get("name", "")):
            _refuse_minutes(timeframe_of(key), section, place=f"{where}: [strategy.{key}]")
        else:
            _made(config, key, STRATEGIES, files, prices=prices, where=where)


def prices_of(kind: str, *, replayed: bool) -> str:
    """Return what the prices of a market are: `recorded`, or empty where nobody knows.

    Args:
        kind: Of the venue.
        replayed: Our exchange plays recorded candles.
    """
    return "recorded" if replayed or kind != "local" else ""


def parameters_unknown(
    config: Config, told: Iterable[str], own: Mapping[str, type[Strategy]]
) -> tuple[str, ...]:
    """Return the keys of parameters that overrides name and no strategy of theirs has.

    Args:
        config: The configuration with the overrides.
        told: The keys of the overrides, as `strategy.5m.minute`.
        own: Strategies of the project itself, by `module:class`.
    """
    known = {**STRATEGIES, **own}
    found = []
    for key in told:
        section, _, place = key.partition(".")
        strategy, _, parameter = place.partition(".")
        if section != STRATEGY or not is_strategy_key(strategy) or parameter == "name":
            continue
        kind = known.get(config.strategy.get(strategy, {}).get("name", StandAside.name))
        if kind is not None and parameter not in _parameters_of(kind):
            found.append(key)
    return tuple(found)


def own_names(config: Config) -> dict[str, str]:
    """Return the strategies that the project brings along, as `module:class`, with a place of each.

    Args:
        config: The configuration.
    """
    names = {str(table.get("name", "")): key for key, table in config.strategy.items()}
    return {name: f"[strategy.{names[name]}] name" for name in sorted(names) if ":" in name}


def judge(strategy: Strategy, view: WindowView) -> Opinion | Silence:
    """Ask a strategy; whatever it does wrong is silence with a reason."""
    try:
        opinion = strategy.judge(view)
    except Exception as error:  # noqa: BLE001 - a strategy is its author's code: its fault is its slot's
        return Silence(f"{FAULTY}: {type(error).__name__}: {error}"[:200])
    match opinion:
        case Silence():
            return opinion
        case Opinion():
            inside = 0 < opinion.probability_ppm < MICRO and 0 < opinion.price_max_micro < MICRO
            return opinion if inside else Silence(f"{FAULTY}: probability or price out of range")
        case _:  # what its type forbids and a running strategy can do all the same
            return Silence(f"{FAULTY}: it answered {type(opinion).__name__}")


def _parameters_of(kind: type[Strategy]) -> tuple[str, ...]:
    more = (REPLAY_TABLES,) if issubclass(kind, Calibrated) else ()
    return (*kind.__struct_fields__, *more)


def _keys(config: Config) -> tuple[str, ...]:
    """Return what has a strategy: each timeframe, then the slots with a section of their own."""
    return tuple(dict.fromkeys((*TIMEFRAMES, *config.strategy)))


def _section(config: Config, key: str) -> Mapping[str, Any]:
    return config.strategy.get(key, {"name": StandAside.name})


def _made(
    config: Config,
    key: str,
    known: Mapping[str, type[Strategy]],
    files: Mapping[str, bytes],
    *,
    prices: str,
    where: str,
) -> Strategy:
    place = f"{where}: [strategy.{key}]"
    names = _names(config, key, known, prices=prices, where=where)
    tables = _tables(names, timeframe_of(key), files, prices=prices, place=place)
    return _built(timeframe_of(key), _section(config, key), known, tables, place=place)


def _names(
    config: Config,
    key: str,
    known: Mapping[str, type[Strategy]],
    *,
    prices: str,
    where: str = CONFIG_FILE,
) -> list[str]:
    section = config.strategy.get(key, {})
    kind = known.get(str(section.get("name", "")))
    if kind is None or not issubclass(kind, Calibrated):
        return []
    for member in (TABLES, REPLAY_TABLES):
        names = section.get(member, [])
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            what = f"{where}: [strategy.{key}]: {member} is no list of names"
            example = f"tables/recorded-{timeframe_of(key)}-last.json"
            raise ConfigError(what, f'write {member} = ["{example}"]')
    is_replay = prices == "recorded" and config.venue.kind == "local"
    names = (is_replay and section.get(REPLAY_TABLES)) or section.get(TABLES, [])
    return [str(name) for name in names]


def _tables(
    names: Iterable[str], timeframe: str, files: Mapping[str, bytes], *, prices: str, place: str
) -> list[Table]:
    found = []
    for name in names:
        table = parse_table(files[name], where=name)
        if table.timeframe != timeframe:
            what = f"{place}: {name} is a table for windows of {table.timeframe}"
            raise ConfigError(what)
        if prices and table.source != prices:
            what = f"{place}: {name} was fitted on {table.source} prices, here they are {prices}"
            raise ConfigError(what, _OTHER_TABLE)
        found.append(table)
    return found


def _built(
    timeframe: str,
    section: Mapping[str, Any],
    known: Mapping[str, type[Strategy]],
    tables: Sequence[Table],
    *,
    place: str,
) -> Strategy:
    name = section.get("name", "")
    if name not in known:
        what = f"{place} name: unknown strategy {name!r}"
        raise ConfigError(what, nearest(str(name), known))
    kind = known[name]
    parameters = {key: value for key, value in section.items() if key != "name"}
    for key in parameters:
        if key not in _parameters_of(kind):
            what = f"{place}: {name} has no parameter {key}"
            raise ConfigError(what, nearest(key, _parameters_of(kind)))
    _refuse_minutes(timeframe, parameters, place=place)
    if issubclass(kind, Calibrated):
        parameters.pop(REPLAY_TABLES, None)
        parameters[TABLES] = list(tables)
    try:
        return msgspec.convert(parameters, type=kind)
    except msgspec.ValidationError as error:
        what = f"{place}: {error}"
        raise ConfigError(what) from error


def _refuse_minutes(timeframe: str, section: Mapping[str, Any], *, place: str) -> None:
    """Refuse a minute that no window of this length has, whoever's strategy asks for it."""
    minutes = MINUTES_OF[timeframe]
    for key in _MINUTES:
        value = section.get(key)
        if isinstance(value, int) and value >= minutes:
            what = f"{place}: {key} = {value}, and a window of {timeframe} has {minutes} minutes"
            raise ConfigError(what, f"0 to {minutes - 1} are whole minutes since its start")
