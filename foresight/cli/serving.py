"""`exchange` and `dashboard`: a companion by itself, in the foreground.

Owns nothing but the way to them; their options are their own.
"""

from __future__ import annotations

import os
import shlex
import sys

import click

from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import detail

_PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.command(context_settings=_PASS_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def exchange(arguments: tuple[str, ...]) -> None:
    """Run the local exchange (its own options: `foresight exchange --help`)."""
    _become("foresight.exchange", arguments)


@click.command()
@click.option("--port", default=8642, show_default=True, help="Port on the local host.")
@pass_installation
def dashboard(installation: Installation, *, port: int) -> None:
    """Run the page by itself, for a home whose launcher does not."""
    _become("foresight.dashboard", ("--home", str(installation.home), "--port", str(port)))


def _become(module: str, arguments: tuple[str, ...]) -> None:
    argv = [sys.executable, "-I", "-m", module, *arguments]
    detail(f"becomes {shlex.join(argv)}")
    os.execv(sys.executable, argv)  # noqa: S606 - no shell is wanted
