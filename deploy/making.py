"""Making a release that this host lacks and another one wants: fetched, built, told of.

Owns where a commit comes from that this host may never have seen: the installation's repository
has it, or `[engine] remote` does, which is fetched into a bare repository of the home. Nothing is
ever written into the user's. Why a host cannot is left where the deploys of all hosts see it.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy import releases_dir
from deploy.across import desk_of, newest_entries
from deploy.errors import DeployError, ReleaseOther, UnknownRef
from deploy.git_fetch import fetched
from deploy.git_tree import GitTree
from deploy.release import COMMIT_DIGITS
from state.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.release_files import Manifest
    from state.etcd.deploy_desk import DeployDesk

FETCHED: Final = "fetched.git"  # in the home


class Source(NamedTuple):
    """Where commits come from.

    Attributes:
        repository: Directory of the installation's repository.
        remote: What is fetched where that one lacks a commit; empty for nothing.
        entry_default: `module:factory` for a tree that names none.
    """

    repository: str
    remote: str = ""
    entry_default: str = ""


def make(home: Path, release: str, source: Source, say: Callable[[str], None]) -> Manifest:
    """Build the release of a commit that another host runs; return how to start it.

    Args:
        home: The state directory.
        release: Its id.
        source: Where its commit comes from.
        say: Told what is done.

    Raises:
        DeployError: It cannot be made here; that is told to the other hosts too.
    """
    desk = desk_of(home)
    try:
        _tell(desk, release, "building")
        try:
            made = _made(home, release, _commit_of(release, desk), source, say)
        except (DeployError, OSError) as error:
            _tell(desk, release, f"cannot: {error}")
            raise
        _tell(desk, release, "")
    finally:
        if desk is not None:
            desk.close()
    return made


def _made(
    home: Path, release: str, ref: str, source: Source, say: Callable[[str], None]
) -> Manifest:
    tree = _with_commit(home, ref, source, say)
    commit, entry = tree.commit(ref), source.entry_default
    say(f"builds {release} of {commit.commit}")
    intended = releases_dir.intend(home, tree, commit, entry_default=entry).manifest
    if intended.release != release:
        raise ReleaseOther(release, intended.release)
    return releases_dir.build(home, tree, commit, entry_default=entry)


def _commit_of(release: str, desk: DeployDesk | None) -> str:
    """Return the commit of a release: in full where the history knows, else its first digits."""
    if desk is not None:
        with contextlib.suppress(StateError):
            for each in reversed(newest_entries(desk)):
                if each.release == release and each.commit:
                    return each.commit
    return release[:COMMIT_DIGITS]


def _with_commit(home: Path, ref: str, source: Source, say: Callable[[str], None]) -> GitTree:
    with contextlib.suppress(DeployError):
        tree = GitTree(Path(source.repository))
        tree.commit(ref)
        return tree
    if not source.remote:
        raise UnknownRef(ref, source.repository)
    say("fetches what it lacks")  # an address may hold a password
    return fetched(home / FETCHED, source.remote)


def _tell(desk: DeployDesk | None, release: str, words: str) -> None:
    if desk is not None:
        with contextlib.suppress(StateError):
            desk.tell_made(socket.gethostname(), release, words)
