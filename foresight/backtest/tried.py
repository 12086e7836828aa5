"""One release or configuration, tried in a process of its own: a question in, a result out.

Owns what is asked of that process, its start and what its end means. What runs there is
`foresight.backtest.alone` of the tree that is tried: two are compared by each one's own code.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from deploy import commands
from foresight.backtest.results import BacktestResult
from foresight.errors import ConfigError
from foresight.exchange.market.calibration import Table
from handoff.logs import last_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from foresight.backtest.prepared import Ground

PROGRAM: Final = "foresight.backtest.alone"
TRIED_S_MAX: Final = 3600.0  # one trader over one recording


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: one configuration, and the market that it shares with the others.

    Attributes:
        name: What to call it.
        config: Path of its configuration; its strategies and tables lie beside it.
        folder: The recordings.
        rule: What settles windows, `last` or `average`.
        delay_s: How long after a decision its orders meet the book.
        judged: First minute that is judged, and the first one after the last.
        table: What prices shares.
    """

    name: str
    config: str
    folder: str
    rule: str
    delay_s: float
    judged: tuple[int, int]
    table: Table


def asked_of(name: str, config_path: Path, folder: Path, ground: Ground) -> Asked:
    """Return the question for one of several that share a market."""
    return Asked(
        name=name,
        config=str(config_path),
        folder=str(folder.absolute()),
        rule=ground.terms.rule.value,
        delay_s=ground.terms.delay_s,
        judged=(ground.judged.first, ground.judged.end),
        table=ground.table,
    )


def tried(
    asked: Asked,
    program: Callable[[str, str], list[str]],
    *,
    environment: Mapping[str, str],
    directory: Path,
) -> BacktestResult:
    """Return what one of them comes to, by its own code.

    Args:
        asked: The question.
        program: From a module and its argument to the command line that runs it.
        environment: All variables of that process.
        directory: Where it runs.

    Raises:
        ConfigError: It cannot be tried.
    """
    with tempfile.TemporaryDirectory(prefix="foresight-tried-") as place:
        target = Path(place) / "result.json"
        done = commands.run(
            program(PROGRAM, str(target)),
            limit_s=TRIED_S_MAX,
            environment=environment,
            directory=directory,
            feed=msgspec.json.encode(asked),
        )
        if done.code:
            what = f"{asked.name} cannot be tried: {last_words(done.errors)}"
            raise ConfigError(what, "`foresight backtest` with it says more")
        return msgspec.json.decode(target.read_bytes(), type=BacktestResult)
