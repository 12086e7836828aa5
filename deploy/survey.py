"""Finding out what a deploy would bring, for its plan and for the gate of the disk.

Owns the questions to git and to the disk that a plan rests on. Nothing is made, nothing is
changed, and what the answers mean is `plan`'s and `gates`' matter.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deploy import gates, host, releases_dir
from deploy.errors import UnknownRef
from deploy.plan import Change, Facts

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.git_tree import Commit, GitTree
    from handoff.gate_verdict import GateVerdict
    from handoff.release_files import Manifest


def survey(
    home: Path,
    repository: GitTree,
    ref: str | None,
    running: Manifest | None,
    *,
    entry_default: str = "",
) -> Facts:
    """Return what is known of a deploy before it begins.

    Args:
        home: The state directory.
        repository: Where the commit is.
        ref: What was asked for, or None for HEAD.
        running: Manifest of the release that owns, or None.
        entry_default: `module:factory` for a tree that names none.

    Raises:
        DeployError: There is no such commit, or it cannot become a release.
    """
    commit = repository.commit(ref or "HEAD")
    intention = releases_dir.intend(home, repository, commit, entry_default=entry_default)
    old = _commit_of(repository, running)
    there = repository.working_tree()
    return Facts(
        ref=ref or "HEAD",
        release=intention.manifest.release,
        commit=commit.commit,
        subject=commit.subject,
        running=running.release if running is not None else "",
        commits=_changes(repository, old, commit),
        undone=_changes(repository, commit, old),
        files=() if old is None else tuple(repository.files_between(old.commit, commit.commit)),
        uncommitted=there.changed,
        untracked=there.untracked,
        environment_changes=(
            running is not None and running.environment != intention.manifest.environment
        ),
        environment_built=intention.environment_built,
        needs=(disk(home, intention).evidence,),
    )


def disk(home: Path, intention: releases_dir.Intention) -> GateVerdict:
    """Return what the gate of the disk says to a build."""
    begun_s = time.perf_counter()
    needed = gates.disk_needed(
        tree_bytes=intention.tree_bytes,
        environment_bytes=0 if intention.environment_built else gates.ENVIRONMENT_BYTES_DEFAULT,
    )
    free = host.disk_free_bytes(home)
    seconds = time.perf_counter() - begun_s
    return gates.disk_gate(free_bytes=free, needed_bytes=needed, seconds=seconds)


def _commit_of(repository: GitTree, running: Manifest | None) -> Commit | None:
    if running is None or not running.commit:
        return None
    try:
        return repository.commit(running.commit)
    except UnknownRef:
        return None  # the history was rewritten, or it came from another clone


def _changes(repository: GitTree, old: Commit | None, new: Commit | None) -> tuple[Change, ...]:
    if old is None or new is None:
        return ()
    found = repository.commits_between(old.commit, new.commit)
    return tuple(Change(each.commit, each.subject, each.author) for each in found)
