"""The configuration of a release whose tree is kept.

Owns the reading of that one file, bounded. Which releases are kept is the deployer's matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from foresight.config import CONFIG_FILE
from handoff.errors import ReleaseUnusable
from handoff.release_files import read_manifest

BYTES_MAX: Final = 256 << 10


def settings_of(home: Path, release: str) -> str | None:
    """Return a release's configuration as text; None where there is none to be read.

    Args:
        home: The state directory.
        release: Its id, or an empty string.
    """
    try:
        tree = Path(read_manifest(home, release).tree)
        with (tree / CONFIG_FILE).open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except (ReleaseUnusable, OSError):
        return None
    return None if len(data) > BYTES_MAX else data.decode("utf-8", "replace")
