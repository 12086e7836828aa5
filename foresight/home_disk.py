"""What the disk beneath a home allows, as `up` and `doctor` say it: room, and what may be loaded.

Owns the words and the remedies. Measuring is `deploy.survey`'s matter, and what is enough the
gate's: a deploy that would be refused for its disk is announced before somebody asks for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy import gates, survey
from deploy.release import pins_of
from foresight.project import LOCK
from state.errors import HomeUnsuitable

if TYPE_CHECKING:
    from pathlib import Path

MAKE_ROOM: Final = "free space on the disk of the home"
MAKE_FILES: Final = "delete files from the disk of the home, or make it again with more inodes"
LET_LOAD: Final = "mount its disk without noexec, or choose another [engine] home"
CHOOSE_TEMPORARY: Final = (
    "where a package unpacks code there: set TMPDIR to a directory of another disk"
)


def look(home: Path, tree: Path) -> gates.Disk:
    """Return what is beneath a home, beside what a deploy with new packages would need.

    Args:
        home: The state directory; it need not be there yet.
        tree: The project; its lock file says how many packages there are.
    """
    lock = tree / LOCK
    return survey.look_at_disk(
        home,
        needed_bytes=gates.disk_needed(
            tree_bytes=0, environment_bytes=gates.ENVIRONMENT_BYTES_DEFAULT
        ),
        files_needed=gates.files_needed(
            sources=0, packages=len(pins_of(lock.read_bytes())) if lock.is_file() else 0
        ),
    )


def remedy_of(disk: gates.Disk) -> str:
    """Return the one thing to do where a disk is not as it has to be, or an empty string."""
    if disk.noexec:
        return LET_LOAD
    if disk.free_bytes < disk.needed_bytes:
        return MAKE_ROOM
    if gates.lacks_files(disk):
        return MAKE_FILES
    return CHOOSE_TEMPORARY if disk.noexec_temporary else ""


def refuse_noexec(home: Path) -> None:
    """Refuse a home whose environments could not be loaded: no worker would ever start.

    Raises:
        HomeUnsuitable: Its disk is mounted noexec.
    """
    place = survey.noexec_environments(home)
    if place:
        reason = "is mounted noexec, so that nothing an environment installs can be loaded"
        raise HomeUnsuitable(place, reason, LET_LOAD)
