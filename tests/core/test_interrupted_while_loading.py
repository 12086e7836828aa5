"""Ctrl-C while a command is still being loaded: an exit code, and no traceback."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from foresight.__main__ import main as foresight
from handoff.__main__ import main as handoff
from handoff.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ROOT = Path(__file__).parents[2]


class Impatient:
    """Whoever presses Ctrl-C as a module is about to be loaded."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self._name:
            raise KeyboardInterrupt
        return None


@pytest.mark.parametrize(
    ("program", "first", "loaded"),
    [
        (foresight, "foresight.cli.main", "foresight.cli.main"),
        (foresight, "foresight.cli.main", "handoff.standard_streams"),
        (handoff, "handoff.command_line", "handoff.command_line"),
        (handoff, "handoff.command_line", "handoff.wish"),
    ],
)
def test_who_interrupts_while_a_command_is_loaded_sees_no_traceback(
    monkeypatch: pytest.MonkeyPatch, program: Callable[[], int], first: str, loaded: str
) -> None:
    """Loading takes a third of a second, and thirty lines of it were what was shown."""
    for name in (first, loaded):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Impatient(loaded), *sys.meta_path])
    assert program() == ExitCode.INTERRUPTED


@pytest.mark.parametrize("package", ["foresight", "handoff"])
def test_a_program_loads_nothing_before_somebody_hears_an_interrupt(package: str) -> None:
    """One import above `main` is enough for a traceback again."""
    parsed = ast.parse((ROOT / package / "__main__.py").read_text(encoding="utf-8"))
    imports = [each for each in parsed.body if isinstance(each, ast.Import | ast.ImportFrom)]
    assert [each.module for each in imports if isinstance(each, ast.ImportFrom)] == ["__future__"]
    assert len(imports) == 1


@pytest.mark.parametrize(
    ("program", "early"),
    [(foresight, "foresight.cli.main.make_usable"), (handoff, "handoff.command_line._parser")],
)
def test_who_interrupts_before_a_command_begins_sees_no_traceback(
    monkeypatch: pytest.MonkeyPatch, program: Callable[[], int], early: str
) -> None:
    """Between loading and the command itself nobody caught it."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(early, interrupted)
    assert program() == ExitCode.INTERRUPTED
