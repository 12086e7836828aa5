"""Where page and exchange listen: bound by `up` itself, and handed to the launcher.

Owns which port it is. What is bound here is nobody else's by the time that the launcher starts.
A port that a companion of a launcher before it still holds is ours: that launcher's successor
adopts the companion, and the address stays. A port that somebody else has is the launcher's to
try again; it alone knows whether a worker relies on it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from foresight.cli.output import progress
from foresight.port_holder import why_not
from handoff.launcher.adoption import is_named
from handoff.launcher.edition_rules import is_edition
from handoff.launcher.engine_config import EngineConfigInvalid, read_engine_config
from handoff.launcher.listeners import address_of, bind
from handoff.launcher.locks import take_home
from handoff.launcher.open_sockets import has_open, listeners_of
from handoff.launcher.supervision import Role
from handoff.launcher.written_down import from_plain, read_written
from handoff.life_signs import file_id_of
from handoff.processes import proven_dead

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable
    from pathlib import Path

ANY_PORT = "0"


class Bound(NamedTuple):
    """Where a companion listens.

    Attributes:
        address: As `host:port`.
        listener: Its socket; None where a companion that lives has it, or somebody else.
    """

    address: str
    listener: socket.socket | None = None


def bound_for(
    home: Path, name: str, wanted: str, *, stays: bool = False, elsewhere: bool = False
) -> Bound:
    """Bind the address of a companion.

    Args:
        home: The state directory.
        name: The companion's name.
        wanted: `host:port`; port 0 takes a free one, unless one that lives listens already.
        stays: With port 0, take the port of the start before this one.
        elsewhere: Take another port where somebody else has the wished one: nobody was told it.
    """
    host, _, port = wanted.rpartition(":")
    before = earlier(home, name) if port == ANY_PORT else wanted
    known = before.rpartition(":")[0] == host
    if known and is_ours(home, name, before):
        return Bound(before)
    kept = before if known and (stays or port != ANY_PORT) else wanted
    try:
        listener = bind(kept)
    except OSError as error:
        if elsewhere and port != ANY_PORT:
            return _another(home, name, wanted, error)
        otherwise = ", or takes another port while no worker lives" if stays else ""
        progress(f"{_why(home, name, kept, error)}; the launcher tries on{otherwise}")
        return Bound(kept)
    return Bound(address_of(listener), listener)


def _why(home: Path, name: str, wanted: str, error: OSError) -> str:
    return f"{wanted}, wished for the {name}, {why_not(error, wanted, home)}"


def _another(home: Path, name: str, wanted: str, error: OSError) -> Bound:
    host, why = wanted.rpartition(":")[0], _why(home, name, wanted, error)
    try:
        listener = bind(f"{host}:{ANY_PORT}")
    except OSError:
        progress(f"{why}; the launcher tries on")
        return Bound(wanted)
    found = address_of(listener)
    progress(f"{why}; it is at {found} instead ([engine] page names another port)")
    return Bound(found, listener)


def earlier(home: Path, name: str) -> str:
    """Return where a companion of this home listened last, or an empty string."""
    with contextlib.suppress(EngineConfigInvalid):
        companions = read_engine_config(home).companions
        return next((each.listen for each in companions if each.name == name), "")
    return ""


def is_ours(home: Path, name: str, address: str) -> bool:
    """Tell whether a companion that the next launcher adopts has this port.

    Args:
        home: The state directory; no launcher holds its lock.
        name: The companion's name.
        address: `host:port`.
    """
    inodes = listeners_of(address)
    if not inodes:
        return False
    plain, lock = read_written(home), take_home(home)
    try:
        if is_named(plain, file_id_of(lock)) is False:
            return False  # written in another home than this one, which is a copy
    finally:
        os.close(lock)
    written = [from_plain(each, now_s=0.0) for each in plain.get("children", ())]
    return any(
        not proven_dead(each.identity) and has_open(each.identity.pid, inodes)
        for each in written
        if each is not None
        and each.child.role is Role.COMPANION
        and is_edition(each.child.name, name)
    )


def is_held(address: str, pids: Iterable[int]) -> bool:
    """Tell whether one of these processes of ours has a port, or nobody can see who has it.

    Args:
        address: `host:port`.
        pids: A launcher and its companions.
    """
    inodes = listeners_of(address)
    return inodes is None or any(has_open(pid, inodes) for pid in pids)
