"""The record as it lies in a home, as plain JSON: for a launcher that has to choose a release.

Owns where it lies: a home keeps the record itself, or a mirror of one that is in an etcd. Nothing
is judged and nothing written here; the worker that is started does that. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os

from handoff.launcher.newest_line import as_record
from handoff.light_typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_RECORD: Final = "record.json"  # names of `state.record_file` and `state.mirror`
_MIRROR: Final = "mirror.json"


def read_record(home: Path) -> dict[str, Any] | None:
    """Return the record as plain JSON; None only if there is none, empty where it is damaged.

    A damaged one is not this process's to judge: the worker that is started refuses or repairs it.
    """
    for name in (_RECORD, _MIRROR):
        try:
            with open(_place(home, name), "rb") as file:  # noqa: PTH123 - no pathlib here
                data = file.read()
        except FileNotFoundError:
            continue
        with contextlib.suppress(ValueError):
            return as_record(json.loads(data))
        return {}
    return None


def is_mirrored(home: Path) -> bool:
    """Tell whether a home mirrors a record that is in an etcd."""
    return os.path.exists(_place(home, _MIRROR))  # noqa: PTH110 - no pathlib here


def _place(home: Path, name: str) -> str:
    return os.path.join(os.fspath(home), "state", name)  # noqa: PTH118 - no pathlib here
