"""The bots of a project that run here, found without its configuration.

Owns how a launcher is known to be a project's: by what its workers are told. A file that cannot be
read must not keep anybody from halting what it started.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from foresight.overrides import PROJECT
from handoff.commands.launchers import launchers
from handoff.launcher.engine_config import EngineConfigInvalid, read_engine_config

if TYPE_CHECKING:
    from pathlib import Path


def homes_of(project: Path, app: str = "") -> list[Path]:
    """Return the homes of this user's launchers that were started for a project.

    Args:
        project: Its directory, absolute.
        app: Name of the application; empty for any.
    """
    wanted = os.path.realpath(project)
    return [each.home for each in launchers() if _is_its(each.home, wanted, app)]


def _is_its(home: Path, wanted: str, app: str) -> bool:
    try:
        config = read_engine_config(home)
    except EngineConfigInvalid:
        return False
    told = dict(config.environment).get(PROJECT, "")
    return bool(told) and os.path.realpath(told) == wanted and app in ("", config.app)
