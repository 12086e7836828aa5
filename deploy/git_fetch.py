"""The branches of a remote, in a bare repository of a home.

Owns the two git commands that write: both into a directory of ours, never into the user's. What is
fetched is read like any other repository.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from deploy import commands
from deploy.errors import GitFailed
from deploy.git_tree import GitTree, child_environment

if TYPE_CHECKING:
    from pathlib import Path

FETCH_LIMIT_S: Final = 600.0  # the first time it brings a whole history
_NO_HOOKS: Final = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")


def fetched(place: Path, remote: str) -> GitTree:
    """Bring all branches of a remote; return the repository with them.

    Args:
        place: The bare repository; made if it is not there.
        remote: Address or path, as git takes it.

    Raises:
        GitFailed: It cannot be made, or the remote does not answer.
    """
    if not (place / "HEAD").exists():
        _git("init", "--quiet", "--bare", "--", str(place), directory=place.parent)
    branches = "+refs/heads/*:refs/heads/*"
    options = ("--quiet", "--no-tags", "--prune", "--force")
    _git("fetch", *options, "--", remote, branches, directory=place)
    return GitTree(place)


def _git(*arguments: str, directory: Path) -> None:
    done = commands.run(
        ["git", *_NO_HOOKS, *arguments],
        limit_s=FETCH_LIMIT_S,
        environment=child_environment(os.environ),
        directory=directory,
    )
    if done.code != 0:
        words = done.errors.decode(errors="replace")
        raise GitFailed(arguments[0], "it took too long" if done.timed_out else words)
