"""Real workers and the real store over a modelled etcd: what befalls them, drawn by seeds.

`make sim-etcd` runs more; a seed that fails is a test to keep.
"""

from __future__ import annotations

import pytest

from tests.etcd_sim import run

pytestmark = pytest.mark.timeout(120)
SEEDS = [1, 9]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_befalls_hosts_leases_and_lines_no_cycle_and_no_order_is_lost_or_doubled(
    seed: int,
) -> None:
    came = run(seed)
    assert came.cycles
    assert came.owners > 1
