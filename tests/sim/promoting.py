"""The steps of an operator who ends a bake early, and what must hold of how a bake ends.

Owns what the operator was shown, which may be old by the time of the word, and a count of clean
cycles beside the record's own. The steps of workers are in `steps` and `performing`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from state import transitions
from tests.sim.states import Broken, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.record import Record

    Apply = Callable[[State, Callable[[Record], Record]], State | None]

DEPLOY: Final = "d"  # every deploy of a configuration: release and epoch tell two bakes apart


def promotions(state: State, record: Record, apply: Apply) -> Iterator[tuple[str, State]]:
    """Yield what an operator may do: look at the bake under way, or end the one that was shown.

    Args:
        state: The state.
        record: Its record.
        apply: From a state and a transition to the state after it; None where it is refused.
    """
    left, held = state.budget.promotes, record.ownership
    if not left:
        return
    seen = (held.release, held.epoch) if record.rollout is not None else None
    if seen is not None and state.shown != seen:
        yield f"an operator looks at r{seen[0]} in epoch {seen[1]}", state._replace(shown=seen)
    if state.shown is None:
        return
    spent = state._replace(budget=state.budget._replace(promotes=left - 1))
    release, epoch = state.shown
    change = partial(transitions.promote, deploy=DEPLOY, release=release, epoch=epoch, attempt="")
    after = apply(spent, lambda found: _checked(found, change(found)))
    if (after is not None) != (state.shown == seen):
        message = (
            f"an operator was shown {state.shown} and {seen} bakes: landed {after is not None}"
        )
        raise Broken(message)
    word = f"r{release} of epoch {epoch} is promoted"
    if after is None:
        yield f"{word} too late", spent._replace(shown=None)
    else:
        yield word, after._replace(promoted=True)


def _checked(before: Record, after: Record) -> Record:
    """Return what a promotion made of a record, if it touched nothing but what is wanted."""
    if after.rollout is None or replace(after, rollout=before.rollout) != before:
        message = "a promotion changes more than what is wanted of the bake"
        raise Broken(message)
    return after


def counted(state: State, before: Record, after: Record, *, is_clean: bool, bake: int) -> int:
    """Return how many clean cycles a bake has had once a cycle of it is settled.

    Args:
        state: The state before it is settled.
        before: The record before.
        after: The record after.
        is_clean: One owner decided and finished it, and nothing failed.
        bake: How many are wanted where nobody promotes.
    """
    if before.rollout is None:
        return 0
    clean = state.clean + is_clean
    wanted = min(bake, state.clean + 1) if state.promoted else bake
    ends = is_clean and clean >= wanted
    if ends != (after.rollout is None):
        word = "goes on" if ends else "ends"
        message = f"a bake {word} after {clean} clean cycles of {wanted}, the last {is_clean}"
        raise Broken(message)
    return 0 if ends else clean
