"""`python -m tests.world [NAME…]`: a bot's whole life in each environment that is not kind.

Here and not in `bench`, because each environment has one right outcome and nothing is measured;
a folder of its own, because all of them are some ten minutes and CI tries a fixed six. Every
command is the real one, in a project that `init` made, at a period of one second. Prints what
came of each; exits 1 if one is not as it has to be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.world.environments import FIXED_SIX, WORLDS, World, can_be
from tests.world.project import project
from tests.world.trial import Outcome, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def outcomes(worlds: Sequence[World], place: Path) -> Iterator[Outcome]:
    """Try the environments one after the other; yield what came of each."""
    template = project(place)
    for number, world in enumerate(worlds):
        if can_be(world):
            yield Trial(world, place / f"world-{number}", template).run()
        else:
            faults = ["this machine gives no user namespace"]
            yield Outcome(name=world.name, said="not tried", seconds=0.0, faults=faults)


def main(argv: list[str] | None = None) -> int:
    """Try what is wanted, print a line for each, and tell whether all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.world")
    parser.add_argument("names", nargs="*", help="parts of the environments' names; all of them")
    parser.add_argument("--six", action="store_true", help="those that CI tries")
    arguments = parser.parse_args(argv)
    worlds = [each for each in WORLDS if not arguments.six or each.name in FIXED_SIX]
    if arguments.names:
        worlds = [each for each in worlds if any(part in each.name for part in arguments.names)]
    faulty = 0
    with tempfile.TemporaryDirectory(prefix="world-") as temporary:
        for outcome in outcomes(worlds, Path(temporary).resolve()):
            faulty += bool(outcome.faults)
            sys.stdout.write(f"{outcome.name:44} {outcome.seconds:5.0f} s  {outcome.said}\n")
            sys.stdout.writelines(f"    wrong: {fault}\n" for fault in outcome.faults)
            sys.stdout.flush()
    sys.stdout.write(f"{len(worlds)} environments, {faulty} not as they have to be\n")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
