"""What a command assumes where nothing is said is what its own options would take.

A default that is out of its option's range refuses every call of the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from foresight.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


ALL = dict(commands(cli))


def refusal(option: click.Parameter, context: click.Context, value: object) -> str:
    """Return why an option would refuse a value; empty where it takes it."""
    try:
        option.process_value(context, value)
    except click.BadParameter as refused:
        return refused.message
    return ""


@pytest.mark.parametrize("name", ALL)
def test_no_default_is_refused(name: str) -> None:
    command = ALL[name]
    context = click.Context(command, info_name=name)
    for option in command.params:
        if not option.required:
            default = option.get_default(context)
            assert refusal(option, context, default) == ""


def test_a_default_out_of_range_would_be_refused() -> None:
    option = click.Option(["--epoch"], type=click.IntRange(0), default=-1)
    assert "not in the range" in refusal(option, click.Context(cli), -1)
