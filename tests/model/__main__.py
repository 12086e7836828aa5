"""`python -m tests.model`: search the lease rules' states, and those of each rule broken."""

from __future__ import annotations

import sys
import time

from tests.model.leases import MUTANTS, TROUBLES, Model, Rules, first, is_goal
from tests.model.search import Found, search


def found(rules: Rules, left: tuple[int, int, int, int], *, until_broken: bool = False) -> Found:
    """Search the states under some rules, where so much may go wrong."""
    return search(first(left), Model(rules).steps, is_goal, until_broken=until_broken)


def name_of(rules: Rules) -> str:
    """Return which rule is broken."""
    broken = [name for name in Rules._fields if not getattr(rules, name)]
    return f"without {broken[0]}" if broken else "the rules"


def what_breaks(rules: Rules) -> Found | None:
    """Return what the first search found that a broken rule does not survive."""
    for left in TROUBLES:
        came = found(rules, left, until_broken=True)
        if came.broken or came.stuck:
            return came
    return None


def main() -> int:
    """Print what each search found; return 1 if the rules break, or a broken one does not."""
    bad = 0
    for left in TROUBLES:
        begun_s, came = time.monotonic(), found(Rules(), left)
        bad += bool(came.broken or came.stuck or not came.is_complete)
        _say(f"the rules, {left}", came, time.monotonic() - begun_s)
    for rules in MUTANTS:
        begun_s, broken = time.monotonic(), what_breaks(rules)
        bad += broken is None
        if broken is None:
            sys.stdout.write(f"{name_of(rules)}: SURVIVES\n")
        else:
            _say(name_of(rules), broken, time.monotonic() - begun_s)
    return 1 if bad else 0


def _say(name: str, came: Found, seconds: float) -> None:
    whole = "complete" if came.is_complete else "not looked at whole"
    sys.stdout.write(
        f"{name}: {came.states} states, {came.steps} steps, {whole}, "
        f"stuck {came.stuck}, {seconds:.0f} s\n"
    )
    for what, words in came.broken.items():
        sys.stdout.write(f"    {what}: {'; '.join(words)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
