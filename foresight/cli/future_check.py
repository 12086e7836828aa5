"""`backtest --check-future`: does a strategy decide by candles that are not there yet?

Owns the copies of a recording, the processes that decide again on them, and what is said of it.
What is altered and compared is `foresight.backtest`'s.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from deploy import commands
from foresight import overrides
from foresight.cli.output import emit_json, emit_table, emit_text, progress
from foresight.errors import ConfigError
from foresight.exchange.prices.recordings import files_of
from handoff.exit_codes import ExitCode
from handoff.logs import last_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foresight.backtest.trading import Trial
    from foresight.backtest.views import Cut, Found, Verdict

PROGRAM: Final = "foresight.backtest.again"
DECIDED_S_MAX: Final = 300.0  # for one copy: a strategy may read all of it first
GZIP_LEVEL: Final = 1  # a copy lives for a second
COLUMNS: Final = ("window", "strategy", "moments", "opinions", "otherwise", "says")


def check_future(
    trial: Trial, config_path: Path, folder: Path, *, prices: str, as_json: bool
) -> int:
    """Decide moments again on copies whose later candles are altered; say who decides otherwise.

    Args:
        trial: What is tried.
        config_path: Its configuration.
        folder: The recordings.
        prices: Whose they are, `recorded` or `synthetic`.
        as_json: Print JSON.

    Raises:
        ConfigError: The strategies cannot be asked.
    """
    from foresight.backtest.views import compare, cuts_of, verdicts_of

    cuts = cuts_of(trial)
    if not cuts:
        what = "what is judged is too short to be decided again"
        raise ConfigError(what, "judge an hour at least")
    strategies = trial.policy.strategies
    decided = [verdicts_of(strategies, cut.views) for cut in cuts]
    same = _decided_again(cuts, config_path, folder, prices)
    altered = []
    for number, cut in enumerate(cuts, start=1):
        # Up and down: what comes later is on the other side of any price once, at least.
        altered += [_on_a_copy(cut, config_path, folder, prices, is_up=up) for up in (True, False)]
        progress(f"decided again: {number} of {len(cuts)} moments")
    names = {key: one.name for key, one in strategies.items()}
    return _say(compare(names, decided, same, altered), as_json=as_json)


def write_altered(folder: Path, place: Path, cut_minute: int, *, is_up: bool) -> None:
    """Write a copy of recordings whose candles are altered from a minute on.

    Args:
        folder: The recordings.
        place: An empty folder.
        cut_minute: First minute that is altered, since 1970 UTC.
        is_up: Whether prices leap up there; otherwise down.
    """
    from foresight.backtest.altered import altered_lines

    for path in files_of(folder).values():
        packed = path.suffix == ".gz"
        data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        lines = data.decode("ascii").splitlines(keepends=True)
        text = "".join(altered_lines(lines, cut_minute, is_up=is_up)).encode("ascii")
        written = gzip.compress(text, compresslevel=GZIP_LEVEL) if packed else text
        (place / path.name).write_bytes(written)


def _on_a_copy(
    cut: Cut, config_path: Path, folder: Path, prices: str, *, is_up: bool
) -> dict[str, list[Verdict | None]]:
    with tempfile.TemporaryDirectory(prefix="foresight-altered-") as place:
        write_altered(folder, Path(place), cut.minute, is_up=is_up)
        (verdicts,) = _decided_again([cut], config_path, Path(place), prices)
    return verdicts


def _decided_again(
    cuts: Sequence[Cut], config_path: Path, folder: Path, prices: str
) -> list[dict[str, list[Verdict | None]]]:
    from foresight.backtest.again import Asked
    from foresight.backtest.views import Verdict

    views = [{key: list(seen) for key, seen in cut.views.items()} for cut in cuts]
    environment = overrides.gathered(os.environ) | {overrides.RECORDING: str(folder.absolute())}
    done = commands.run(
        [sys.executable, "-m", PROGRAM, str(config_path)],
        limit_s=DECIDED_S_MAX,
        environment=environment,
        directory=config_path.parent,
        feed=msgspec.json.encode(Asked(prices=prices, cuts=views)),
    )
    if done.code:
        what = f"the strategies cannot decide again: {last_words(done.errors)}"
        raise ConfigError(what, "run `foresight backtest` without --check-future first")
    line = done.output.splitlines()[-1]  # a project's own modules may have printed theirs
    return msgspec.json.decode(line, type=list[dict[str, list[Verdict | None]]])


def _say(found: Sequence[Found], *, as_json: bool) -> int:
    if as_json:
        for each in found:
            emit_json(each)
    else:
        emit_table(COLUMNS, [_cells(each) for each in found])
        for each in found:
            if each.sees_future:
                who = f"{each.strategy} ({each.timeframe})"
                count = f"{each.otherwise} of {each.views} moments"
                emit_text(f"{who} decides by candles that are not there yet: {count}")
    is_clean = not any(each.otherwise or each.unsteady for each in found)
    return ExitCode.DONE if is_clean else ExitCode.REFUSED


def _cells(one: Found) -> tuple[str, ...]:
    counts = (str(one.views), str(one.opinions), str(one.otherwise))
    return (one.timeframe, one.strategy, *counts, _words(one))


def _words(one: Found) -> str:
    if one.unsteady:
        return "decides otherwise on the same facts: it reads a clock, or chance"
    if one.otherwise:
        return "sees the future"
    return "does not see the future" if one.opinions else "never spoke: it proves nothing"
