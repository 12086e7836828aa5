"""The local exchange's ledger: what the previous release began goes on, and not the other way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from foresight.evidence.exchange_books import Exchange, ask
from foresight.exchange.__main__ import EXIT_DONE, EXIT_REFUSED
from tests.process.bot import PATIENCE_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.upgrade.engines import Engines


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "foresight.exchange", "--dir", str(folder)]


@contextmanager
def running(tree: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Run the exchange of a tree; yields its first line."""
    program = subprocess.Popen(command(folder), cwd=tree, stdout=subprocess.PIPE)
    assert program.stdout is not None
    try:
        yield json.loads(program.stdout.readline())
    finally:
        program.send_signal(signal.SIGTERM)
        assert program.wait(PATIENCE_S) == EXIT_DONE
        program.stdout.close()


def refusal(tree: Path, folder: Path) -> str:
    """Return what the exchange of a tree says of a ledger that it does not go on with."""
    ran = subprocess.run(
        command(folder), cwd=tree, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ran.returncode == EXIT_REFUSED
    return ran.stderr


def test_a_ledger_of_the_previous_exchange_goes_on_as_it_meant(
    engines: Engines, tmp_path: Path
) -> None:
    """Rule, tick, hold and payment are those of its first day, and it can go back while unused."""
    meant = {"rule": "last", "tick": "0.01", "hold_ms": 0, "redeem_s": 0}
    with running(engines.previous, tmp_path) as said:
        began_ms = said["origin_ms"]
    with running(engines.this, tmp_path) as said:
        assert {name: said[name] for name in meant} == meant
    with running(engines.previous, tmp_path) as said:
        assert said["origin_ms"] == began_ms


def test_the_previous_exchange_refuses_what_it_would_read_wrongly(
    engines: Engines, tmp_path: Path
) -> None:
    """Going on would pay shares that were paid, or hold none of what was promised to be held."""
    begun_here, entered_here = tmp_path / "begun", tmp_path / "entered"
    with running(engines.this, begun_here) as said:
        assert said["redeem_s"] > 0
    assert "format" in refusal(engines.previous, begun_here)
    with running(engines.previous, entered_here):
        pass
    with running(engines.this, entered_here) as said:
        token = (entered_here / "control.token").read_text("ascii").strip()
        ask(Exchange(said["address"], token), "redemption", {"automatic": False})
    assert "ledger line" in refusal(engines.previous, entered_here)
