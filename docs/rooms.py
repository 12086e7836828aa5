"""Draws the rooms of the house, files and folders, from what they import.

Owns how a folder is cut into rooms, which arrows are drawn, and the list of what each room is
for. An arrow says "imports"; one that follows from others is left out, so that a picture shows
floors. Imports for type checkers alone are no arrows: nothing runs through them.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grimp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("foresight", "deploy", "handoff", "state")
NOTE: Final = "Drawn by `make docs` from the imports and the first line of each module."

Arrows = dict[str, set[str]]
"""For each room those that it imports."""


def drawing() -> str:
    """Return the picture of the house and of each package, in Markdown; a folder is one room."""
    graph = _imports()
    lines = ["What the packages import of each other:", "", *_picture(house(graph))]
    for package in PACKAGES:
        lines += ["", f"`{package}/`: {_first_line(ROOT / package / '__init__.py')}", ""]
        lines += _picture(inside(graph, package))
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return every folder with its picture and what each of its rooms is for, in Markdown."""
    graph = _imports()
    lines = ["# Every room, and what it is for", "", NOTE, ""]
    for folder in folders():
        name = folder.relative_to(ROOT).as_posix()
        lines += [f"## `{name}/`", "", _first_line(folder / "__init__.py"), ""]
        arrows = inside(graph, name.replace("/", "."))
        lines += [*_picture(arrows), ""] if any(arrows.values()) else []
        rooms = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
        lines += [f"- [`{path.name}`](../{name}/{path.name}) {_first_line(path)}" for path in rooms]
        lines += [""]
    return "\n".join(lines)


def folders() -> Iterator[Path]:
    """Yield every folder with modules of ours, outermost first."""
    for package in PACKAGES:
        for init in sorted((ROOT / package).rglob("__init__.py")):
            if "template" not in init.parts:
                yield init.parent


def house(graph: grimp.ImportGraph) -> Arrows:
    """Return what the four packages import of each other."""
    return _between(graph, {module: module.partition(".")[0] for module in graph.modules})


def inside(graph: grimp.ImportGraph, package: str) -> Arrows:
    """Return what the rooms of one folder import of each other; a folder in it is one room."""
    depth = package.count(".") + 2
    below = graph.find_descendants(package)
    return _between(graph, {module: ".".join(module.split(".")[:depth]) for module in below})


def _imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True)


def _between(graph: grimp.ImportGraph, room_of: Mapping[str, str]) -> Arrows:
    """Return what rooms import of each other, given the room of each module."""
    arrows: Arrows = {room: set() for room in room_of.values()}
    for module, room in room_of.items():
        imported = graph.find_modules_directly_imported_by(module)
        arrows[room] |= {room_of[each] for each in imported if each in room_of} - {room}
    return arrows


def _picture(arrows: Arrows) -> list[str]:
    """Return a flowchart in mermaid's words, in the order of names, so that a change shows."""
    kept = reduced(arrows)
    nodes = [f'    {_id(room)}["{room.rpartition(".")[2]}"]' for room in sorted(arrows)]
    pairs = [(room, target) for room in sorted(kept) for target in sorted(kept[room])]
    lines = [f"    {_id(room)} --> {_id(target)}" for room, target in pairs]
    return ["```mermaid", "flowchart TD", *nodes, *lines, "```"]


def reduced(arrows: Arrows) -> Arrows:
    """Return the arrows without those that a longer way stands for.

    Raises:
        AssertionError: There is a circle; the layers forbid one.
    """
    reach = _reach(arrows)
    assert all(room not in reached for room, reached in reach.items()), "rooms import in a circle"
    return {
        room: {each for each in targets if not any(each in reach[other] for other in targets)}
        for room, targets in arrows.items()
    }


def _reach(arrows: Arrows) -> Arrows:
    """Return for each room all those that it leads to."""
    reach = {room: set(targets) for room, targets in arrows.items()}
    for _ in arrows:  # no way is longer than there are rooms
        for reached in reach.values():
            reached.update(*(reach[each] for each in tuple(reached)))
    return reach


def _id(room: str) -> str:
    return f"{room.replace('.', '_').replace('__', '_')}_"


def _first_line(path: Path) -> str:
    words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert words, f"{path} says what it is for"
    return words.partition("\n")[0]
