"""`pause`, `resume` and `halt`: the operator's wish, written into the record.

Owns these three commands. The wish survives restarts and deploys because it is in the
record; nothing has to be running for it to be written.
"""

from __future__ import annotations

import click

from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import progress
from handoff.commands.control import write_control
from handoff.exit_codes import ExitCode

note_option = click.option("--note", default="", help="Why; kept in the record.")


@click.command()
@note_option
@pass_installation
def pause(installation: Installation, *, note: str) -> int:
    """Take no new positions; those that are open run to their end."""
    return _command(installation, paused=True, halted=False, note=note)


@click.command()
@note_option
@pass_installation
def resume(installation: Installation, *, note: str) -> int:
    """Trade again after a pause or a halt."""
    return _command(installation, paused=False, halted=False, note=note)


@click.command()
@note_option
@pass_installation
def halt(installation: Installation, *, note: str) -> int:
    """Send nothing at all; nothing is closed either."""
    return _command(installation, paused=True, halted=True, note=note)


def _command(installation: Installation, *, paused: bool, halted: bool, note: str) -> int:
    # Trading again is wished of what the file names; trading less, of whatever runs.
    write_control(
        installation.home_in_need() if paused else installation.home,
        paused=paused,
        halted=halted,
        note=note,
        by=installation.asker(),
        as_asked=installation.as_shown,
    )
    words = "halted" if halted else "paused" if paused else "trading"
    progress(f"{words} from the next cycle on")
    return ExitCode.DONE
