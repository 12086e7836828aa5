"""Keys that variables override: their names, which of them travel to workers, what has changed.

Owns the way from `FORESIGHT_SECTION_KEY` to a key and back, the list of what may be said outside
the file, and the one variable in which overrides travel to workers. A key is written
`risk.stake_window_usdc` or `strategy.5m.minute`. What keys there are is `config`'s matter.
"""

import json
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from foresight.errors import ConfigError
from handoff.plain_text import is_storable

VARIABLE_PREFIX: Final = "FORESIGHT_"
OVERRIDES: Final = (
    "FORESIGHT_OVERRIDES"  # one variable: plain ones keep older releases from starting
)
PROJECT: Final = "FORESIGHT_PROJECT"  # where the project is: a worker runs in its release's tree
KEY_FILE: Final = "FORESIGHT_VENUE_KEY_FILE"
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
HANDED: Final = (KEY_FILE, CREDENTIALS)  # other ones at each start: passed as they are, never kept
LIVE: Final = "FORESIGHT_LIVE"  # "1" where the command said --live
EXCHANGE_URL: Final = "FORESIGHT_EXCHANGE_URL"  # where `up` has the local exchange
EXCHANGE_ASSETS: Final = "FORESIGHT_EXCHANGE_ASSETS"  # what that exchange has, with commas
REPLAYED: Final = "FORESIGHT_REPLAYED"  # "1" where the local exchange plays recorded candles
RECORDING: Final = "FORESIGHT_RECORDING"  # folder of the candles that are played or judged
SECRETS: Final = "FORESIGHT_SECRETS"  # [engine] secrets and trusted_group, as the installation
TRUSTED_GROUP: Final = "FORESIGHT_TRUSTED_GROUP"  # has them and not as the release's file does
PERIOD: Final = "FORESIGHT_ENGINE_PERIOD_S"

STRATEGY: Final = "strategy"
SECTIONS: Final = ("engine", "board", "venue", "risk", STRATEGY)
# Whose money it is, and whether it is any: the file says so, and nothing beside it.
FIXED: Final = ("venue.kind", "venue.live", "venue.wallet")
_STAY: Final = (*FIXED, "venue.key_file")
# What stands for something that a command says; from outside it would say it in silence.
INSTEAD: Final[Mapping[str, str]] = {
    LIVE: "say --live",
    EXCHANGE_URL: "say FORESIGHT_VENUE_URL",
    EXCHANGE_ASSETS: "say FORESIGHT_BOARD_ASSETS",
    OVERRIDES: "say FORESIGHT_SECTION_KEY, one variable for each key",
    PROJECT: "say -C DIR",
    REPLAYED: "say --replay DIR",
    RECORDING: "say --replay DIR, or backtest DIR",
    SECRETS: "say FORESIGHT_ENGINE_SECRETS",
    TRUSTED_GROUP: "say FORESIGHT_ENGINE_TRUSTED_GROUP",
}


def key_of(variable: str) -> str:
    """Return the key that a variable overrides, or an empty string where it is no such variable.

    Args:
        variable: Its name, as `FORESIGHT_RISK_STAKE_WINDOW_USDC`.
    """
    if not variable.startswith(VARIABLE_PREFIX):
        return ""
    section, _, key = variable.removeprefix(VARIABLE_PREFIX).lower().partition("_")
    if section not in SECTIONS or not key:
        return ""  # somebody else's, as FORESIGHT_EXCHANGE_URL
    return f"{section}.{key.replace('_', '.', 1)}" if section == STRATEGY else f"{section}.{key}"


def of_section(environment: Mapping[str, str], section: str) -> dict[str, str]:
    """Return an environment less the overrides of every other section."""
    wanted = f"{section}."
    return {
        name: text
        for name, text in environment.items()
        if name != OVERRIDES and (key_of(name) or wanted).startswith(wanted)
    }


def variable_of(key: str) -> str:
    """Return the variable that overrides a key."""
    return VARIABLE_PREFIX + key.replace(".", "_").upper()


def told_by(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what plain variables override: their text by key, sorted.

    Args:
        environment: Variables.

    Raises:
        ConfigError: One of them is bytes that are no text.
    """
    keys = {key_of(variable): text for variable, text in environment.items()}
    for key in sorted(filter(None, keys)):
        if not (is_storable(key) and is_storable(keys[key])):
            what = f"{variable_of(key)} is not UTF-8"
            raise ConfigError(what, "set it to text, or unset it")
    return {key: keys[key] for key in sorted(keys) if key}


def travelling(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of the plain variables workers are told: what a release's file says.

    Args:
        environment: Variables of who starts the installation.
    """
    told = told_by(environment)
    return {
        key: text
        for key, text in told.items()
        if key not in _STAY and not key.startswith("engine.")
    }


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what travels already: the overrides in the one variable made for them.

    Args:
        environment: Variables of a worker.

    Raises:
        ConfigError: The variable holds something else.
    """
    try:
        found = json.loads(environment.get(OVERRIDES) or "{}")
    except ValueError as error:
        what = f"{OVERRIDES} is no JSON: {error}"
        raise ConfigError(what, "`foresight up` writes it") from error
    plain = isinstance(found, dict) and all(is_storable(text) for text in (*found, *found.values()))
    if not plain:
        what = f"{OVERRIDES} is no object of texts"
        raise ConfigError(what, "`foresight up` writes it")
    return dict(sorted(found.items()))


def as_variable(overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the variable in which overrides travel; nothing where there are none."""
    return {OVERRIDES: json.dumps(overrides, sort_keys=True)} if overrides else {}


def gathered(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which what may travel does so: as a worker of it would see it.

    Args:
        environment: Variables of who runs a command; one that stands for an option counts for
            nothing.
    """
    travels = travelling(environment)
    left = {
        name: text
        for name, text in environment.items()
        if name not in INSTEAD and key_of(name) not in travels
    }
    return left | as_variable(travels)


def put_into(tables: dict[str, Any], key: str, text: str) -> None:
    """Let a text override a key of a file's tables."""
    *sections, name = key.split(".")
    table = tables
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            return  # the file says something impossible, and is refused for that
    table[name] = value_of(text, is_list=sections == ["board"])


def value_of(text: str, *, is_list: bool) -> Any:  # noqa: ANN401 - whatever TOML can say
    """Return what the text of a variable means.

    Args:
        text: TOML, or a bare word; for a list also words between commas.
        is_list: Whether the key takes a list.
    """
    if is_list and not text.startswith("["):
        return [part.strip() for part in text.split(",")]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word is a string: FORESIGHT_VENUE_QUOTE=USDC


def unused(environment: Mapping[str, str]) -> list[str]:
    """Return what is to be said of variables with our prefix that no command uses.

    Args:
        environment: Variables of who starts the installation.
    """
    found = []
    for name in sorted(environment):
        if name in INSTEAD:
            found.append(f"{name} is not used: {INSTEAD[name]}")
        elif name.startswith(VARIABLE_PREFIX) and not key_of(name):
            found.append(f"{name} is not used: it is no key of the configuration")
    return found


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return what is to be said where a start brings other overrides than are kept.

    Args:
        before: The overrides that were kept with the installation.
        now: Those of this start.
    """
    lines = []
    for key in sorted({*before, *now}):
        variable = variable_of(key)
        if key not in now:
            lines.append(f"override {key} = {before[key]} ends: {variable} is not set")
        elif key not in before:
            lines.append(f"override {key}: {now[key]} ({variable})")
        elif before[key] != now[key]:
            lines.append(f"override {key}: {now[key]} instead of {before[key]} ({variable})")
    return lines
