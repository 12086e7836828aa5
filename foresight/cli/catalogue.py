"""The commands of `foresight`: a name comes in, its command goes out, loaded when asked for.

Nearly every command is one process that lives for a moment, and what all of them need together
takes twice as long to load as the one that was typed.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Final

import click
from typing_extensions import override

# Each command and the module of this package that has it. A group within is one command here.
MODULES: Final = {
    "up": "running",
    "down": "running",
    "deploy": "deploying",
    "rollback": "deploying",
    "deploys": "deploying",
    "releases": "deploying",
    "status": "status",
    "state": "state",
    "cycles": "cycles",
    "trades": "trading",
    "anomalies": "reading",
    "logs": "reading",
    "pause": "controlling",
    "resume": "controlling",
    "halt": "controlling",
    "locks": "locking",
    "lock": "locking",
    "unlock": "locking",
    "exchange": "serving",
    "dashboard": "serving",
    "ps": "neighbours",
    "hook": "hooks",
    "unit": "units",
    "init": "projects",
    "doctor": "projects",
    "drill": "drilling",
    "backtest": "backtesting",
    "compare": "comparing",
    "report": "reporting",
    "calibrate": "calibrating",
    "download": "downloading",
    "uninstall": "projects",
}


class Catalogue(MutableMapping[str, click.Command]):
    """All commands, each loaded by its first use; its names and its length load nothing."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self._loaded: dict[str, click.Command] = {}

    @override
    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module = importlib.import_module(f"foresight.cli.{MODULES[name]}")
            command = getattr(module, name)
            assert isinstance(command, click.Command), name
            assert command.name == name, name
            self._loaded[name] = command
        return self._loaded[name]

    @override
    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    @override
    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    @override
    def __contains__(self, name: object) -> bool:
        return name in MODULES

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    @override
    def __len__(self) -> int:
        return len(MODULES)
