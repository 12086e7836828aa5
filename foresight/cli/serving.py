"""`exchange` and `dashboard`: a companion by itself in the foreground, or the way to one that runs.

Owns nothing but the way to them; the exchange's options are its own.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import click

from foresight.cli.addresses import earlier, is_held
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import detail, emit_text, progress
from foresight.page_link import (
    COMMAND,
    METRICS_FILE,
    TOKEN_FILE,
    address_for_people,
    is_terminal,
    new_page_token,
)
from handoff.errors import HandoffError, NotRunning
from handoff.exit_codes import ExitCode
from handoff.launcher.edition_rules import is_edition
from state.errors import HomeUnsuitable

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "dashboard"
PORT = 8642


class PortLost(HandoffError):
    """The page has no port: somebody else took it while nobody of ours listened."""

    hint = "`foresight down` and `foresight up` give it another one"

    def __init__(self, address: str) -> None:
        """Keep where it was."""
        super().__init__(f"the page is not at {address}: nobody of this bot listens there")


_PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.command(context_settings=_PASS_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def exchange(arguments: tuple[str, ...]) -> None:
    """Run the local exchange (its own options: `foresight exchange --help`)."""
    _become("foresight.exchange", arguments)


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), help="Run it by itself, on this port.")
@click.option(
    "--new-token",
    is_flag=True,
    help="Make the links and logins so far worthless; print a new link.",
)
@pass_installation
def dashboard(installation: Installation, *, port: int | None, new_token: bool) -> int:
    """Print the link that opens the page; where nothing runs, run the page by itself."""
    home = installation.home
    if new_token:
        _make_token(home)
    running = running_page(installation)
    if running and port is None:
        emit_text(address_for_people(home, f"http://{running}"))
        if not is_terminal():
            progress(f"`{COMMAND}` at a terminal prints the link; programs send {TOKEN_FILE}")
        progress(
            f"metrics: http://{running}/metrics; scrapers send what {home / METRICS_FILE} holds"
        )
        return ExitCode.DONE
    if new_token:
        return ExitCode.DONE
    engine = installation.engine
    chosen = PORT if port is None else port
    words = ["--home", str(home), "--app", engine.app, "--port", str(chosen)]
    words += [word for host in engine.page_hosts for word in ("--host", host)]
    if engine.page_control:
        words += control_words(installation.config_path)
    _become("foresight.dashboard", tuple(words))
    return ExitCode.FAILED  # not reached: this process is the page now


def control_words(config_path: Path) -> list[str]:
    """Return the options by which a page may act: whose commands it runs, and by what."""
    return ["--control", str(config_path), "--commands", sys.executable]


def _make_token(home: Path) -> None:
    try:
        new_page_token(home)
    except OSError as error:
        raise HomeUnsuitable(str(home), error.strerror or str(error), "`up` makes it") from error
    progress("the token is another one now: whoever was let in needs the new link")
    progress(f"so is that of scrapers: give them {home / METRICS_FILE} again")


def running_page(installation: Installation) -> str:
    """Return where the page of a running installation listens, or an empty string.

    Raises:
        PortLost: Somebody else listens there, who would be given the token.
    """
    try:
        said = installation.launcher_status()
    except NotRunning:
        return ""
    address = earlier(installation.home, PAGE)
    pages = [each["pid"] for each in said.get("children", ()) if is_edition(each["name"], PAGE)]
    if address and not is_held(address, [int(said["pid"]), *pages]):
        raise PortLost(address)
    return address


def _become(module: str, arguments: tuple[str, ...]) -> None:
    argv = [sys.executable, "-I", "-m", module, *arguments]
    detail(f"becomes {shlex.join(argv)}")
    os.execv(sys.executable, argv)  # noqa: S606 - no shell is wanted
