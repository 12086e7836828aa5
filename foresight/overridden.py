"""A release's configuration with the overrides that it was told, and which of them it knows.

Owns what a release answers when it is asked about overrides (`python -m foresight.overridden`): by
`up`, which refuses what nobody knows, and by `status` and a plan, which say what holds. Strategies
of the project itself are asked too, so this runs with the release's own code.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from foresight import overrides
from foresight.config import CONFIG_FILE, Config, load, unknown
from foresight.errors import ConfigError
from foresight.own_strategies import load_own
from foresight.strategies.registry import own_names, parameters_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULE = "foresight.overridden"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One override as a release sees it.

    Attributes:
        key: What it overrides.
        value: What it says; its text where it is ignored.
        instead_of: What the release's own file says, or its default; None where it knows neither.
        ignored: The release does not know the key, and goes by its file.
        unasked: Why the release could not be asked, or empty: what it makes of the key is unknown.
    """

    key: str
    value: Any
    instead_of: Any = None
    ignored: bool = False
    unasked: str = ""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration, and the overrides that it leaves out because nobody here knows them."""

    config: Config
    ignored: tuple[str, ...] = ()


def load_release(tree: str, environment: Mapping[str, str]) -> Loaded:
    """Return the configuration of a release with its overrides.

    Args:
        tree: Its tree.
        environment: Variables that a worker was started with.

    Raises:
        ConfigError: The configuration says something unknown or impossible.
    """
    config = load(f"{tree}/{CONFIG_FILE}", environment)
    told = overrides.kept(environment)
    own = load_own(own_names(config))
    parameters = parameters_unknown(config, told, own)
    strategy = {timeframe: dict(table) for timeframe, table in config.strategy.items()}
    for key in parameters:
        _, timeframe, parameter = key.split(".", 2)
        strategy[timeframe].pop(parameter, None)
    return Loaded(config=replace(config, strategy=strategy), ignored=(*unknown(told), *parameters))


def seen(tree: str, environment: Mapping[str, str]) -> list[Seen]:
    """Return each override that travelled here, as the release of a tree sees it.

    Raises:
        ConfigError: The configuration, or a value, is impossible.
    """
    loaded = load_release(tree, environment)
    now = msgspec.to_builtins(loaded.config)
    left = {name: text for name, text in environment.items() if name != overrides.OVERRIDES}
    before = msgspec.to_builtins(load_release(tree, left).config)
    return [
        Seen(key=key, value=text, ignored=True)
        if key in loaded.ignored
        else Seen(key=key, value=_at(now, key), instead_of=_at(before, key))
        for key, text in overrides.kept(environment).items()
    ]


def _at(plain: Any, key: str) -> Any:  # noqa: ANN401 - whatever a configuration can say
    found = plain
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def main(tree: str) -> int:
    """Print what the release of a tree sees, as JSON; exit code 2 where it refuses to run so."""
    try:
        found = seen(tree, os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
