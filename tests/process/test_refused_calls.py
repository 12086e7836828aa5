"""A system that refuses pidfds has a bot that works: its workers are watched by pid."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.installation import ROOT, environment
from handoff.wire import Kind
from tests.process.hurt import ENTRY, Hurt, verify_nothing_lost

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's"),
]
REFUSING = (sys.executable, str(Path(__file__).with_name("refusing_pidfds.py")))


def test_a_bot_runs_and_is_stopped_where_pidfds_are_refused(tmp_path: Path) -> None:
    """The launcher ended, and a worker that nobody watched went on trading."""
    with Hurt(tmp_path) as hurt:
        words = hurt.command("run", ENTRY, "--tree", str(hurt.release("v0")), "--app", "bench")
        with hurt.output.open("ab") as output:
            hurt.launcher = subprocess.Popen(
                [*REFUSING, *words], cwd=ROOT, env=environment(), stdout=output, stderr=output
            )
        hurt.wait_cycles(2)
        owners = [each["owner"] for each in hurt.ask(Kind.STATUS)["children"]]
        assert owners == [True], "who trades is watched"
        verify_nothing_lost(hurt)
