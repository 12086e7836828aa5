"""Bytecode of a tree that never changes, written once so that no start has to compile.

Owns the `.pyc` files of a release. They carry the hash of their source and are never compared
with it at run time: the tree is read-only. A file whose source did not change since an earlier
release shares that release's bytecode, which is most of a deploy's compiling.
"""

from __future__ import annotations

import importlib.util
import os
import py_compile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNCHECKED: Final = py_compile.PycInvalidationMode.UNCHECKED_HASH
_FLAGS: Final = (0b01).to_bytes(4, "little")  # hash-based, not to be checked (PEP 552)
_HEADER_BYTES: Final = 16  # magic number, flags, hash of the source


def write(sources: Iterable[str], directory: Path, tree: Path, *, like: Path | None = None) -> None:
    """Put the bytecode of a tree beside its sources.

    What does not compile is left to the import that asks for it: a tree may carry files of
    other interpreters, and the gates start the rest.

    Args:
        sources: Paths of the sources, relative to the tree.
        directory: Where the tree is now.
        tree: Where it will be.
        like: An earlier release's tree, on the same disk, or None.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the author's linter says them, at a better moment
        for source in sources:
            path = directory / source
            if like is None or not _share(like / source, path):
                py_compile.compile(
                    str(path), dfile=str(tree / source), quiet=2, invalidation_mode=_UNCHECKED
                )


def _share(earlier: Path, source: Path) -> bool:
    """Link the earlier bytecode if it was compiled from the same bytes."""
    compiled = Path(importlib.util.cache_from_source(str(earlier)))
    wanted = importlib.util.MAGIC_NUMBER + _FLAGS + importlib.util.source_hash(source.read_bytes())
    try:
        with compiled.open("rb") as file:
            if file.read(_HEADER_BYTES) != wanted:
                return False
        place = Path(importlib.util.cache_from_source(str(source)))
        place.parent.mkdir(exist_ok=True)
        os.link(compiled, place)
    except OSError:  # it is not there, or this disk has no links
        return False
    return True
