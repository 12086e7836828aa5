"""What a worker is made of: an application, a store, and the ports to the world.

Owns the bundle only. The same worker lives on real parts (`worker_process`) and on simulated
ones; it never asks which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic

import msgspec

from handoff.cadence import Schedule
from handoff.logs import Log
from handoff.worker.ports import Channel, Clock, Hosts
from handoff.workload import BodyT, InputsT, Workload
from state.journal_frames import Line
from state.record import WorkerId
from state.store import Store


def _no_lines() -> Sequence[Line]:
    return ()


class Parts(msgspec.Struct, Generic[BodyT, InputsT], frozen=True, kw_only=True):
    """What a worker is made of; real or simulated.

    Attributes:
        newest_lines: Returns the journal's last lines, oldest first, two at least where there
            are two: what a shadow decides again, and what says when cycles begin.
    """

    workload: Workload[BodyT, InputsT]
    store: Store
    clock: Clock
    hosts: Hosts
    channel: Channel
    schedule: Schedule
    me: WorkerId
    log: Log
    newest_lines: Callable[[], Sequence[Line]] = _no_lines
