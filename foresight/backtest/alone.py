"""``python -m foresight.backtest.alone FILE``: try one release in a process of its own.

Owns the reading of what is asked from stdin, and the result in a file. Two releases are compared
by each one's own code: what runs here is the tree that this is started in.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from foresight.backtest.calibration import Span
from foresight.backtest.market import RecordedTape
from foresight.backtest.prepared import Ground, Terms, trial_of
from foresight.backtest.trading import run
from foresight.backtest.tried import Asked
from foresight.config import load
from foresight.errors import ForesightError
from foresight.exchange.market.rules import Rule
from foresight.exchange.prices.recordings import load_recordings
from foresight.overrides import RECORDING


def main(target: Path) -> int:
    """Write what the trader of a configuration comes to; exit code 2 where it cannot be tried."""
    parent = os.getppid()
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    config_path = Path(asked.config)
    sys.path.insert(0, str(config_path.parent))
    os.environ[RECORDING] = asked.folder
    recordings = load_recordings(Path(asked.folder))
    terms = Terms(rule=Rule(asked.rule), delay_s=asked.delay_s, table=asked.table)
    tape = RecordedTape(recordings)
    ground = Ground(recordings, tape, Span(*asked.judged), asked.table, terms)
    try:
        config = load(str(config_path), os.environ)
        tree = config_path.parent
        trial = trial_of(config, tree, ground, name=asked.name, where=asked.config)
        result = run(trial, heard=lambda _: _leave_alone(parent))
    except ForesightError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    target.write_bytes(msgspec.json.encode(result) + b"\n")
    return 0


def _leave_alone(parent: int) -> None:
    """End once nobody is there any more who wants to know: a killed gate cannot say so."""
    if os.getppid() != parent:
        sys.exit("whoever asked has gone")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
