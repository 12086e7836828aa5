"""Every order of steps of a small configuration, over the real transitions.

`python -m tests.sim.enumerate` visits all states that two or three workers can reach in two
cycles, whatever is slow, stopped, killed, restarted, lost on the way or delivered late, and checks
the same guarantees as the simulation in each. Untimed: whoever is alive may do its next step, or
not do it for as long as it takes. What a worker does beside the transitions is a model here; the
simulation has the real one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from typing import Final, NamedTuple

from state.record import Delivery
from tests.sim.states import Broken, Config, State, broken_in, is_done, is_stuck
from tests.sim.steps import Model


class Result(NamedTuple):
    """What an enumeration found: how many states, whether all of them, what is broken, how."""

    states: int
    complete: bool
    violation: str
    path: tuple[str, ...]


def explore(config: Config, states_max: int | None = None) -> Result:
    """Visit the states of a configuration, nearest first.

    Args:
        config: The configuration.
        states_max: Stop after so many; None means all.
    """
    model = Model(config)
    first = model.first()
    came: dict[State, tuple[State, str] | None] = {first: None}
    queue = deque([first])
    leads_to: dict[State, list[State]] = {}
    while queue:
        state = queue.popleft()
        try:
            violation = next(broken_in(state, model.record_of(state)), "")
            following = list(model.steps(state))
        except Broken as broken:
            violation, following = str(broken), []
        for word, after in following:
            if config.starts < 0:
                leads_to.setdefault(after, []).append(state)
            if after not in came:
                came[after] = (state, word)
                queue.append(after)
        moves = any(not word.endswith("dies") for word, _ in following)
        if not (violation or moves) and is_stuck(state, model.record_of(state), config.cycles):
            violation = "nobody can go on"
        if violation:
            return Result(len(came), complete=False, violation=violation, path=_path(came, state))
        if states_max is not None and len(came) >= states_max:
            return Result(len(came), complete=False, violation="", path=())
    lost = _without_end(model, came, leads_to) if config.starts < 0 else None
    if lost is not None:
        violation = "from here the cycles can never all be settled"
        return Result(len(came), complete=True, violation=violation, path=_path(came, lost))
    return Result(len(came), complete=True, violation="", path=())


def _without_end(
    model: Model, came: dict[State, tuple[State, str] | None], leads_to: dict[State, list[State]]
) -> State | None:
    """Return the nearest state from which no order of steps settles every cycle, or None."""
    cycles = model.config.cycles
    good = {state for state in came if is_done(model.record_of(state), cycles)}
    queue = deque(good)
    while queue:
        for before in leads_to.get(queue.popleft(), ()):
            if before not in good:
                good.add(before)
                queue.append(before)
    return next((state for state in came if state not in good), None)


def _path(came: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    words: list[str] = []
    step = came[state]
    while step is not None:
        words.append(step[1])
        step = came[step[0]]
    return tuple(reversed(words))


PAIR: Final = ((1, False), (2, True))
TRIO: Final = ((1, False), (2, True), (1, False))
ALONE: Final = ((1, False),)
# A cycle that nobody survives, effects that nobody answers, owners that may still live: each small
# enough to be seen whole. Where starts never end, all cycles are settled in the end.
HARD: Final = (
    Config(ALONE, crashes=0, starts=-1, poison=(1, "decide")),
    Config(ALONE, crashes=0, starts=-1, poison=(1, "perform")),
    Config(ALONE, crashes=1, starts=-1, poison=(1, "perform"), refuses=True),
    Config(ALONE, cycles=3, crashes=0, starts=-1, poison=(2, "perform")),
    Config(ALONE, crashes=0, starts=-1, stops=2, poison=(1, "decide")),
    Config(PAIR, cycles=1, crashes=0, starts=3, poison=(1, "decide")),
    Config(PAIR, cycles=1, crashes=0, starts=3, poison=(1, "perform")),
    Config(ALONE, crashes=1, starts=-1, delivery=Delivery.AT_LEAST_ONCE),
    Config(ALONE, crashes=0, starts=-1, poison=(1, "perform"), delivery=Delivery.AT_LEAST_ONCE),
    Config(ALONE, crashes=1, starts=-1, delivery=Delivery.AT_MOST_ONCE),
    Config(((1, False), (1, False)), crashes=0, starts=-1, leases=1),
    Config(((1, False), (1, False)), crashes=1, starts=-1, leases=1),
    Config(((1, False), (1, False)), cycles=1, crashes=1, starts=-1, leases=1, refuses=True),
    Config(((1, False), (1, False)), cycles=1, crashes=1, starts=-1, leases=1, enforces=True),
)
# An operator ends a bake early: shown it at any earlier moment, twice, while its owner dies, while
# a bad cycle gives ownership back, while inputs fail.
PROMOTED: Final = (
    Config(PAIR, cycles=1, bake=2, crashes=0, starts=1, bad=1, promotes=2, refuses=True),
    Config(PAIR, cycles=2, bake=3, crashes=0, starts=0, bad=1, promotes=2),
    Config(PAIR, cycles=2, bake=3, crashes=1, starts=1, promotes=1),
    Config(PAIR, cycles=2, bake=2, crashes=1, starts=2, bad=1, promotes=1),
    Config(((1, False), (2, True), (2, True)), bake=3, crashes=0, starts=0, bad=1, promotes=2),
)
SMALL: Final = tuple(
    Config(PAIR, refuses=refuses, crashes=1, starts=1, lost=0, bad=1) for refuses in (False, True)
)
ALL: Final = tuple(
    Config(slots, bake=bake, crashes=crashes, starts=1, lost=lost, bad=1, refuses=refuses)
    for slots, crashes in ((PAIR, 2), (TRIO, 1))
    for bake in (1, 2)
    for lost in (0, 1)
    for refuses in (False, True)
)


def main(arguments: list[str] | None = None) -> int:
    """Visit all configurations; return 1 if a guarantee is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.enumerate", description=__doc__)
    parser.add_argument("--small", action="store_true", help="only what runs with the tests")
    parser.add_argument("--states", type=int, help="visit at most so many of each")
    options = parser.parse_args(arguments)
    broken = 0
    for config in (*SMALL, *HARD, *PROMOTED) if options.small else (*ALL, *HARD, *PROMOTED):
        begun_s = time.monotonic()
        result = explore(config, options.states)
        seconds = time.monotonic() - begun_s
        verdict = result.violation or ("complete" if result.complete else "not complete")
        sys.stdout.write(f"{result.states:8} states {seconds:6.1f} s  {config}: {verdict}\n")
        for word in result.path:
            sys.stdout.write(f"            {word}\n")
        sys.stdout.flush()
        broken += bool(result.violation)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
