"""What is said of hosts: what was heard, since when it is not, and of nobody that it is dead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from foresight.cli.neighbours import lines_of as bot_lines
from foresight.dashboard.hosts import host_rows, host_troubles
from foresight.dashboard.markup import REGIONS
from foresight.dashboard.snapshot import Sign, Snapshot
from handoff.commands.host_words import (
    host_lines,
    host_state,
    hosts_as_json,
    not_standby,
    titled,
    warnings_of,
)
from state.hosts_file import (
    FILE_BYTES_MAX,
    QUIET_MS,
    hosts_path,
    put_hosts,
    read_hosts,
    write_hosts,
)
from state.hosts_seen import FRESH_MS, Clock, HostSeen, HostsSeen, Role
from tests.core.dashboard_values import PERIOD_MS, book, cycle_lines, record, seen
from tests.core.test_metrics import scraped

if TYPE_CHECKING:
    from pathlib import Path

AT_MS = 1_795_000_330_000.0
LATE_MS = 22 * PERIOD_MS  # cycle 21 is overdue
AT = "2026-11-18T11:12:10Z"
HERE = HostSeen(name="alpha", is_here=True, role=Role.OWNER, standbys=1, heard_ms=AT_MS)
THERE = HostSeen(name="beta", role=Role.STANDBY, heard_ms=AT_MS)
BOTH = HostsSeen(hosts=(HERE, THERE), heard_ms=AT_MS, written_ms=AT_MS)
AWAY = replace(BOTH, away_since_ms=AT_MS)


def clock(low_ms: float, high_ms: float) -> HostSeen:
    return replace(THERE, clock=Clock(low_ms=low_ms, high_ms=high_ms))


@pytest.mark.parametrize(
    ("host", "words", "counts"),
    [
        (HERE, "owner, 1 standby beside it", True),
        (THERE, "standby", True),
        (replace(THERE, role=Role.CANDIDATE), "candidate of a deploy", True),
        (
            replace(THERE, role=Role.NOT_STANDBY, why="it is getting warm"),
            "not standby: it is getting warm",
            False,
        ),
        (replace(THERE, role=Role.NOT_STANDBY), "not standby: it does not say why", False),
        (
            replace(THERE, role=Role.LEFT, why="asked to"),
            f"not standby: its worker left at {AT}: asked to",
            False,
        ),
        (
            replace(HERE, silent_since_ms=AT_MS),
            f"silent since {AT}, owner when heard last",
            False,
        ),
        (
            replace(THERE, role=Role.NOT_STANDBY, why="cold", silent_since_ms=AT_MS),
            f"silent since {AT}, not standby when heard last: cold",
            False,
        ),
    ],
)
def test_each_way_of_being_a_host_has_words(host: HostSeen, words: str, *, counts: bool) -> None:
    assert (host_state(host), host.counts_as_standby) == (words, counts)


def test_who_would_not_go_on_is_named_with_the_reason_and_only_while_it_is_news() -> None:
    warming = replace(THERE, role=Role.NOT_STANDBY, why="gate boot: no such module")
    wanted = ["beta does not count as standby: gate boot: no such module."]
    told = replace(BOTH, hosts=(HERE, warming))
    assert not_standby(told, AT_MS) == wanted
    assert not_standby(BOTH, AT_MS) == []
    assert not_standby(told, AT_MS + FRESH_MS + 1) == []
    assert not_standby(replace(told, away_since_ms=AT_MS), AT_MS) == []


def test_what_is_no_news_is_said_before_the_hosts() -> None:
    assert host_lines(BOTH, AT_MS)[0].startswith("alpha (this one): owner")
    assert host_lines(AWAY, AT_MS)[0] == f"etcd out of reach since {AT}: as known at {AT}"
    old = host_lines(BOTH, AT_MS + FRESH_MS + 1)
    assert old[0] == f"no worker here listens: as known at {AT}"
    assert len(old) == 1 + len(BOTH.hosts)
    never = host_lines(HostsSeen(away_since_ms=AT_MS, written_ms=AT_MS), AT_MS)
    assert never == [f"etcd out of reach since {AT}: nothing is known of any host"]


@pytest.mark.parametrize(
    ("host", "warning"),
    [
        (clock(251, 300), "The clock of beta is 0.28 s ahead of this host's (within 0.02 s)"),
        (clock(-900, -700), "The clock of beta is 0.80 s behind this host's (within 0.10 s)"),
        (clock(250, 300), ""),
        (clock(-100, 800), ""),  # it may be right
        (THERE, ""),
    ],
)
def test_a_clock_is_warned_of_only_where_it_is_surely_off(host: HostSeen, warning: str) -> None:
    found = warnings_of(replace(BOTH, hosts=(HERE, host)))
    assert [each[: len(warning)] for each in found] == ([warning] if warning else [])


def test_programs_get_the_same_and_a_summary_says_each_host_in_a_line() -> None:
    told = hosts_as_json(replace(BOTH, hosts=(HERE, clock(400, 420))), AT_MS)
    (here, there) = told["all"]
    assert (here["host"], here["role"], here["here"]) == ("alpha", "owner", True)
    assert (there["clock_ahead_ms"], there["clock_uncertain_ms"]) == (410, 10)
    assert told["is_fresh"]
    lines = list(titled(told, title="hosts", warned="clocks", width=8))
    assert [line[:8].strip() for line in lines] == ["hosts", "", "clocks"]
    assert list(titled(None, title="hosts", warned="clocks", width=8)) == []
    row: dict[str, Any] = {"app": "a", "pid": 1, "page": "", "says": "s", "home": "h"}
    said = " ".join(" ".join(bot_lines(row | {"hosts": told})).split())
    assert all(" ".join(line.split()) in said for line in lines)
    assert "hosts" not in " ".join(bot_lines(row | {"hosts": None}))


def test_what_was_heard_is_kept_in_the_home_and_nonsense_is_nothing(tmp_path: Path) -> None:
    assert read_hosts(tmp_path) is None
    (tmp_path / "run").mkdir()
    write_hosts(tmp_path, replace(BOTH, hosts=(HERE, clock(1, 2))))
    write_hosts(tmp_path, AWAY)
    assert read_hosts(tmp_path) == AWAY
    assert [each.name for each in (tmp_path / "run").iterdir()] == [hosts_path(tmp_path).name]
    for nonsense in (b"", b"[1]", b"\xff", b" " * FILE_BYTES_MAX + b"{}"):
        hosts_path(tmp_path).write_bytes(nonsense)
        assert read_hosts(tmp_path) is None


@pytest.mark.parametrize(("later_ms", "hears"), [(0, 400), (QUIET_MS - 1, 400), (QUIET_MS, 9)])
def test_what_another_worker_of_the_host_keeps_up_is_left_to_it(
    tmp_path: Path, later_ms: float, hears: float
) -> None:
    """Two workers of a host heard different bounds, and a warning of a clock came and went."""
    (tmp_path / "run").mkdir()
    write_hosts(tmp_path, replace(BOTH, hosts=(HERE, clock(400, 420)), writer=1))
    put_hosts(
        tmp_path,
        replace(BOTH, hosts=(HERE, clock(9, 800)), written_ms=BOTH.written_ms + later_ms),
    )
    kept = read_hosts(tmp_path)
    assert kept is not None
    assert kept.hosts[1].clock is not None
    assert kept.hosts[1].clock.low_ms == hears


def test_who_writes_it_goes_on_at_once(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for told in (BOTH, AWAY):
        put_hosts(tmp_path, told)
        assert read_hosts(tmp_path) == replace(told, writer=os.getpid())


def shown(told: HostsSeen, **more: Any) -> str:  # noqa: ANN401 - members of a snapshot
    moved = replace(told, written_ms=LATE_MS)
    lines = cycle_lines(1, 20)
    snapshot = Snapshot(record=record(), book=book(), lines=lines, hosts=moved, **more)
    view = seen(snapshot, now_ms=LATE_MS)
    return " ".join(REGIONS[name](view) for name in ("banner", "hosts", "crew"))


def test_the_page_shows_each_host_and_who_is_silent() -> None:
    silent = replace(THERE, name="<beta>", silent_since_ms=AT_MS)
    html = shown(replace(BOTH, hosts=(HERE, silent)))
    assert "&lt;beta&gt;</b>: silent since" in html
    assert "(this host): owner" in html
    assert REGIONS["hosts"](seen(Snapshot(record=record()))) == ""


def test_the_page_says_out_of_reach_and_since_when_and_of_nobody_that_it_is_gone() -> None:
    """An overdue cycle and a worker that cannot be seen are no news while nothing can be read."""
    html = shown(AWAY, owner=Sign.UNKNOWN, elsewhere="beta")
    assert f"out of reach since {AT}: this host decides nothing" in html
    assert "pid 7 on beta" in html
    assert "trading" not in html
    for word in ("gone", "dead", "overdue"):
        assert word not in html
    assert "overdue" in shown(BOTH)


def test_the_page_says_where_nobody_here_listens() -> None:
    (trouble,) = host_troubles(BOTH, AT_MS + FRESH_MS + 1)
    assert "listens" in trouble.text
    assert host_troubles(None, AT_MS) == []
    assert host_rows(None) == ()


def test_a_scrape_says_whom_this_host_hears_and_whose_clock_is_off() -> None:
    told = replace(BOTH, hosts=(HERE, clock(400, 420)), written_ms=20.5 * PERIOD_MS)
    found = scraped(Snapshot(record=record(), hosts=told))
    assert found["foresight_record_in_reach", ()] == 1
    assert found["foresight_host_counts", ("beta",)] == 1
    assert found["foresight_host_clock_ahead_seconds", ("beta",)] == pytest.approx(0.41)
    away = scraped(Snapshot(record=record(), hosts=replace(told, away_since_ms=AT_MS)))
    assert away["foresight_record_in_reach", ()] == 0
