"""A command is found by its name, and loads what it needs itself and no other command."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest

import foresight.cli
from foresight.cli.catalogue import MODULES, Catalogue

ROOT: Final = Path(__file__).resolve().parents[2]
LOADED = "import json, sys; import foresight.cli.main; print(json.dumps(sorted(sys.modules)))"
# What some commands need, and what would double the time that every command takes to begin.
HEAVY: Final = {
    *("aiohttp", "asyncio", "ccxt", "email.message", "importlib.metadata"),
    *("importlib.resources", "jinja2", "psutil", "ssl", "tenacity"),
    *("deploy.deployer", "foresight.backtest", "foresight.drill", "foresight.trader"),
    *("handoff.launcher.loop", "handoff.worker.life"),
}


def defined() -> dict[str, str]:
    """Return the commands that stand at the top of a file, each with its file."""
    found: dict[str, str] = {}
    within: set[str] = set()
    for module in pkgutil.iter_modules(foresight.cli.__path__):
        loaded = importlib.import_module(f"foresight.cli.{module.name}")
        mine = [value for value in vars(loaded).values() if isinstance(value, click.Command)]
        for command in mine:
            if isinstance(command, click.Group) and command.name != "cli":
                within |= {str(id(each)) for each in command.commands.values()}
            callback = command.callback
            if callback is not None and callback.__module__ == loaded.__name__:
                found[str(id(command))] = f"{command.name} {module.name}"
    return dict(name.split() for key, name in found.items() if key not in within)


def test_every_command_that_is_written_can_be_typed() -> None:
    """No checker reads the names of files: a line left out would be found by nobody."""
    assert defined() == {**MODULES, "cli": "main"}


def test_names_load_nothing_and_a_command_loads_itself() -> None:
    catalogue = Catalogue()
    assert (len(catalogue), "ps" in catalogue, "psx" in catalogue) == (len(MODULES), True, False)
    assert list(catalogue) == list(MODULES)
    assert catalogue["ps"] is importlib.import_module("foresight.cli.neighbours").ps
    assert catalogue["ps"] is catalogue["ps"]
    assert catalogue.get("psx") is None
    with pytest.raises(KeyError):
        catalogue["psx"]


def test_what_stands_for_a_command_is_what_is_asked_for() -> None:
    catalogue = Catalogue()
    mine = click.Command("ps")
    catalogue["ps"] = mine
    assert catalogue["ps"] is mine
    del catalogue["ps"]
    assert catalogue["ps"] is not mine


def test_a_command_begins_without_what_others_need() -> None:
    """Whoever types `foresight status` every minute waits for that alone."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", LOADED], cwd=ROOT, check=True, capture_output=True
    )
    loaded = set(json.loads(done.stdout))
    commands = {f"foresight.cli.{name}" for name in MODULES.values()}
    assert "foresight.cli.installation" in loaded
    assert loaded & (HEAVY | commands) == set()


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("backtest", ["--table", "--judge-from", "--judge-until"]),
        ("compare", ["--table", "--judge-from", "--judge-until"]),
        ("deploy", ["--backtest ", "--backtest-limit", "--candles"]),
    ],
)
def test_an_option_stands_in_the_help_behind_what_it_speaks_of(
    command: str, options: list[str]
) -> None:
    """`That recording` above the option that names it is of no use to anybody."""
    context = click.Context(click.Group(commands=Catalogue()))
    found = Catalogue()[command].get_help(context)
    places = [found.index(f"  {each}") for each in options]
    assert places == sorted(places)
