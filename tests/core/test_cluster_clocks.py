"""The clocks of two hosts in a series: what is drawn, and what it means for the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff.limits import MS, SHARED_SKEW_NS, SHARED_SKEW_WARNED_MS
from tests.cluster import evidence
from tests.cluster.clocks import CHOICES_MS, Clocks, drawn
from tests.core.test_cluster_series import judged, whole
from tests.process import shifted_clock

SEEDS = range(200)


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have libfaketime, wherever this runs."""
    monkeypatch.setattr(shifted_clock, "library", lambda: Path("/usr/lib/libfaketimeMT.so.1"))


@pytest.mark.usefixtures("_installed")
def test_each_seed_draws_clocks_that_it_draws_again_and_all_of_them_come_up() -> None:
    found = [drawn(seed) for seed in SEEDS]
    assert found == [drawn(seed) for seed in SEEDS]
    assert set(found) == set(CHOICES_MS)


def test_clocks_are_apart_by_what_two_hosts_may_be_and_are_warned_of_and_also_alike() -> None:
    apart = {abs(north - south) for north, south in CHOICES_MS}
    assert max(apart) == SHARED_SKEW_NS / MS
    assert min(apart) == 0
    assert not any(0 < each <= SHARED_SKEW_WARNED_MS for each in apart), "none is near the edge"


def test_without_libfaketime_no_clock_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifted_clock, "library", lambda: None)
    assert {drawn(seed) for seed in SEEDS} == {(0, 0)}


def test_a_host_that_says_too_little_or_too_much_of_its_clock_fails_a_series() -> None:
    assert judged(whole())["passed"]
    told = Clocks((250, -250), ())
    report = evidence.judge(whole(), (), (), (), told)
    assert report["passed"]
    assert report["clocks"] == {"ahead_ms": [250, -250], "wrong": []}
    for words in ("status on north", "doctor on south"):
        report = evidence.judge(whole(), (), (), (), told._replace(wrong=(words,)))
        assert not report["passed"]
        assert report["clocks"]["wrong"] == [words]
