"""What the workers of an installation are told: the variables that they start with.

Owns which of them are kept with the installation and which are other ones at each start.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from foresight import overrides
from foresight.cluster import told_variables
from foresight.errors import ConfigError
from handoff.worker.settings import Settings, variables_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from foresight.cli.installation import Installation
    from foresight.cli.start_basis import Basis

PASSED = overrides.HANDED  # as `up` was started with them; never kept


def kept_variables(
    installation: Installation,
    basis: Basis,
    *,
    exchange: str,
    traded: Sequence[str],
    recorded: Sequence[str],
    folder: Path | None = None,
    live: bool,
) -> tuple[tuple[str, str], ...]:
    """Return the variables that are kept and hold for every worker, job and replay.

    Args:
        installation: Which one.
        basis: What the start goes by.
        exchange: Address of the exchange that runs beside it.
        traded: The assets that this exchange has, where it plays no recordings.
        recorded: The assets of the recordings that this exchange plays; empty for none.
        folder: Where these recordings are.
        live: The command said that real money is meant.

    Raises:
        ConfigError: Assets were asked for that nobody recorded.
    """
    engine, told = installation.engine, overrides.travelling(os.environ)
    venue = basis.exchanged.venue
    found = dict(variables_of(Settings(engine.bake_outside_s, engine.health_drop)))
    found[overrides.PROJECT] = str(installation.repository)
    found |= _trusted(installation) | overrides.as_variable(told)
    found |= dict(told_variables(basis.accounted, os.environ, installation.repository))
    if overrides.PERIOD in os.environ:  # every release knows this one
        found[overrides.PERIOD] = os.environ[overrides.PERIOD]
    if venue.kind == "local":
        found[overrides.EXCHANGE_URL] = venue.url or f"http://{exchange}"
        if not venue.url:
            found[overrides.EXCHANGE_ASSETS] = ",".join(recorded or traded)
    if recorded:
        found[overrides.REPLAYED] = "1"
        found[overrides.RECORDING] = str(folder.absolute()) if folder is not None else ""
        found |= _recorded(installation, recorded, told)
    if live:
        found[overrides.LIVE] = "1"
    return tuple(found.items())


def _trusted(installation: Installation) -> dict[str, str]:
    """Return what the installation trusts: a worker reads a key by it, whatever its file says."""
    engine = installation.engine
    found = {
        overrides.SECRETS: os.pathsep.join(engine.secrets),
        overrides.TRUSTED_GROUP: str(engine.trusted_group),
    }
    return {name: text for name, text in found.items() if text}


def _recorded(
    installation: Installation, recorded: Sequence[str], told: dict[str, str]
) -> dict[str, str]:
    if "board.assets" not in told:
        return {overrides.variable_of("board.assets"): ",".join(recorded)}
    missing = [each for each in installation.config.board.assets if each not in recorded]
    if missing:
        what = f"nobody recorded {', '.join(missing)}"
        raise ConfigError(what, f"recorded are {', '.join(recorded)}")
    return {}
