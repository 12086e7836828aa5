"""What an installation without its extras cannot do: said before anything is started for it.

Owns which distribution an extra is known by. A wheel installs without any; what is missing then
would otherwise be an import that fails in a log, again and again.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from foresight.errors import ForesightError

if TYPE_CHECKING:
    from foresight.config import Config


class ExtraMissing(ForesightError):
    """Something is wished that needs an extra, and it is not installed."""

    hint = "pip install 'foresight-engine[trade,dashboard]' where this command is; make setup does"


def lacking(config: Config) -> str:
    """Return what this installation lacks to start what is configured; empty where nothing."""
    has_exchange = config.venue.kind == "local" and not config.venue.url
    if has_exchange and find_spec("aiohttp") is None:
        return "the local exchange needs aiohttp, of the extra `trade`, and it is not installed"
    return ""


def refuse_lacking(config: Config) -> None:
    """Refuse to start what could not run.

    Raises:
        ExtraMissing: This installation lacks an extra.
    """
    what = lacking(config)
    if what:
        raise ExtraMissing(what)
