"""The newest record of an etcd as it lies in a home: for whoever reads without asking the etcd.

Owns the mirror's name, and that a home keeps the record itself or a mirror of one elsewhere, never
both: two stores that each believe in their own would both decide. A mirror is replaced as a whole
and says what was true when it was written; nobody acts on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from state.atomic_file import replace_file
from state.errors import HomeUnsuitable, RecordMissing
from state.record_file import RECORD, read_generation

if TYPE_CHECKING:
    from pathlib import Path

    from state.atomic_file import Files
    from state.commit import Generation

MIRROR: Final = "mirror.json"


def record_path(directory: Path) -> Path:
    """Return where the record of a home can be read: its own, or the mirror of one elsewhere."""
    mirror = directory / MIRROR
    return mirror if mirror.exists() else directory / RECORD


def is_mirrored(directory: Path) -> bool:
    """Tell whether a home mirrors a record that is elsewhere."""
    return (directory / MIRROR).exists()


def record_paths(directory: Path) -> tuple[Path, Path]:
    """Return both names under which the record of a home may lie."""
    return directory / RECORD, directory / MIRROR


def read_either(directory: Path) -> Generation:
    """Read the record of a home, or the mirror of one elsewhere.

    Raises:
        RecordMissing: There is neither.
        RecordDamaged: It is not what was written.
        RecordForeign: A newer format wrote it.
    """
    try:
        return read_generation(directory / RECORD)
    except RecordMissing as missing:
        try:
            return read_generation(directory / MIRROR)
        except RecordMissing:
            raise missing from None


def write_mirror(files: Files, directory: Path, data: bytes) -> None:
    """Put a record's bytes in the place of the mirror.

    Raises:
        OSError: The mirror may be as it was.
    """
    replace_file(files, directory / MIRROR, data)


def refuse_mirrored(directory: Path) -> None:
    """Refuse to keep the record itself in a home that mirrors one.

    Raises:
        HomeUnsuitable: It does.
    """
    if is_mirrored(directory):
        reason = "its record is in an etcd, and this is a mirror of it"
        hint = "name that etcd in [engine] state, or choose another home"
        raise HomeUnsuitable(str(directory / MIRROR), reason, hint)


def refuse_kept(directory: Path) -> None:
    """Refuse to mirror a record in a home that keeps one itself.

    Raises:
        HomeUnsuitable: It does.
    """
    if (directory / RECORD).exists():
        reason = "this home keeps a record of its own, which no etcd knows"
        hint = "choose another home, or leave [engine] state out"
        raise HomeUnsuitable(str(directory / RECORD), reason, hint)
