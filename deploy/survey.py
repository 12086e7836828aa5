"""Finding out what a deploy would bring, for its plan and for the gate of the disk.

Owns the questions to git and to the disk that a plan rests on. Nothing is made, nothing is
changed, and what the answers mean is `plan`'s and `gates`' matter.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deploy import gates, host, interpreters, releases_dir
from deploy.errors import (
    DeployError,
    InterpreterMissing,
    InterpreterOther,
    LimitLacking,
    UnknownRef,
)
from deploy.plan import LISTED_MAX, Change, Facts
from deploy.release import COMMIT_DIGITS
from handoff import open_files
from handoff.errors import OpenFilesLacking, ReleaseUnusable
from handoff.release_files import ENVIRONMENTS, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.git_tree import Commit, GitTree
    from deploy.requests import Request
    from handoff.gate_verdict import GateVerdict
    from handoff.release_files import Manifest
    from state.record import Record


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
    environment_bytes = 0 if intention.environment_built else gates.ENVIRONMENT_BYTES_DEFAULT
    found = look_at_disk(
        home,
        needed_bytes=gates.disk_needed(
            tree_bytes=intention.tree_bytes, environment_bytes=environment_bytes
        ),
        files_needed=gates.files_needed(
            sources=intention.tree_files,
            packages=0 if intention.environment_built else intention.packages,
        ),
    )
    return gates.disk_gate(found, seconds=time.perf_counter() - begun_s)


def memory(record: Record) -> GateVerdict:
    """Return whether the memory suffices for one worker more."""
    begun_s = time.monotonic()
    owner = record.ownership.owner
    return gates.memory_gate(
        available_bytes=host.memory_available_bytes(),
        worker_bytes=host.resident_bytes(owner.pid) if owner is not None else 0,
        seconds=time.monotonic() - begun_s,
    )


def is_live(home: Path, record: Record, request: Request) -> bool:
    """Tell whether the wanted commit owns and is permanent: then nothing is to be done."""
    owner = record.ownership.owner
    if owner is None or record.rollout is not None:
        return False
    try:
        live = read_manifest(home, owner.release)
    except ReleaseUnusable:
        return False
    same = live.release == request.release or bool(request.commit and live.commit == request.commit)
    return same and not interpreters.fault(live)  # one that can run no more is made anew


def look_at_disk(home: Path, *, needed_bytes: int, files_needed: int) -> gates.Disk:
    """Return what the disk beneath a home has, beside what a build would need."""
    temporary = host.temporary_directory()
    return gates.Disk(
        free_bytes=host.disk_free_bytes(home),
        needed_bytes=needed_bytes,
        files_free=host.files_free(home),
        files_needed=files_needed,
        noexec=noexec_environments(home),
        noexec_temporary=str(temporary) if temporary and host.is_noexec(temporary) else "",
    )


def noexec_environments(home: Path) -> str:
    """Return where the environments of a home are, if nothing can be loaded from there."""
    place = home / ENVIRONMENTS  # somebody may have put a disk of its own, or a link, there
    place = place if place.exists() else home
    return str(place) if host.is_noexec(place) else ""


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


def brought(home: Path, repository: GitTree, running: str, commit: Commit) -> tuple[str, ...]:
    """Return the commits that come with a deploy as the history has them, newest first.

    It is for people who look back: where it cannot be told, a deploy goes on without.

    Args:
        home: The state directory.
        repository: Where they are.
        running: Id of the release that owns, or an empty string.
        commit: The one that is deployed.
    """
    try:
        old = _commit_of(repository, read_manifest(home, running))
        changes = _changes(repository, old, commit)
    except (ReleaseUnusable, DeployError):
        return ()
    rows = [f"{each.commit[:COMMIT_DIGITS]} {each.subject}" for each in changes]
    more = len(rows) - LISTED_MAX
    return (*rows[:LISTED_MAX], *([f"and {more} more"] if more > 0 else []))


def require_open_files() -> None:
    """Refuse a deploy that could not open what it needs.

    Raises:
        LimitLacking: This process may have too few files open, and so may what it starts.
    """
    try:
        open_files.require()
    except OpenFilesLacking as error:
        raise LimitLacking(str(error)) from error


def why_not_compared(home: Path, owning: str, candidate: str, *, back: str) -> str:
    """Return why a candidate's decisions are compared with nobody's, or an empty string.

    Args:
        home: The state directory.
        owning: The release that owns, or an empty string.
        candidate: The release that is to own.
        back: The release that ran before and comes back, or an empty string.

    Raises:
        ReleaseUnusable: The release that owns is not there.
    """
    if back:
        return "a release that ran comes back"
    if owning in {"", candidate}:
        return "nothing else runs"
    running = read_manifest(home, owning)
    try:
        if interpreters.fault(running):  # the host took it away since it was started
            releases_dir.mend(home, running)
    except (InterpreterMissing, InterpreterOther) as error:
        return f"what ran cannot be asked: {error}"
    return ""
