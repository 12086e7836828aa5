"""Faults on three members of a real etcd and two hosts; `python -m tests.cluster` deals more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import network
from tests.cluster.faults import Fault
from tests.process import shifted_clock
from tests.process.etcd_server import ABSENT, PROGRAM

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(PROGRAM is None, reason=ABSENT),
    pytest.mark.skipif(not network.can_be(), reason=network.FORBIDDEN),
]
ROOT = Path(__file__).resolve().parent.parent.parent
FEW = (Fault.STOPPED_BEFORE_SEND, Fault.LEADER_KILLED, Fault.OWNER_HOST_KILLED, Fault.NO_MAJORITY)
OUTAGE_S = 5
CLOCKS = "250,-250" if shifted_clock.library() else "0,0"  # 0.5 s apart, where that can be


def test_what_strikes_a_cluster_costs_no_cycle_and_doubles_no_order() -> None:
    """By a venue's count and both journals; nobody is touched while there is no majority.

    The hosts' clocks are half a second apart, which `status` and `doctor` say on both.
    """
    words = ["--only", ",".join(FEW), "--outage", str(OUTAGE_S), "--seed", "1"]
    words.append(f"--clocks={CLOCKS}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster", *words],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "skipped 0, doubled 0" in done.stdout
