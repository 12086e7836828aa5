"""Strategies that a project brings along, named `module:class` in its configuration.

Owns their import from the release's own tree, and a look for them before there is a release, which
runs nothing of theirs. What they think is their author's matter; a fault of theirs while trading is
their slot's refusal (`strategies.registry.judge`).
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import traceback
from typing import TYPE_CHECKING, Final

from foresight.config import CONFIG_FILE, nearest
from foresight.errors import ConfigError
from foresight.strategies.base import Strategy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SIZE_MAX: Final = 1 << 20  # bytes of a module; a larger one is left to the worker
_MACHINERY: Final = ("<frozen ", importlib.__file__)  # Python's own, between us and a module
_SAY: Final = "say module:class, with the module at the project's root"
_HIDDEN: Final = frozenset({"__getattr__", "globals", "setattr"})  # names may come from anywhere


def load_own(names: Mapping[str, str], where: str = CONFIG_FILE) -> dict[str, type[Strategy]]:
    """Import strategies.

    Args:
        names: The place in the configuration of each `module:class`.
        where: What to call the configuration in an error.

    Raises:
        ConfigError: A module cannot be imported, or holds no such strategy.
    """
    return {name: _load(name, f"{where}: {place}") for name, place in names.items()}


def _load(name: str, place: str) -> type[Strategy]:
    module_name, _, class_name = name.partition(":")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:
        # A module of a stranger may raise anything while it is imported.
        why = f"{type(error).__name__}: {error}{_line_of(error)}"
        what = f"{place}: strategy {name} cannot be loaded: {why}"
        raise ConfigError(what, _SAY) from error
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        what = f"{place}: {name} is no strategy"
        raise ConfigError(what, "derive it from foresight.strategies.base.Strategy")
    return kind


def _line_of(error: Exception) -> str:
    """Return where in the project an import failed; nothing where the error itself says it."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first one is ours
    own = [each for each in frames if not each.filename.startswith(_MACHINERY)]
    if isinstance(error, SyntaxError) or not own:
        return ""
    return f" ({own[-1].filename.rpartition('/')[2]}, line {own[-1].lineno})"


def refuse_missing(names: Mapping[str, str], tree: Path, where: str = CONFIG_FILE) -> None:
    """Refuse strategies that the project's files do not hold; none of them is imported.

    What is not in the project and can be imported here is left to the worker, as is whatever only
    running a module would tell.

    Args:
        names: As for `load_own`.
        tree: The project.
        where: What to call the configuration in an error.

    Raises:
        ConfigError: A module is not there or is no Python, or has nothing of that name.
    """
    for name, place in names.items():
        module, _, kind = name.partition(":")
        parts = module.split(".")
        if not (all(part.isidentifier() for part in parts) and kind.isidentifier()):
            what = f"{where}: {place}: {name!r} names no class"
            raise ConfigError(what, _SAY)
        file = _file_of(parts, tree)
        if file is not None:
            _refuse_unbound(file, kind, f"{where}: {place}")
        elif importlib.util.find_spec(parts[0]) is None:
            what = f"{where}: {place}: strategy {name}: the project has no {'/'.join(parts)}.py"
            modules = [path.stem for path in tree.glob("*.py")]
            raise ConfigError(what, nearest(module, modules) or _SAY)


def _file_of(parts: list[str], tree: Path) -> Path | None:
    base = tree.joinpath(*parts)
    files = (base.with_suffix(".py"), base / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _refuse_unbound(file: Path, kind: str, place: str) -> None:
    with file.open("rb") as opened:
        text = opened.read(SIZE_MAX + 1)
    if len(text) > SIZE_MAX:
        return
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        what = f"{place}: {file.name}, line {error.lineno or 1}: {error.msg}"
        raise ConfigError(what, "correct it, or name another strategy") from error
    except (ValueError, RecursionError, MemoryError) as error:
        what = f"{place}: {file.name} is no Python: {error}"
        raise ConfigError(what, "correct it, or name another strategy") from error
    known = set(_names_in(module))
    if kind not in known and "*" not in known and not known & _HIDDEN:
        what = f"{place}: {file.name} has no class {kind}"
        classes = [each.name for each in ast.walk(module) if isinstance(each, ast.ClassDef)]
        raise ConfigError(what, nearest(kind, classes) or f"write class {kind} there")


def _names_in(module: ast.Module) -> Iterator[str]:
    """Yield whatever a module may bind or use, wherever in it: too many rather than too few."""
    for node in ast.walk(module):
        match node:
            case ast.ClassDef() | ast.FunctionDef():
                yield node.name
            case ast.alias():
                yield node.asname or node.name
            case ast.Name():
                yield node.id
            case _:
                pass
