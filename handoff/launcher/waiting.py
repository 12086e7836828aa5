"""Since when children wait for somebody: a candidate for its deployer, a worker for its record.

Owns what is noted of that in the table of children. What follows from it is `supervision`'s.
Standard library only.
"""

from __future__ import annotations

import time

from handoff.launcher.supervision import Role, after_away
from handoff.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff.launcher.children import Children, Running
    from handoff.launcher.connections import Connections


def note_drivers(children: Children, connections: Connections) -> None:
    """Note since when nobody drives a candidate: its deployer died, or an older launcher."""
    for running in children:
        child = running.child
        if child.role is not Role.CANDIDATE or connections.is_driven(child.deploy_id):
            children.update(running, undriven_s=None)
        elif child.undriven_s is None:
            children.update(running, undriven_s=time.monotonic())


def all_within_reach(children: Children, running: Running, overdue_s: float | None) -> bool:
    """Note that a worker reaches the record again; once all do, everybody's time begins anew.

    Args:
        children: The table.
        running: The worker.
        overdue_s: When an owner is overdue from now on, as that worker says; None if it does not.

    Returns:
        Whether nobody is out of reach any more.
    """
    children.update(running, away_since_ms=0.0)
    if any(child.away for child in children.values()):
        return False
    now_s = time.monotonic()
    for each in children:
        fresh = after_away(each.child, now_s)
        due_s = overdue_s if each is running and each.child.owner else fresh.overdue_s
        children.update(each, started_s=fresh.started_s, overdue_s=due_s)
    return True
