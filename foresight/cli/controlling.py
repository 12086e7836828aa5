"""`pause`, `resume` and `halt`: the operator's wish, written into the record.

Owns these three commands. The wish survives restarts and deploys because it is in the
record; nothing has to be running for it to be written.
"""

from __future__ import annotations

import secrets
from functools import partial

import click

from foresight.account import asker
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.moments import now_ns
from foresight.cli.output import progress
from handoff.exit_codes import ExitCode
from handoff.plain_text import storable
from state import transitions
from state.record import Control
from state.store import Note

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
    # An argument of other bytes than the terminal's encoding is no text, and no reason to go on.
    said = storable(note)
    control = Control(paused=paused, halted=halted, by=asker(), at_ns=now_ns(), note=said)
    change = partial(transitions.command, control=control, attempt=secrets.token_hex(8))
    installation.write(change, Note(kind="command", evidence={"by": control.by, "note": said}))
    words = "halted" if halted else "paused" if paused else "trading"
    progress(f"{words} from the next cycle on")
    return ExitCode.DONE
