"""`deploy --plan`: what a deploy would bring, cost and make; nothing is built.

Owns the joining of what is known; what follows from it is `deploy.plan`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from deploy import history
from deploy.plan import as_json as plan_as_json
from deploy.plan import as_lines, make_plan
from deploy.survey import survey
from foresight.cli import overriding
from foresight.cli.moments import now_ns
from foresight.cli.output import emit_folded, emit_json
from foresight.project import ENTRY
from handoff.exit_codes import ExitCode
from handoff.plurals import counted
from handoff.release_files import Manifest, read_manifest
from state.errors import RecordMissing

if TYPE_CHECKING:
    from deploy.git_tree import GitTree
    from foresight.cli.installation import Installation
    from handoff.wish import Wish
    from state.record import Record

LABEL: Final = 10  # letters before what a line says


def show_plan(
    installation: Installation, repository: GitTree, ref: str, wish: Wish, *, as_json: bool
) -> int:
    """Print what deploying a ref would do."""
    record = _record(installation)
    running = _running(installation, record)
    facts = survey(installation.home, repository, ref, running, entry_default=ENTRY)
    facts = replace(
        facts,
        replay=wish.replay if facts.running else 0,
        trial=wish.trial.words if facts.running and wish.trial is not None else "",
        notes=_overrides(installation, facts.release),
    )
    former = history.phase_seconds(history.read_history(installation.home).entries)
    schedule = installation.schedule(record) if record is not None else None
    plan = make_plan(facts, former, now_ns=now_ns(), schedule=schedule)
    if as_json:
        emit_json(plan_as_json(plan))
    else:
        for line in as_lines(plan):
            emit_folded(line, later=LABEL)
    return ExitCode.DONE


def _overrides(installation: Installation, release: str) -> tuple[str, ...]:
    """Return what the release would make of the overrides that are kept."""
    kept = overriding.kept_in(installation.home)
    if kept and not (installation.home / "releases" / release).exists():
        held = counted(len(kept), "override")
        return (f"{held} set: it says what it makes of them once it is built",)
    return tuple(overriding.lines_of(overriding.shown(installation, release)))


def _record(installation: Installation) -> Record | None:
    try:
        return installation.record()
    except RecordMissing:
        return None


def _running(installation: Installation, record: Record | None) -> Manifest | None:
    release = record.ownership.release if record is not None else ""
    return read_manifest(installation.home, release) if release else None
