"""`deploy --backtest DAYS`: what tries a release beside the running one before it may start.

Owns the options, the keys of `[engine]` that stand for them, and where the recording is. The
program that tries both is `foresight.backtest.gate`'s; a deployer runs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from foresight.errors import ConfigError
from foresight.exchange.prices.recordings import recorded_assets
from handoff.plurals import counted
from handoff.wish import Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from foresight.cli.installation import Installation
    from foresight.config import Engine

CommandT = TypeVar("CommandT", bound="Callable[..., Any]")

DAYS_MAX: Final = 31  # what two traders decide within the gate's limit
LIMIT_CENTS_MAX: Final = 200.0  # a share won against a share lost, both ways


def backtest_options(command: CommandT) -> CommandT:
    """Give a command the options of the gate that compares two releases over a recording."""
    for option in (
        click.option(
            "--backtest",
            "days",
            type=click.IntRange(0, DAYS_MAX),
            metavar="DAYS",
            help="Say what it earns above the running release over a recording's newest DAYS.",
        ),
        click.option(
            "--backtest-limit",
            "limit_cents",
            type=click.FloatRange(0, LIMIT_CENTS_MAX),
            metavar="CENTS",
            help="Refuse it where it is shown to earn more than CENTS a window less.",
        ),
        click.option(
            "--candles",
            "folder",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            metavar="DIR",
            help="That recording, as `backtest` reads it; by default [engine] candles.",
        ),
    )[::-1]:  # the last one that is given stands first in the help
        command = option(command)
    return command


def standing_trial(installation: Installation) -> Trial | None:
    """Return what `[engine]` wants every release to be tried by, or None.

    The recording may be gone when a merge comes: the gate says so then, and `up` is not refused.

    Raises:
        ConfigError: No recording is named.
    """
    engine = installation.engine
    if not engine.backtest:
        return None
    folder = _recording(installation, None)
    return _trial(engine, folder, engine.backtest, engine.backtest_limit_cents)


def trial_asked(
    installation: Installation,
    *,
    days: int | None,
    limit_cents: float | None,
    folder: Path | None,
) -> Trial | None:
    """Return what tries the release of one deploy, or None where nobody wants that.

    Args:
        installation: Its `[engine]` says what no option does.
        days: What `--backtest` says.
        limit_cents: What `--backtest-limit` says.
        folder: What `--candles` says.

    Raises:
        UsageError: An option says how, and nothing says that it shall be.
        ConfigError: No recording is named.
        RecordingError: The folder that is named holds none.
    """
    engine = installation.engine
    days = engine.backtest if days is None else days
    if not days:
        if limit_cents is not None or folder is not None:
            what = "--backtest-limit and --candles say how to backtest: say --backtest DAYS as well"
            raise click.UsageError(what)
        return None
    found = _recording(installation, folder)
    recorded_assets(found)  # refused here, and not once a deployer stands in its line
    limit = engine.backtest_limit_cents if limit_cents is None else limit_cents
    return _trial(engine, found, days, limit)


def _recording(installation: Installation, folder: Path | None) -> Path:
    """Return where the candles are, absolute: a deployer stands elsewhere."""
    named = installation.engine.candles
    if folder is None and not named:
        what = "no recording is named that both releases could be tried over"
        hint = "say --candles DIR, or [engine] candles; `foresight download` makes such a folder"
        raise ConfigError(what, hint)
    return installation.place_of(named) if folder is None else folder.absolute()


def _trial(engine: Engine, folder: Path, days: int, limit_cents: float | None) -> Trial:
    from foresight.backtest import gate

    return Trial(
        program=gate.PROGRAM,
        arguments=gate.arguments_of(
            folder, days=days, period_s=engine.period_s, limit_cents=limit_cents
        ),
        refuses=limit_cents is not None,
        words=f"both releases over the newest {counted(days, 'day')} of {folder}",
    )
