"""Which release a start begins with, and that it can begin.

Owns the way from a record, or from none, to a release that a worker can be started of: kept as it
is, mended where the host took something away beneath it, or built.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from deploy import releases_dir
from deploy.errors import UnknownRef
from deploy.git_tree import GitTree
from foresight.cli.output import progress
from foresight.cli.repairing import owning_release
from foresight.project import ENTRY
from handoff.errors import HandoffError, ReleaseUnusable
from handoff.release_files import read_manifest

if TYPE_CHECKING:
    from foresight.cli.installation import Installation


class ReleaseOtherwise(HandoffError):
    """The release that owns the record cannot be made again as it was."""

    hint = "start it with the Python and the Foresight that it was deployed with"


def release_to_start(installation: Installation) -> str:
    """Return the release that owns the record; where there is none, HEAD, built now.

    One that is not there any more, as in a home that a state was restored into, is built again.

    Raises:
        ReleaseUnusable: Its commit is not here.
        ReleaseOtherwise: It cannot be built here as it was.
        InterpreterMissing: It runs with a Python that is not here any more.
    """
    home, held = installation.home, owning_release(installation.home)
    if held:
        with contextlib.suppress(ReleaseUnusable):
            return _mended(installation, held)
    repository = GitTree(installation.repository)
    try:
        commit = repository.commit(held.partition("-")[0] or "HEAD")
    except UnknownRef as error:
        message = f"release {held} is not in {home}, and its commit is not in this repository"
        raise ReleaseUnusable(message) from error
    progress(f"building {commit.commit[:12]} {commit.subject}")
    made = releases_dir.build(home, repository, commit, entry_default=ENTRY).release
    if held and made != held:
        message = f"the record is of release {held}; the same commit gives {made} here"
        raise ReleaseOtherwise(message)
    return made


def _mended(installation: Installation, release: str) -> str:
    manifest = read_manifest(installation.home, release)
    for words in releases_dir.mend(installation.home, manifest):
        progress(words)
    return manifest.release
