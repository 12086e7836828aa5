"""``python -m foresight.backtest.gate``: two releases of a home over a recording, one verdict.

Owns the gate's program: what it is told, and the market that both share. A deployer runs it by the
installation's code; each release is tried by its own, as its workers are told. It prints a
verdict, or ends with 2 and a reason where it cannot find one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from deploy.verification import engine_environment
from foresight.backtest.difference import difference_of
from foresight.backtest.prepared import DAY_MINUTES, Ground, Terms, prepare_ground, whole_span
from foresight.backtest.tried import asked_of, tried
from foresight.backtest.verdict import CANDIDATE, RUNNING, verdict_of
from foresight.config import CONFIG_FILE
from foresight.errors import ConfigError, ForesightError
from foresight.exchange.errors import RecordingError
from foresight.exchange.prices.recordings import load_recordings
from handoff.errors import HandoffError
from handoff.launcher.children import child_environment
from handoff.release_files import read_manifest

if TYPE_CHECKING:
    from foresight.backtest.results import BacktestResult
    from handoff.gate_verdict import GateVerdict

PROGRAM: Final = "foresight.backtest.gate"


def arguments_of(
    folder: Path, *, days: int, period_s: float, limit_cents: float | None
) -> tuple[str, ...]:
    """Return what the gate's program is told, besides the home and the two releases.

    Args:
        folder: The recording, absolute.
        days: How many of its newest days are judged.
        period_s: From one decision of the installation to the next.
        limit_cents: What `verdict_of` refuses by; None for evidence only.
    """
    limit = () if limit_cents is None else ("--limit", str(limit_cents))
    told = ("--candles", str(folder), "--days", str(days), "--period", str(period_s))
    return (*told, *limit)


def main(words: list[str] | None = None) -> int:
    """Print a verdict; exit code 2 where there is none."""
    asked = _parser().parse_args(words)
    try:
        verdict = _verdict(asked)
    except (ForesightError, HandoffError, RecordingError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(msgspec.json.encode(verdict).decode() + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {PROGRAM}")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--running", required=True)
    parser.add_argument("--candidate", required=True)
    parser.add_argument("--candles", type=Path, required=True)
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--period", type=float, required=True)
    parser.add_argument("--limit", type=float)
    return parser


def _verdict(asked: argparse.Namespace) -> GateVerdict:
    ground = _ground(asked.candles, asked.days, asked.period)
    running, candidate = (
        _earned(asked.home, release, name, asked.candles, ground)
        for release, name in ((asked.running, RUNNING), (asked.candidate, CANDIDATE))
    )
    found = difference_of(running, candidate)
    return verdict_of(found, days=asked.days, limit_cents=asked.limit)


def _ground(folder: Path, days: int, period_s: float) -> Ground:
    """Return the market of the newest days; what lies before them fits its prices."""
    recordings = load_recordings(folder)
    whole = whole_span(recordings)
    first = whole.end - days * DAY_MINUTES
    if first <= whole.first:
        recorded = (whole.end - whole.first) / DAY_MINUTES
        what = f"{folder} holds {recorded:.1f} days: nothing before {days} of them fits prices"
        raise ConfigError(what, "try fewer days, or `foresight download` more")
    return prepare_ground(recordings, Terms(judge_from=first), period_s=period_s)


def _earned(home: Path, release: str, name: str, folder: Path, ground: Ground) -> BacktestResult:
    manifest = read_manifest(home, release)
    tree = Path(manifest.tree)
    environment = child_environment([*engine_environment(home), *manifest.variables().items()])
    asked = asked_of(name, tree / CONFIG_FILE, folder, ground)
    return tried(asked, manifest.module, environment=environment, directory=tree)


if __name__ == "__main__":
    sys.exit(main())
