"""`deploy --plan`: what a deploy would bring, cost and make.

Owns the gathering of facts; what follows from them is `deploy.plan`'s.
"""

from __future__ import annotations

import time

from deploy import environments, history
from deploy.git_tree import Commit, GitTree
from deploy.plan import Change, Facts, as_json, as_lines, make_plan
from deploy.release import LOCK_FILE, environment_hash, release_id
from foresight.cli.installation import Installation
from foresight.cli.output import emit_json, emit_text
from handoff.cadence import Cadence, Schedule
from handoff.exit_codes import ExitCode
from handoff.limits import NS
from handoff.release_files import Manifest, read_manifest
from state.errors import RecordMissing
from state.record import Record


def show_plan(
    installation: Installation, repository: GitTree, commit: Commit, *, as_json: bool
) -> int:
    """Print what deploying a commit would do; nothing is built."""
    facts, record = _facts(installation, repository, commit)
    former = history.phase_seconds(history.read_history(installation.home).entries)
    schedule = None
    if record is not None:
        period_ns = round(installation.config.engine.period_s * NS)
        schedule = Schedule(Cadence(period_ns=period_ns), record.timeline)
    plan = make_plan(facts, former, now_ns=time.time_ns(), schedule=schedule)
    if as_json:
        emit_json(_as_json(plan))
    else:
        for line in as_lines(plan):
            emit_text(line)
    return ExitCode.DONE


_as_json = as_json


def _facts(
    installation: Installation, repository: GitTree, commit: Commit
) -> tuple[Facts, Record | None]:
    home = installation.home
    record = _record(installation)
    running = _running(installation, record)
    lock = repository.content(commit.commit, LOCK_FILE) or b""
    environment = environment_hash(lock, environments.this_python())
    tree = repository.working_tree()
    old = running.commit if running is not None else ""
    return (
        Facts(
            ref=commit.commit[:12],
            release=release_id(commit.commit, environment),
            commit=commit.commit,
            subject=commit.subject,
            running=running.release if running is not None else "",
            commits=_changes(repository, old, commit.commit),
            undone=_changes(repository, commit.commit, old),
            files=tuple(repository.files_between(old, commit.commit)) if old else (),
            uncommitted=tuple(tree.changed),
            untracked=tuple(tree.untracked),
            environment_changes=running is not None and running.environment != environment,
            environment_built=environments.intact(
                environments.environment_directory(home, environment)
            ),
        ),
        record,
    )


def _changes(repository: GitTree, old: str, new: str) -> tuple[Change, ...]:
    if not old or not new:
        return ()
    found = repository.commits_between(old, new)
    return tuple(Change(each.commit, each.subject, each.author) for each in found)


def _record(installation: Installation) -> Record | None:
    try:
        return installation.record()
    except RecordMissing:
        return None


def _running(installation: Installation, record: Record | None) -> Manifest | None:
    held = record.ownership if record is not None else None
    owning = (held.owner or held.last_owner) if held is not None else None
    return read_manifest(installation.home, owning.release) if owning is not None else None
