"""Strategies that a project brings along, named `module:class` in its configuration.

Owns their import from the release's own tree. What they think is their author's matter; a
fault of theirs while trading is their slot's refusal (`strategies.registry.judge`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from foresight.config import CONFIG_FILE
from foresight.errors import ConfigError
from foresight.strategies.base import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping


def load_own(names: Mapping[str, str], where: str = CONFIG_FILE) -> dict[str, type[Strategy]]:
    """Import strategies.

    Args:
        names: The place in the configuration of each `module:class`.
        where: What to call the configuration in an error.

    Raises:
        ConfigError: A module cannot be imported, or holds no such strategy.
    """
    return {name: _load(name, f"{where}: {place}") for name, place in names.items()}


def _load(name: str, place: str) -> type[Strategy]:
    module_name, _, class_name = name.partition(":")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:
        # A module of a stranger may raise anything while it is imported.
        what = f"{place}: strategy {name} cannot be loaded: {type(error).__name__}: {error}"
        raise ConfigError(
            what, "say module:class, with the module at the project's root"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        what = f"{place}: {name} is no strategy"
        raise ConfigError(what, "derive it from foresight.strategies.base.Strategy")
    return kind
