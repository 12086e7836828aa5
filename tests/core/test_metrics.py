"""What a scraper gets: every figure comes from the files, under a name that others rely on."""

from __future__ import annotations

import re
from dataclasses import replace as replaced
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from typing_extensions import override

from deploy.history import Entry
from foresight.board import Result
from foresight.book import Book, Cash, keep_decided
from foresight.dashboard.reader import Reader
from foresight.dashboard.scrape import Scrape, text_of
from foresight.dashboard.snapshot import Sign, Snapshot, Trouble
from foresight.dashboard.source import Source
from state.hosts_seen import Clock, HostSeen, HostsSeen, Role
from state.journal_frames import Health
from state.record import Control, Effect, Fate, Rollout
from tests.core.dashboard_values import (
    FIRST,
    NOW_MS,
    START_S,
    book,
    cycle_lines,
    decided,
    line,
    position,
    record,
    seen,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foresight.dashboard.view import View

DOCS = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
NAME = re.compile(r"\bforesight_[a-z_]+")
ENDED = ("permanent", "returned", "permanent", "of_a_newer_program")


def full_book() -> Book:
    full = book(
        venue="paper",
        positions={"t": position()},
        cash=Cash(held_micro=7_500_000),
        now_s=START_S,
        board_quiet_until_s=START_S + 60,
        signals=40,
        unbought={'a "thin"\nbook': 3},
    )
    for _ in range(30):
        keep_decided(full, decided(Result.UP, price=0.5))
    return full


def full_snapshot() -> Snapshot:
    """Everything is there, so that every series is."""
    lines = cycle_lines(1, 18, health=Health(asked=4, answered=3))
    missed = line("miss", 19, seq=98, evidence={"reason": "late"})
    followed = line("seize", 18, seq=97, at_ms=18.5 * 60_000, evidence={"proof": "lease_ended"})
    last = line("decide", 20, seq=99, started_ms=20 * 60_000.0 + 40, health=Health(asked=4))
    doubtful = Effect(effect_id="e", kind="order", fate=Fate.DOUBTFUL)
    held = replace(doubtful, not_after_ns=NOW_MS * 10**9)
    return Snapshot(
        record=record(
            outbox=(doubtful, held), rollout=Rollout(deploy_id="d", clean_cycles=2, of=5)
        ),
        book=full_book(),
        lines=(line("genesis", 0, seq=0, release=""), *lines, followed, missed, last),
        deploys=tuple(
            Entry(deploy="d", requested_at="", requested_ms=0, by="x", outcome=how) for how in ENDED
        ),
        owner=Sign.RUNS,
        launcher=Sign.STOPPED,
        hosts=HostsSeen(
            hosts=(
                HostSeen(name="here", role=Role.STANDBY, is_here=True, heard_ms=2000.0),
                HostSeen(name="other", heard_ms=1000.0, clock=Clock(low_ms=300, high_ms=500)),
            ),
            heard_ms=3000.0,
            written_ms=NOW_MS,
        ),
    )


def scraped(snapshot: Snapshot) -> Mapping[tuple[str, tuple[str, ...]], float]:
    """Return values by name and by label values, in the order of the labels' names."""
    text = text_of(snapshot, seen(snapshot)).decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names(snapshot: Snapshot) -> set[str]:
    return {name for name, _ in scraped(snapshot)}


def test_a_scrape_says_what_record_journal_and_history_say() -> None:
    """Each figure is one that somebody is woken by."""
    found = scraped(full_snapshot())
    expected = {
        ("foresight_running", ()): 1,
        ("foresight_healthy", ()): 0,
        ("foresight_process_running", ("owner",)): 1,
        ("foresight_process_running", ("launcher",)): 0,
        ("foresight_release_info", ("foresight", FIRST[:12], FIRST)): 1,
        ("foresight_cycle_number", ()): 20,
        ("foresight_cycle_period_seconds", ()): 60,
        ("foresight_cycle_lateness_seconds", ()): 0.04,
        ("foresight_recent_cycles", ("done",)): 18,
        ("foresight_recent_cycles", ("missed",)): 1,
        ("foresight_newest_missed_timestamp_seconds", ()): 19 * 60,
        ("foresight_inputs_asked", ()): 4,
        ("foresight_inputs_answered", ()): 0,
        ("foresight_deploys_total", ("permanent",)): 2,
        ("foresight_deploys_total", ("returned",)): 1,
        ("foresight_deploys_total", ("refused",)): 0,
        ("foresight_deploys_total", ("other",)): 1,
        ("foresight_deploy_under_way", ("baking",)): 1,
        ("foresight_bake_cycles", ("clean",)): 2,
        ("foresight_bake_cycles", ("needed",)): 5,
        ("foresight_effects_pending", ()): 2,
        ("foresight_effects_held", ()): 1,
        ("foresight_effects_in_doubt", ()): 1,
        ("foresight_positions", ("paper",)): 1,
        ("foresight_stake_at_risk_usdc", ("paper",)): 18,
        ("foresight_cash_usdc", ("paper",)): 7.5,
        ("foresight_trades", (FIRST, "paper")): 30,
        ("foresight_locks", ("max_drawdown",)): 1,
        ("foresight_locks", ("operator",)): 0,
        ("foresight_signals_total", ()): 40,
        ("foresight_signals_unbought_total", ('a "thin"\nbook',)): 3,
    }
    assert {key: found.get(key) for key in expected} == expected


def test_simulated_money_has_a_series_of_its_own() -> None:
    """A sum of both would look like an account that nobody has."""
    full = full_book()
    paper = scraped(Snapshot(record=record(), book=full))
    full.venue = "polymarket"
    keep_decided(full, decided(Result.DOWN))
    both = scraped(Snapshot(record=record(), book=full))
    simulated = ("foresight_profit_usdc", (FIRST, "paper"))
    assert both[simulated] == paper[simulated] > 0
    assert both["foresight_profit_usdc", (FIRST, "polymarket")] < 0


@pytest.mark.parametrize("member", ["paused", "halted"])
def test_what_an_operator_wished_is_scraped(member: str) -> None:
    control = Control(paused=member == "paused", halted=member == "halted")
    found = scraped(Snapshot(record=record(control=control)))
    assert found[f"foresight_{member}", ()] == 1
    assert sum(found[f"foresight_{each}", ()] for each in ("paused", "halted")) == 1


def test_a_home_without_a_record_claims_nothing() -> None:
    """Zero positions of a bot that cannot be read would be believed."""
    trouble = Trouble(level="stop", text="The record cannot be read.")
    found = scraped(Snapshot(troubles=(trouble,)))
    assert found["foresight_running", ()] == 0
    assert found["foresight_healthy", ()] == 0
    assert found["foresight_troubles", ("stop",)] == 1
    assert not {"foresight_positions", "foresight_cycle_number"} & {name for name, _ in found}


def test_what_was_heard_of_all_hosts_is_scraped() -> None:
    found = scraped(full_snapshot())
    expected = {
        ("foresight_record_in_reach", ()): 1,
        ("foresight_record_reached_timestamp_seconds", ()): 3,
        ("foresight_host_counts", ("here",)): 1,
        ("foresight_host_counts", ("other",)): 0,
        ("foresight_host_heard_timestamp_seconds", ("other",)): 1,
        ("foresight_host_clock_ahead_seconds", ("other",)): 0.4,
        ("foresight_host_clock_apart_seconds", ("other",)): 0.3,
        ("foresight_newest_lease_end_timestamp_seconds", ()): 18.5 * 60,
    }
    assert {key: found.get(key) for key in expected} == expected


def test_a_host_that_cannot_reach_the_record_is_not_running() -> None:
    """Its owner lives, and decides nothing: one that is 1 all the same wakes nobody."""
    full = full_snapshot()
    assert full.hosts is not None
    looked_ms = 20.5 * 60_000  # as `seen` looks
    away = replace(full.hosts, away_since_ms=looked_ms - 1000, written_ms=looked_ms)
    found = scraped(replaced(full, hosts=away))
    assert found["foresight_record_in_reach", ()] == 0
    assert found["foresight_running", ()] == 0
    assert found["foresight_process_running", ("owner",)] == 1


def test_of_a_record_of_one_host_nothing_is_said_of_others() -> None:
    """Nor of an owner whose end was seen: nobody has to look at another host for it."""
    alone = replaced(full_snapshot(), hosts=None)
    assert not {name for name in names(alone) if "host" in name or "record_" in name}
    seized = line("seize", 2, evidence={"proof": "dead"})
    found = names(replaced(full_snapshot(), lines=(*cycle_lines(1, 2), seized)))
    assert "foresight_newest_lease_end_timestamp_seconds" not in found


def test_every_series_that_dashboard_and_rules_name_is_scraped() -> None:
    """A panel without data and an alert that never fires both look like good news."""
    there = names(full_snapshot())
    for name in ("grafana-dashboard.json", "alerts.yml", "alerts_test.yml"):
        named = set(NAME.findall((DOCS / name).read_text(encoding="utf-8")))
        assert len(named) > 8, name
        assert named <= there, name


def test_every_series_is_in_the_docs() -> None:
    """Whoever writes a rule reads there what there is."""
    listed = re.findall(r"^\| `(foresight_[a-z_]+)", (DOCS / "README.md").read_text(), re.MULTILINE)
    assert set(listed) == names(full_snapshot())
    assert len(listed) == len(set(listed))


def test_every_alert_is_tried_where_it_fires_and_where_it_is_silent() -> None:
    """What no test fires may never fire."""
    alerts = re.findall(r"- alert: (\w+)", (DOCS / "alerts.yml").read_text(encoding="utf-8"))
    tried = (DOCS / "alerts_test.yml").read_text(encoding="utf-8")
    cases = re.findall(r"alertname: (\w+)\n +exp_alerts:( \[\])?", tried)
    assert sorted(cases) == sorted((name, how) for name in alerts for how in ("", " []"))
    assert len(alerts) > 8


def test_a_scrape_is_made_once_a_second_however_many_ask(tmp_path: Path) -> None:
    """A scraper in a loop must not take the machine from the owner."""
    now_s = [100.0]
    reader = _CountedReader(Source(tmp_path))
    scrape = Scrape(reader, now_s=lambda: now_s[0])
    first = scrape.text()
    assert [scrape.text() for _ in range(20)] == [first] * 20
    assert reader.views == 1
    now_s[0] += 1.0
    assert scrape.text() == first, "nothing is counted by the process that is asked"
    assert reader.views == 2


class _CountedReader(Reader):
    views = 0

    @override
    def view(self) -> View:
        self.views += 1
        return super().view()
