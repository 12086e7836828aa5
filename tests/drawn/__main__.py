"""Draw mutants by a seed and see that the tests notice them.

`python -m tests.drawn` makes small changes to the modules of `modules.toml`, each in a copy of
the tree, and runs the tests that are named beside the module. What was tried is kept, so that a
draw goes on where it was stopped; it is tried again when the module or its tests have changed.
Exits 1 if one survives that `survivors.toml` does not list.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec

from tests.drawn.drawing import ROOT, Module, Mutant, drawn, modules, source_of, survivors
from tests.drawn.trial import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = 2
KEPT = ROOT / "build" / "drawn"


class Tried(msgspec.Struct, frozen=True):
    """What became of a mutant.

    Attributes:
        name: The mutant.
        of: Digest of its module and of the tests.
        by: What noticed it; "" if it survived.
    """

    name: str
    of: str
    by: str


class Kept:
    """What was tried before, a line each.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        """Read it; a line that a stop cut off says nothing."""
        self._path = path
        self._known: dict[tuple[str, str], Tried] = {}
        if path.exists():
            for line in path.read_bytes().split(b"\n")[:-1]:
                tried = msgspec.json.decode(line, type=Tried)
                self._known[tried.name, tried.of] = tried

    def find(self, mutant: Mutant) -> Tried | None:
        """Return what became of a mutant, if nothing has changed since."""
        return self._known.get((mutant.name, digest_of(mutant.module)))

    def add(self, mutant: Mutant, by: str) -> Tried:
        """Keep what became of one."""
        tried = Tried(mutant.name, digest_of(mutant.module), by)
        self._known[tried.name, tried.of] = tried
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(tried) + b"\n")
        return tried


def digest_of(module: Module) -> str:
    """Return what tells whether a module or its tests have changed."""
    texts = [
        source_of(module),
        *((ROOT / file).read_text(encoding="utf-8") for file in module.tests),
    ]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def tried(mutants: list[Mutant], kept: Kept) -> Iterator[tuple[Mutant, Tried]]:
    """Try what was not tried before; yield what became of each.

    Raises:
        RuntimeError: The tests fail without any mutant.
    """
    new = []
    for mutant in mutants:
        known = kept.find(mutant)
        if known is None:
            new.append(mutant)
        else:
            yield mutant, known
    if not new:
        return
    with tempfile.TemporaryDirectory(prefix="drawn-") as place:
        trees = _trees(Path(place), new)

        def notices(mutant: Mutant) -> str:
            tree = trees.get()
            try:
                return tree.notices(mutant)
            finally:
                trees.put(tree)

        with ThreadPoolExecutor(JOBS) as threads:
            for mutant, by in zip(new, threads.map(notices, new), strict=True):
                yield mutant, kept.add(mutant, by)


def _trees(place: Path, mutants: list[Mutant]) -> SimpleQueue[Tree]:
    first = Tree(_made(place / "0"))
    failed = first.warm({mutant.module for mutant in mutants})
    if failed:
        message = f"the tests fail without any mutant\n{failed}"
        raise RuntimeError(message)
    trees: SimpleQueue[Tree] = SimpleQueue()
    trees.put(first)
    for number in range(1, JOBS):
        trees.put(Tree(_made(place / str(number)), first.place))
    return trees


def _made(place: Path) -> Path:
    place.mkdir()
    return place


def main(arguments: list[str] | None = None) -> int:
    """Draw, try, tell; return 1 if one survives that is not listed."""
    parser = argparse.ArgumentParser(prog="python -m tests.drawn", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what decides the draw (1)")
    parser.add_argument("--count", type=int, default=60, help="how many (60)")
    parser.add_argument("--group", default="rules", choices=["rules", "shells"])
    parser.add_argument("--only", metavar="PATH", help="mutants of this module alone")
    asked = parser.parse_args(arguments)
    chosen = [each for each in modules(asked.group) if asked.only in {None, each.path}]
    if not chosen:
        parser.error(f"{asked.only} is not in modules.toml")
    mutants = drawn(chosen, asked.seed, asked.count)
    _say(f"{len(mutants)} mutants of {len(chosen)} modules, seed {asked.seed}")
    listed = {(each.module, each.key) for each in survivors()}
    counts: Counter[str] = Counter()
    kept = Kept(KEPT / f"{asked.group}-{asked.seed}.jsonl")
    for mutant, became in tried(mutants, kept):
        known = (mutant.module.path, mutant.mutation.key) in listed
        word = "noticed" if became.by else "listed" if known else "SURVIVED"
        counts[word] += 1
        _say(f"{sum(counts.values()):4}  {word:8}  {mutant.name}")
    _say(", ".join(f"{counts[word]} {word}" for word in ("noticed", "listed", "SURVIVED")))
    return 1 if counts["SURVIVED"] else 0


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
