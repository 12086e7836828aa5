"""`drill`: faults against what runs here, and the table of what they did not disturb.

Owns the question before it begins, and how the result is shown. The faults, the watching and
the judgement are `foresight.drill`'s.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING

import click

from deploy.errors import DeployError
from deploy.requests import open_requests
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.moments import now_ns
from foresight.cli.output import (
    complain,
    emit_json,
    emit_table,
    emit_text,
    json_option,
    plain,
    progress,
)
from foresight.drill.faults import ELSEWHERE, FAULTS, Needs, chosen, estimate_s
from handoff.errors import HandoffError, NotRunning
from handoff.exit_codes import ExitCode
from state.errors import StateError
from state.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foresight.drill.course import Cell
    from foresight.drill.faults import Fault
    from foresight.drill.instance import Instance
    from foresight.drill.scene import Scene

NAMES = [fault.name for fault in FAULTS]
COLUMNS = ("", "fault", "step", "seen", "evidence")  # the tick first: the others fold


@click.command()
@click.option(
    "--only", multiple=True, type=click.Choice(NAMES), metavar="NAME", help="One fault; repeatable."
)
@click.option("--dry-run", is_flag=True, help="List what would be done, and how long it takes.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_installation
def drill(
    installation: Installation, *, only: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool
) -> int:
    """Hurt the demonstration that runs here, and prove what it survives."""
    from foresight.evidence.errors import CannotBegin

    faults = chosen(only)
    try:
        instance = _instance(installation)
    except CannotBegin as refused:
        complain(str(refused), refused.hint)
        return ExitCode.REFUSED
    except NotRunning as missing:
        complain(str(missing), "start a demonstration: `make run`, or `foresight up --detach`")
        return ExitCode.NOT_RUNNING
    if dry_run:
        _show_plan(faults, instance, as_json=as_json)
        return ExitCode.DONE
    _ask(faults, instance, yes=yes)
    return _drill(installation, instance, faults, as_json=as_json)


def _instance(installation: Installation) -> Instance:
    """Return what runs here.

    Raises:
        CannotBegin: It trades real money, or a deploy is under way.
        NotRunning: Nothing runs.
    """
    from foresight.drill.instance import Instance
    from foresight.evidence.errors import CannotBegin

    if installation.config.venue.live:
        message = f"{installation.config_path} is for real money"
        raise CannotBegin(message, "drill a demonstration: `make run` in a clone of the project")
    installation.launcher_status()
    record = installation.record()
    if record.rollout is not None or open_requests(installation.home):
        message = "a deploy is under way"
        raise CannotBegin(message, "`foresight status` shows it; drill when it has ended")
    return Instance(installation.home, installation.schedule(record), installation.config_path)


def _show_plan(faults: list[Fault], instance: Instance, *, as_json: bool) -> None:
    period_s = instance.period_s
    rows = [
        {
            "name": fault.name,
            "fault": fault.fault,
            "step": fault.step,
            "seconds": round(estimate_s([fault], period_s)),
        }
        for fault in faults
    ]
    if as_json:
        emit_json({"home": str(instance.home), "period_s": period_s, "faults": rows})
        return
    emit_table(
        ("name", "fault", "step", "seconds"), [tuple(row.values()) for row in rows], is_prose=True
    )
    emit_text(f"about {_minutes(estimate_s(faults, period_s))} in all; nothing was done")


def _ask(faults: list[Fault], instance: Instance, *, yes: bool) -> None:
    """Say what will happen; go on only if it is wanted."""
    whose = instance.home
    progress(f"{len(faults)} faults against {whose}, a period is {instance.period_s:g} s:")
    progress(f"about {_minutes(estimate_s(faults, instance.period_s))} in all")
    if any(fault.needs is not Needs.COPY for fault in faults):
        progress("its processes are killed and started again; a launcher goes on detached")
    if any(fault.needs is Needs.DEPLOY for fault in faults):
        progress("releases of the same code are deployed, and the one that runs is put back")
    if yes:
        return
    if not sys.stdin.isatty():
        what = "it kills processes: say --yes, or run it in a terminal and be asked"
        raise click.UsageError(what)
    click.confirm("Begin?", abort=True, err=True)


def _drill(
    installation: Installation, instance: Instance, faults: list[Fault], *, as_json: bool
) -> int:
    from foresight.drill.course import run
    from foresight.drill.observer import Observer
    from foresight.evidence.errors import EvidenceError

    begun_ns = now_ns()
    cells: list[Cell] = []
    holds = True
    try:
        with _ends_by_interrupt(), _scene(installation, instance, faults) as scene:
            observer = Observer(instance)
            try:
                for cell in run(faults, scene, observer, progress):
                    cells.append(cell)
                    progress(f"  {_sign(cell)} {cell.seconds:.0f} s: {cell.evidence}")
            finally:
                observer.close()
    except (EvidenceError, DeployError, HandoffError, StateError) as error:
        complain(str(error), error.hint)  # and yet what was seen until then is shown
        holds = False
    holds = holds and all(cell.holds for cell in cells)
    if as_json:
        _emit_cells(cells, instance, begun_ns, holds=holds)
    else:
        _show_cells(cells, begun_ns, holds=holds)
    return ExitCode.DONE if holds else ExitCode.FAILED


@contextlib.contextmanager
def _scene(installation: Installation, instance: Instance, faults: list[Fault]) -> Iterator[Scene]:
    """Yield what faults are made with; afterwards everything runs as before."""
    from foresight.drill.deploys import Deploys
    from foresight.drill.scene import Scene

    wants_deploys = any(fault.needs is Needs.DEPLOY for fault in faults)
    deploys = Deploys(instance, installation.repository) if wants_deploys else None
    scene = Scene(instance, deploys)
    try:
        yield scene
    finally:
        scene.mend()
        if deploys is not None:
            progress(f"putting {deploys.original.release} back in charge")
            deploys.close()


@contextlib.contextmanager
def _ends_by_interrupt() -> Iterator[None]:
    """Let TERM end a drill as Ctrl-C does: what is stopped is continued first."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _emit_cells(cells: list[Cell], instance: Instance, begun_ns: int, *, holds: bool) -> None:
    emit_json(
        {
            "ok": holds,
            "at": rfc3339(begun_ns),
            "home": str(instance.home),
            "release": instance.release,
            "period_s": instance.period_s,
            "seconds": round((now_ns() - begun_ns) / 1e9, 1),
            "cells": plain(cells),
            "elsewhere": [each._asdict() for each in ELSEWHERE],
        }
    )


def _show_cells(cells: list[Cell], begun_ns: int, *, holds: bool) -> None:
    rows = [(_sign(cell), cell.fault, cell.step, cell.seen, cell.evidence) for cell in cells]
    elsewhere = [("", each.fault, "", "not drilled here", each.proof) for each in ELSEWHERE]
    emit_table(COLUMNS, [*rows, *elsewhere], is_prose=True)
    good = sum(cell.holds for cell in cells)
    verdict = f"all {good} hold" if holds else f"{good} of {len(cells)} hold"
    emit_text(f"{verdict}; {_minutes((now_ns() - begun_ns) / 1e9)}")


def _sign(cell: Cell) -> str:
    from foresight.evidence.narration import Narrator

    narrator = Narrator()
    return narrator.tick if cell.holds else narrator.cross


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - as people say it
