"""Breadth-first search over all states of a model: safety on each step, a goal from each state."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

StateT = TypeVar("StateT", bound="Hashable")
STATES_MAX = 400_000


class Step(NamedTuple):
    """One step: its words, where it leads, and what it breaks if anything."""

    words: str
    state: object
    broken: str = ""


class Found(NamedTuple):
    """What a search found.

    Attributes:
        states: How many there are.
        steps: How many.
        is_complete: Whether none was left out.
        broken: The shortest trace of each kind of violation, in words.
        stuck: How many states the goal cannot be reached from.
    """

    states: int
    steps: int
    is_complete: bool
    broken: dict[str, list[str]]
    stuck: int


def search(
    first: StateT,
    steps_of: Callable[[StateT], Iterable[Step]],
    is_goal: Callable[[StateT], bool],
    *,
    until_broken: bool = False,
) -> Found:
    """Look at every state that can be reached; what follows a violation is not looked at.

    Args:
        first: Where it begins.
        steps_of: What may happen next.
        is_goal: What must be in reach of every state.
        until_broken: Whether one violation is enough.
    """
    came: dict[StateT, tuple[StateT, str] | None] = {first: None}
    before: dict[StateT, list[StateT]] = {}
    broken: dict[str, tuple[StateT, str]] = {}
    waiting, count = deque([first]), 0
    while waiting and len(came) <= STATES_MAX and not (broken and until_broken):
        state = waiting.popleft()
        for words, following, what in steps_of(state):
            count += 1
            if what:
                broken.setdefault(what, (state, words))
                continue
            before.setdefault(following, []).append(state)  # type: ignore[arg-type] # a state
            if following not in came:
                came[following] = (state, words)  # type: ignore[index] # as above
                waiting.append(following)  # type: ignore[arg-type] # as above
    reaching = {state for state in came if is_goal(state)}
    back = deque(reaching)
    while back:
        for state in before.get(back.popleft(), ()):
            if state not in reaching:
                reaching.add(state)
                back.append(state)
    traces = {what: [*_trace(came, state), words] for what, (state, words) in broken.items()}
    is_complete = not waiting
    stuck = len(came) - len(reaching) if is_complete else 0
    return Found(len(came), count, is_complete, traces, stuck)


def _trace(came: dict[StateT, tuple[StateT, str] | None], state: StateT) -> list[str]:
    words: list[str] = []
    while (step := came[state]) is not None:
        state, said = step
        words.append(said)
    return words[::-1]
