"""Where a path that a configuration names is: the same place for whoever asks, from wherever.

Owns the one way from such a name to an absolute path: `~` is this account's directory, and what
is relative begins at the project, not where somebody happens to stand.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from foresight.errors import ConfigError
from foresight.overrides import PROJECT
from handoff.account import user_directory

if TYPE_CHECKING:
    from collections.abc import Mapping


def place_of(named: str, project: Path, environment: Mapping[str, str]) -> Path:
    """Return where a named path is, absolute.

    Args:
        named: As a configuration or a variable says it.
        project: The directory of the project, absolute; what is relative begins there.
        environment: Variables of the process that asks: they say what `~` is.

    Raises:
        ConfigError: It begins with `~`, and nothing says where that is.
    """
    if not named.startswith("~"):
        return project / named
    first, _, rest = named.partition("/")
    own = user_directory(environment) if first == "~" else os.path.expanduser(first)  # noqa: PTH111 - what it does not know stays as it is
    if not os.path.isabs(own):  # noqa: PTH117 - a string as the system says it
        what = f"nothing says where {first} is, as in {named}"
        raise ConfigError(what, "name an absolute path")
    return Path(own) / rest


def project_of(environment: Mapping[str, str], tree: Path) -> Path:
    """Return the project of a worker; its release's tree where nobody has told it."""
    return Path(environment.get(PROJECT) or tree).absolute()


def started_in() -> str:
    """Return where this process was started, in words; its directory may be gone."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return "a directory that is gone"
