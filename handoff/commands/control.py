"""What an operator wishes, written into the record: paused, halted, or neither.

Owns the write. The wish survives restarts and deploys because it is in the record; nothing has to
be running for it to be written.
"""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import TYPE_CHECKING

from handoff.account import asker
from handoff.launcher.engine_config import read_engine_config
from handoff.plain_text import storable
from handoff.shared_record import open_shared
from state import transitions
from state.local_store import LocalStore, read_only_snapshot
from state.mirror import is_mirrored
from state.record import Control
from state.store import Note

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from state.record import Record
    from state.store import Store

    Change = Callable[[Record], Record]


def write_control(
    home: Path,
    *,
    paused: bool,
    halted: bool,
    note: str,
    by: str = "",
    as_asked: Callable[[Change], Change] = lambda change: change,
) -> None:
    """Write what is wished from the next cycle on.

    Args:
        home: The state directory.
        paused: Nothing new is to be taken on.
        halted: Nothing at all is to be sent.
        note: Why, in the operator's words; what is no text in it is escaped.
        by: Who wishes it; empty for the account of this process.
        as_asked: From the change to one that also refuses what its asker did not see.

    Raises:
        StateError: There is no record, or it cannot be used.
    """
    # An argument of other bytes than the terminal's encoding is no text, and no reason to go on.
    said = storable(note)
    control = Control(
        paused=paused, halted=halted, by=by or asker(), at_ns=time.time_ns(), note=said
    )
    change = partial(transitions.command, control=control, attempt=secrets.token_hex(8))
    write(home, as_asked(change), Note(kind="command", evidence={"by": control.by, "note": said}))


def _open(home: Path) -> Store:
    """Open the record of a home, or the one in an etcd that it mirrors."""
    state = home / "state"
    record = read_only_snapshot(state)
    if not is_mirrored(state):
        return LocalStore(state, app=record.app, timeline=record.timeline, now_ns=time.time_ns)
    told = dict(read_engine_config(home).environment)
    return open_shared(home, told, app=record.app, timeline=record.timeline, now_ns=time.time_ns)


def write(home: Path, change: Change, note: Note) -> None:
    """Change a record by a rule, whoever owns it.

    Args:
        home: The state directory.
        change: From the record as it is to the one that is wanted.
        note: What the journal says of it.

    Raises:
        StateError: There is no record, or it cannot be used.
    """
    store = _open(home)
    try:
        store.transact(change, note)
    finally:
        store.close()
