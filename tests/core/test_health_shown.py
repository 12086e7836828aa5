"""What a cycle got of the world is shown wherever cycles are: nobody has to notice it in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from deploy import requests, way_back
from foresight.cli.cycle_rows import rows_of
from foresight.cli.status import health_of
from foresight.config import parse
from foresight.dashboard.cycles import CycleLine, cells_of
from foresight.errors import ConfigError
from handoff.rollout.driver import why_returned
from handoff.worker.settings import SettingInvalid, Settings, settings_of, variables_of
from state.heard import Heard
from state.journal_frames import Health, Line
from state.journal_reader import segment_path

if TYPE_CHECKING:
    from pathlib import Path


def heard(cycle: int, *, unavailable: str = "", answered: int = 16) -> Heard:
    health = Health(asked=16, answered=answered)
    return Heard(
        seq=cycle, kind="decide", cycle=cycle, unavailable=unavailable, health=health, release="r"
    )


def test_status_says_what_the_newest_cycle_got() -> None:
    seen = health_of([heard(9, unavailable="down", answered=3), heard(8)])
    assert (seen.cycle, seen.asked, seen.answered) == (9, 16, 3)
    assert health_of([]).cycle is None


def test_a_row_of_cycles_says_what_was_answered() -> None:
    line = Line(
        kind="decide",
        result="r",
        cycle=4,
        unavailable="no inputs within 0.50 s, its budget",
        health=Health(asked=16, answered=3),
        header=msgspec.Raw(b'{"outbox":[]}'),
    )
    [row] = rows_of([line])
    assert (row.asked, row.answered) == (16, 3)
    assert row.unavailable.startswith("no inputs within")


def test_settings_travel_in_the_environment_and_have_ranges() -> None:
    told = Settings(bake_outside_s=5, health_drop=0.5)
    assert settings_of(dict(variables_of(told))) == told
    assert settings_of({}) == Settings()
    for text in ("much", "-1", "nan"):
        with pytest.raises(SettingInvalid, match="must be a number from 0"):
            settings_of({"HANDOFF_HEALTH_DROP": text})


def test_an_installation_says_them_in_its_file() -> None:
    engine = parse("[engine]\nbake_outside_s = 60\nhealth_drop = 0.5", {}, where="x").engine
    assert (engine.bake_outside_s, engine.health_drop) == (60, 0.5)
    for wrong in ("bake_outside_s = 0", "health_drop = 1.5"):
        with pytest.raises(ConfigError):
            parse(f"[engine]\n{wrong}", {}, where="x")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([("release", "outside: down"), ("seize", "")], "outside: down"),
        ([("take", ""), ("decide", ""), ("take", "r2 sees less than r1")], "r2 sees less than r1"),
        ([("release", "of a deploy before"), ("take", ""), ("decide", "")], ""),
    ],
)
def test_the_journal_says_why_a_release_was_returned(
    tmp_path: Path, lines: list[tuple[str, str]], reason: str
) -> None:
    """No message has to arrive for that, so that it holds under a launcher of any age."""
    (tmp_path / "journal").mkdir()
    plain: list[dict[str, Any]] = [
        {"seq": seq, "kind": kind, "evidence": {"reason": why} if why else {}}
        for seq, (kind, why) in enumerate(lines, 1)
    ]
    data = b"".join(msgspec.json.encode(each) + b"\n" for each in plain)
    segment_path(tmp_path / "journal", 1).write_bytes(data)
    assert why_returned(tmp_path) == reason


def test_a_rollback_without_a_bake_asks_nobody(tmp_path: Path) -> None:
    request = requests.Request(deploy="d1", release="r1", by="mia", requested_ns=1)
    way_back.ask(tmp_path, request)
    assert requests.open_requests(tmp_path) == []


def test_the_page_says_what_was_amiss() -> None:
    line = CycleLine(kind="decide", cycle=4, scheduled_ms=1.0, health=Health(asked=16, answered=15))
    [cell] = cells_of([line], 1000.0)
    assert cell.note == "15 of 16 answered"
