"""Strategies by name, made from the configuration, and asked without harm.

Owns the list of names, the refusal of unknown names and parameters, and the one place where
a fault of a strategy becomes that slot's refusal. How a strategy thinks is its own module's
matter.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from foresight.board import MICRO
from foresight.config import TIMEFRAMES, Config, nearest
from foresight.errors import ConfigError
from foresight.overrides import STRATEGY
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView
from foresight.strategies.fade import Fade
from foresight.strategies.late_entry import LateEntry
from foresight.strategies.stand_aside import StandAside

STRATEGIES: Final[Mapping[str, type[Strategy]]] = {
    kind.name: kind for kind in (LateEntry, Fade, StandAside)
}
FAULTY: Final = "strategy faulty"


def build(config: Config, own: Mapping[str, type[Strategy]] | None = None) -> dict[str, Strategy]:
    """Return the strategy of each timeframe; one without a section stands aside.

    Args:
        config: The configuration.
        own: Strategies of the project itself, by `module:class`.

    Raises:
        ConfigError: A name or a parameter is unknown or out of range.
    """
    known = {**STRATEGIES, **(own or {})}
    aside = {"name": StandAside.name}
    return {
        timeframe: _built(timeframe, config.strategy.get(timeframe, aside), known)
        for timeframe in TIMEFRAMES
    }


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
        timeframe, _, parameter = place.partition(".")
        if section != STRATEGY or timeframe not in TIMEFRAMES or parameter == "name":
            continue
        kind = known.get(config.strategy.get(timeframe, {}).get("name", StandAside.name))
        if kind is not None and parameter not in kind.__struct_fields__:
            found.append(key)
    return tuple(found)


def own_names(config: Config) -> list[str]:
    """Return the strategies that the project brings along, as `module:class`."""
    names = {str(table.get("name", "")) for table in config.strategy.values()}
    return sorted(name for name in names if ":" in name)


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


def _built(
    timeframe: str, table: Mapping[str, Any], known: Mapping[str, type[Strategy]]
) -> Strategy:
    place = f"[strategy.{timeframe}]"
    name = table.get("name", "")
    if name not in known:
        what = f"{place}: unknown strategy {name!r}"
        raise ConfigError(what, nearest(str(name), known))
    kind = known[name]
    parameters = {key: value for key, value in table.items() if key != "name"}
    for key in parameters:
        if key not in kind.__struct_fields__:
            what = f"{place}: {name} has no parameter {key}"
            raise ConfigError(what, nearest(key, kind.__struct_fields__))
    try:
        return msgspec.convert(parameters, type=kind)
    except msgspec.ValidationError as error:
        what = f"{place}: {error}"
        raise ConfigError(what) from error
