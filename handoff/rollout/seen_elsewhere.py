"""What a record says of a deploy, where another host's workers may own: as events.

Owns the conclusions alone. On one host every change of owner is told by the launcher; what happens
on another one is seen in this home's mirror. It never runs ahead of the record, and whoever looks
says which epoch it knows of, so that one that lags behind says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff.rollout.events import BakeEnded, CycleSettled, Event, OwnershipReturned, Took
from handoff.rollout.table import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.rollout.table import Deploy
    from state.record import Record, Rollout


def seen_in(record: Record, deploy: Deploy, *, epoch: int, why: Callable[[], str]) -> Event | None:
    """Return what a record says that the deploy has not heard of yet, or None.

    Args:
        record: As it lies in the home.
        deploy: As far as it got.
        epoch: In which its candidate came to own, as far as was told; 0 where nobody said so.
        why: Returns why ownership went back, in words.
    """
    if record.ownership.epoch < epoch:
        return None
    rollout = record.rollout
    if rollout is not None and rollout.deploy_id == deploy.deploy_id:
        return _of_bake(record, rollout, deploy)
    owned = deploy.phase is Phase.BAKING or (deploy.phase is Phase.STOPPING and epoch > 0)
    if not owned:
        return None
    if deploy.phase is Phase.BAKING and record.ownership.release == deploy.release:
        return BakeEnded()
    return OwnershipReturned(why())


def _of_bake(record: Record, rollout: Rollout, deploy: Deploy) -> Event | None:
    if deploy.phase is Phase.READY:
        return Took(record.ownership.since_cycle, 0, bakes=True)
    if deploy.phase is Phase.BAKING and rollout.clean_cycles != deploy.clean_cycles:
        return CycleSettled(record.progress.cycle, rollout.clean_cycles, rollout.of)
    return None
