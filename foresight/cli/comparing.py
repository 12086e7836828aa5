"""`compare`: what a release or a configuration earns above another, over the same history.

Owns the command: what A and B may be, the trees that they run in, and what is said of the
difference. Each is tried by its own code, in a process of its own; the difference is
`foresight.backtest.difference`'s.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from deploy.git_tree import GitTree
from foresight import overrides
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import emit_json, emit_table, emit_text, json_option, progress
from foresight.cli.trials import ground_of, in_words, terms_of, trial_options
from foresight.config import CONFIG_FILE
from foresight.errors import ConfigError
from handoff.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foresight.backtest.difference import Difference
    from foresight.backtest.prepared import Ground
    from foresight.backtest.results import BacktestResult

VARIANTS_MAX: Final = 64
SHORT_HASH: Final = 12
COLUMNS: Final = ("second", "windows", "alike", "a window", "interval", "profit", "says")


@click.command()
@click.argument("first", metavar="A")
@click.argument("others", metavar="B...", nargs=-1, required=True)
@click.option(
    "--candles",
    "folder",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Recorded candles, as `backtest` reads them.",
)
@click.option(
    "--tried",
    type=click.IntRange(1, 100_000),
    default=1,
    help="How many were tried in all, if more than are named: the best of many wins by luck.",
)
@trial_options
@json_option
@pass_installation
def compare(
    installation: Installation,
    /,
    *,
    first: str,
    others: tuple[str, ...],
    folder: Path,
    tried: int,
    as_json: bool,
    **terms: Any,  # noqa: ANN401 - the options of `trial_options`, by their names
) -> int:
    """Say what each B earns above A over the same candles, window by window.

    A and B are each a configuration file, the directory of a project, or a commit of the project
    here: a branch, a tag, a hash. Whoever decides alike differs by exactly 0. Several B widen
    their intervals by their number.
    """
    from foresight.backtest.difference import difference_of

    if len(others) > VARIANTS_MAX:
        what = f"{len(others)} are compared at once, {VARIANTS_MAX} at most"
        raise click.UsageError(what)
    with contextlib.ExitStack() as stack:
        names = (first, *others)
        places = [_config_of(installation, name, stack) for name in names]
        ground = ground_of(folder, installation.config, terms_of(**terms))
        results = [
            _tried(name, place, folder, ground) for name, place in zip(names, places, strict=True)
        ]
    count = max(tried, len(others))
    found = [difference_of(results[0], each, tried=count) for each in results[1:]]
    _show(results, found, as_json=as_json)
    return ExitCode.DONE


def _config_of(installation: Installation, name: str, stack: contextlib.ExitStack) -> Path:
    """Return the configuration that a name means: a file, a directory's, or a commit's."""
    path = Path(name).absolute()
    if path.is_file():
        return path
    if (path / CONFIG_FILE).is_file():
        return path / CONFIG_FILE
    tree = GitTree(installation.repository)
    commit = tree.commit(name).commit
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foresight-compared-")))
    tree.extract(tree.files(commit), place / commit[:SHORT_HASH])
    inside = installation.config_path.relative_to(tree.root)
    found = place / commit[:SHORT_HASH] / inside
    if not found.is_file():
        what = f"{name} has no {inside}"
        raise ConfigError(what, "name a commit that has one, or say -c FILE")
    return found


def _tried(name: str, config_path: Path, folder: Path, ground: Ground) -> BacktestResult:
    """Return what one of them comes to, by its own code."""
    from foresight.backtest.tried import asked_of, tried

    progress(f"tries {name}")
    return tried(
        asked_of(name, config_path, folder, ground),
        lambda module, target: [sys.executable, "-m", module, target],
        environment=overrides.gathered(os.environ),
        directory=config_path.parent,
    )


def _show(results: Sequence[BacktestResult], found: Sequence[Difference], *, as_json: bool) -> None:
    if as_json:
        for each in found:
            emit_json(each)
        return
    for result in results:
        emit_text(f"{result.name}: {in_words(result)}")
    emit_table(COLUMNS, [_cells(each) for each in found])


def _cells(one: Difference) -> tuple[str, ...]:
    low, high = one.interval.low, one.interval.high
    interval = f"{100 * one.level:.4g} % [{100 * low:+.2f}, {100 * high:+.2f}]"
    counts = (str(one.windows), str(one.alike))
    mean = f"{100 * one.difference:+.2f} c"
    return (one.second, *counts, mean, interval, f"{one.profit:+.2f}", one.says)
