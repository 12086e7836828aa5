"""The name that the release before this one has for `handoff.launcher.engine_config`.

Owns nothing. Standard library only.
"""

from __future__ import annotations

from handoff.launcher.engine_config import (
    Companion,
    EngineConfig,
    EngineConfigInvalid,
    read_engine_config,
    write_engine_config,
)

__all__ = [
    "Companion",
    "EngineConfig",
    "EngineConfigInvalid",
    "read_engine_config",
    "write_engine_config",
]
