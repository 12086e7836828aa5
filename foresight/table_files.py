"""The table files that a configuration names, read from a release's tree.

Owns the opening of these files and the refusal of names that lead out of the tree: a release is
what was committed, and so is what it reads. What is in them is `strategies.table`'s matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from foresight.config import CONFIG_FILE
from foresight.errors import ConfigError
from foresight.overrides import REPLAYED
from foresight.own_strategies import refuse_missing
from foresight.strategies.registry import (
    build,
    own_names,
    prices_of,
    refuse_misfits,
    table_names,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from foresight.config import Config
    from foresight.strategies.base import Strategy

SIZE_MAX: Final = 1 << 20  # bytes; a table of forty groups a minute has some tens of thousands


def read_files(names: tuple[str, ...], tree: Path) -> dict[str, bytes]:
    """Return what files hold, by their names.

    Args:
        names: Paths below the tree.
        tree: The release's tree, or the project's checkout.

    Raises:
        ConfigError: One leads out of the tree, cannot be read, or is too large for a table.
    """
    return {name: _read(name, tree) for name in names}


def strategies_of(
    config: Config,
    own: Mapping[str, type[Strategy]],
    tree: Path,
    environment: Mapping[str, str],
) -> tuple[dict[str, Strategy], dict[str, bytes]]:
    """Return the strategies by timeframe and slot, and the files that they were made from.

    Args:
        config: The configuration.
        own: Strategies of the project itself, by `module:class`.
        tree: Where the files are.
        environment: Variables of a worker: they say whether candles are played.

    Raises:
        ConfigError: As `registry.build` and `read_files`.
    """
    prices = prices_of(config.venue.kind, replayed=environment.get(REPLAYED) == "1")
    files = read_files(table_names(config, own, prices), tree)
    return build(config, own, files, prices), files


def check_strategies(
    config: Config, tree: Path, *, replayed: bool, where: str = CONFIG_FILE
) -> None:
    """Refuse strategies and tables that no worker would take, before anything is started.

    Args:
        config: The configuration.
        tree: Where the files are.
        replayed: The local exchange plays recorded candles.
        where: What to call the configuration in an error.

    Raises:
        ConfigError: As `registry.refuse_misfits`, `read_files` and `own_strategies.refuse_missing`.
    """
    prices = prices_of(config.venue.kind, replayed=replayed)
    refuse_missing(own_names(config), tree, where)
    refuse_misfits(config, read_files(table_names(config, None, prices), tree), prices, where)


def _read(name: str, tree: Path) -> bytes:
    root = tree.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        what = f"the table {name} is not in the project"
        raise ConfigError(what, "commit it there: it belongs to the release that reads it")
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MAX + 1)
    except OSError as error:
        what = f"the table {name} cannot be read: {error.strerror or error}"
        raise ConfigError(what, "commit it, or `foresight calibrate` writes one") from error
    if len(data) > SIZE_MAX:
        what = f"the table {name} is larger than {SIZE_MAX} bytes"
        raise ConfigError(what, "`foresight calibrate` writes smaller ones")
    return data
