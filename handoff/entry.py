"""The program that a person names: whether what its tree and its entry say can be there at all.

Owns what is refused before anything is made or started. What a module holds is known only once it
is imported, which its worker does.
"""

from __future__ import annotations

from importlib.machinery import PathFinder
from pathlib import Path
from sys import builtin_module_names
from sys import path as search_path
from typing import TYPE_CHECKING

from handoff.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Iterable


class NotThere(HandoffError):
    """A tree, a file or a module is not where it was said to be, or nothing says which is meant."""

    def __init__(self, what: str, hint: str) -> None:
        """Keep what is wrong and what to do."""
        super().__init__(what)
        self.hint = hint


def refuse_no_tree(tree: Path) -> None:
    """Refuse what is no directory.

    Raises:
        NotThere: It is none.
    """
    if not tree.is_dir():
        what = f"{tree} is no directory" if tree.exists() else f"there is no directory {tree}"
        raise NotThere(what, "--tree names the directory that holds the program's modules")


def refuse_no_entry(tree: Path, entry: str) -> None:
    """Refuse an entry that no worker could load.

    Args:
        tree: The directory with the modules.
        entry: What is to be `module:factory`.

    Raises:
        NotThere: It is not, or that module is nowhere.
    """
    module, _, name = entry.partition(":")
    parts = (*module.split("."), name)
    if module.endswith(".py") or not all(part.isidentifier() for part in parts):
        hint = "say module:name, as news:look for `look` in news.py; --tree is where news.py is"
        what = f"{entry!r} does not say what runs"
        raise NotThere(what, hint)
    refuse_no_module(tree, module)


def refuse_no_module(tree: Path, module: str) -> None:
    """Refuse a module that is neither in a tree nor installed.

    Args:
        tree: The directory with the modules.
        module: Its name, perhaps with dots.

    Raises:
        NotThere: It is in neither.
    """
    first, *inner = module.split(".")
    if first in builtin_module_names:
        return
    spec = PathFinder.find_spec(first, [str(tree), *search_path])
    places = () if spec is None else spec.submodule_search_locations or ()
    if spec is None or not _holds(places, inner):
        what = f"{tree} has no module {module}"
        raise NotThere(what, "name a module that is there; --tree says where it is looked for")


def _holds(places: Iterable[str], inner: list[str]) -> bool:
    """Tell whether a package has a module, as far as files tell: nothing is imported for it."""
    if not inner:
        return True
    beneath = [Path(place, *inner[:-1]) for place in places]
    return any(
        (place / inner[-1]).is_dir() or any(place.glob(f"{inner[-1]}.*")) for place in beneath
    )
