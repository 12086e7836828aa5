"""Which mutants are tried: drawn by a seed, evenly over the modules.

Owns the order. A draw of ten is the beginning of a draw of six hundred, and what changes
elsewhere in a module does not change what is drawn of it.
"""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from tests.drawn.mutations import Mutation, applied, mutations_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
PLACE: Final = Path(__file__).resolve().parent


class Module(msgspec.Struct, frozen=True):
    """A module with the files of tests that must notice what is wrong with it.

    Attributes:
        path: The module, from the root of the tree.
        tests: The files.
        hangs_s: Tests that take this long with a mutant have noticed it; well above what they
            take without one on a machine that has other work.
    """

    path: str
    tests: tuple[str, ...]
    hangs_s: float = 60.0


class Survivor(msgspec.Struct, frozen=True):
    """A mutant that no test notices, and why nothing is lost by it."""

    module: str
    key: str
    reason: str


class Mutant(NamedTuple):
    """One change of one module."""

    module: Module
    mutation: Mutation

    @property
    def name(self) -> str:
        """What is changed, where."""
        return f"{self.module.path}: {self.mutation.key}"


def modules(group: str) -> list[Module]:
    """Return the modules of a group of `modules.toml`: `rules` or `shells`."""
    with (PLACE / "modules.toml").open("rb") as file:
        return msgspec.convert(tomllib.load(file)[group], list[Module])


def survivors() -> list[Survivor]:
    """Return those that are listed in `survivors.toml`."""
    with (PLACE / "survivors.toml").open("rb") as file:
        return msgspec.convert(tomllib.load(file).get("survivor", []), list[Survivor])


def drawn(chosen: list[Module], seed: int, count: int) -> list[Mutant]:
    """Return so many mutants, or all there are: one of each module, then another of each."""
    rows = [_shuffled(module, seed) for module in sorted(chosen, key=lambda m: _rank(seed, m.path))]
    return list(itertools.islice(_in_turn(rows), count))


def _in_turn(rows: list[Iterator[Mutant]]) -> Iterator[Mutant]:
    """Yield one of each row, then another of each; a row is begun when its turn comes."""
    while rows:
        left = []
        for row in rows:
            mutant = next(row, None)
            if mutant is not None:
                yield mutant
                left.append(row)
        rows = left


def source_of(module: Module) -> str:
    """Return the module's text."""
    return (ROOT / module.path).read_text(encoding="utf-8")


def _shuffled(module: Module, seed: int) -> Iterator[Mutant]:
    source = source_of(module)
    for mutation in sorted(mutations_of(source), key=lambda m: _rank(seed, module.path, m.key)):
        if applied(mutation, source) is not None:
            yield Mutant(module, mutation)


def _rank(seed: int, *words: str) -> str:
    return hashlib.sha256("\0".join((str(seed), *words)).encode()).hexdigest()
