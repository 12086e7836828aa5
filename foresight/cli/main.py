"""The root of the `foresight` command: global options, and errors as messages and exit codes.

Owns the translation of every error of this project into `error:` and `hint:` lines. No
command ever shows a traceback for something that the world did.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from deploy.errors import DeployError, SourceRefused, UnknownRef
from foresight.cli.catalogue import Catalogue
from foresight.cli.installation import Installation
from foresight.cli.output import NORMAL, complain, detail, emit_text, explain, speak
from foresight.errors import ConfigError, FileInTheWay, ForesightError, NeverOwned
from foresight.exchange.errors import RecordingError
from foresight.places import started_in
from foresight.shown import Asked, ShownChanged
from handoff.child_signals import take_signals
from handoff.commands.background import StartLate, StartRefused
from handoff.commands.kept_releases import ReleaseUnnamed
from handoff.commands.promoting import NotBaking, OtherBake
from handoff.commands.reading import WorkerUnheard
from handoff.errors import AnotherInCharge, HandoffError, NotRunning, OpenFilesLacking
from handoff.exit_codes import ExitCode
from handoff.open_files import permit
from handoff.standard_streams import make_usable, to_nobody
from state.errors import EtcdOlder, StateError

DISTRIBUTION = "foresight-engine"


@click.group(
    commands=Catalogue(),
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.option(
    "-c",
    "--config",
    "config_path",
    default="foresight.toml",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Configuration file; a release reads its own, but for [engine].",
)
@click.option(
    "-C",
    "directory",
    default=None,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Run as if started in this directory.",
)
@click.option("-v", "--verbose", is_flag=True, help="Also details, on stderr.")
@click.option("-q", "--quiet", is_flag=True, help="Errors alone on stderr.")
@click.option("--for-page", "asked", default="", hidden=True, help="Who asked the page, as JSON.")
@click.version_option(package_name=DISTRIBUTION, prog_name="foresight")
@click.pass_context
def cli(
    context: click.Context,
    *,
    config_path: Path,
    directory: Path | None,
    verbose: bool,
    quiet: bool,
    asked: str,
) -> None:
    """Trade prediction-market windows around the clock; deploy while it runs."""
    if context.invoked_subcommand is None:
        emit_text(context.get_help())
        context.exit()
    speak(verbose - quiet)
    if directory is not None:
        os.chdir(directory)
    if verbose > quiet:
        detail(f"foresight {_version()}, started in {started_in()}")
    context.obj = Installation(config_path)
    if asked:
        context.obj.asked = _asked(asked)


def _version() -> str:
    import importlib.metadata  # a reader of mails and archives comes with it

    return importlib.metadata.version(DISTRIBUTION)


def _asked(text: str) -> Asked:
    try:
        return msgspec.json.decode(text, type=Asked)
    except (msgspec.MsgspecError, UnicodeError) as error:
        what = f"--for-page is what a page says: {error}"
        raise click.UsageError(what) from error


def main(arguments: list[str] | None = None) -> int:  # noqa: PLR0911 - one way out per fault
    """Run one command; return its exit code."""
    make_usable()
    if not __debug__:
        complain("this program relies on its assertions", "run without -O")
        return ExitCode.USAGE
    speak(NORMAL)
    take_signals()
    permit()
    try:
        result: Any = cli.main(args=arguments, prog_name="foresight", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        return _answered(error)
    except BrokenPipeError:
        to_nobody(sys.stdout)
        return ExitCode.DONE
    except (ForesightError, DeployError, HandoffError, StateError) as error:
        complain(str(error), error.hint)
        explain(error)
        return exit_code_of(error)
    except RecordingError as error:
        complain(str(error), "name a folder that holds a file of candles for each asset")
        return ExitCode.USAGE
    except PermissionError as error:
        complain(f"{error.filename}: permission denied", "run as the user who owns it")
        return ExitCode.FAILED
    except OSError as error:
        complain(f"{error.filename or 'system'}: {error.strerror or error}")
        return ExitCode.FAILED
    return int(result) if isinstance(result, int) else ExitCode.DONE


def _answered(error: click.ClickException) -> ExitCode:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        emit_text(error.format_message())  # a group that was asked nothing, as the program itself
        return ExitCode.DONE
    complain(error.format_message(), _where_to_look(error))
    return ExitCode.USAGE


def _where_to_look(error: click.ClickException) -> str:
    """Return whose help says what may be typed: that of the command, where one was meant."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None or context.parent is None:
        return "`foresight --help` lists commands and options"
    return f"`{context.command_path} --help` says what may be typed there"


def exit_code_of(error: Exception) -> ExitCode:  # noqa: PLR0911 - one for each code
    """Return the documented exit code of an error."""
    match error:
        case ConfigError() | UnknownRef() | ReleaseUnnamed() | WorkerUnheard():
            return ExitCode.USAGE
        case SourceRefused() | OpenFilesLacking() | StartRefused() | FileInTheWay() | NeverOwned():
            return ExitCode.REFUSED
        case NotBaking() | OtherBake() | ShownChanged() | EtcdOlder():
            return ExitCode.REFUSED
        case StartLate():
            return ExitCode.TIMED_OUT
        case NotRunning():
            return ExitCode.NOT_RUNNING
        case AnotherInCharge():
            return ExitCode.ANOTHER
        case _:
            return ExitCode.FAILED
