"""A first release that does not come up is given up; a home in which a cycle was decided is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff.launcher.first_start import (
    LINES_SHOWN,
    Failed,
    FirstReleaseBroken,
    has_begun,
    is_given_up,
)
from handoff.limits import FIRST_START_S_MAX, FIRST_STARTS_MAX

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("failures", "waited_s", "ready", "outside", "given_up"),
    [
        (FIRST_STARTS_MAX - 1, 1.0, False, False, False),
        (FIRST_STARTS_MAX, 1.0, False, False, True),
        (FIRST_STARTS_MAX, 1.0, True, True, True),
        (0, FIRST_START_S_MAX + 1, False, False, True),
        (0, FIRST_START_S_MAX + 1, True, False, False),
        (0, FIRST_START_S_MAX + 1, False, True, False),
    ],
)
def test_it_is_given_up_after_some_starts_or_some_time(
    *, failures: int, waited_s: float, ready: bool, outside: bool, given_up: bool
) -> None:
    """But never for the outside world alone: the network may not be there yet."""
    said = is_given_up(failures=failures, waited_s=waited_s, ready=ready, outside=outside)
    assert said is given_up


def test_what_no_start_can_change_is_given_up_after_the_first() -> None:
    """Five starts of a mistyped name say five times the same."""
    given_up = [
        is_given_up(failures=failures, waited_s=1.0, ready=False, outside=False, final=True)
        for failures in (0, 1)
    ]
    assert given_up == [False, True]


def journal(home: Path, *kinds: str, name: str = "1.jsonl") -> None:
    (home / "journal").mkdir(exist_ok=True)
    lines = "".join(f'{{"chain":"","seq":1,"kind":"{kind}"}}\n' for kind in kinds)
    (home / "journal" / name).write_text(lines, encoding="ascii")


def test_a_home_has_begun_with_its_first_decided_cycle(tmp_path: Path) -> None:
    assert not has_begun(tmp_path), "no journal"
    journal(tmp_path, "genesis", "seize", "miss", "release")
    assert not has_begun(tmp_path)
    journal(tmp_path, "genesis", "seize", "decide")
    assert has_begun(tmp_path)
    journal(tmp_path, "genesis", "seize", "take")
    assert has_begun(tmp_path), "a release that was deployed is not the first"


def test_a_home_with_a_long_journal_has_begun(tmp_path: Path) -> None:
    """Its first lines may be gone: whoever relies on it is not left alone."""
    journal(tmp_path, "segment", name="9000.jsonl")
    journal(tmp_path, "segment", name="9900.jsonl")
    assert has_begun(tmp_path)
    (tmp_path / "journal" / "9000.jsonl").unlink()
    journal(tmp_path, *["seize"] * 30_000, name="9900.jsonl")
    assert has_begun(tmp_path)


def test_the_last_words_of_the_worker_are_said_and_not_its_log() -> None:
    traceback = [f"line {number}" for number in range(2 * LINES_SHOWN)]
    tail = "\n".join(['{"event": "worker_warm"}', *traceback, '{"event": "worker_leaving"}', ""])
    failed = Failed("r1", "exited with status 1", tail=tail)
    error = FirstReleaseBroken(failed, owned=False, home="/h")
    first, *rest = str(error).splitlines()
    assert first == "the first release r1 does not start: exited with status 1"
    assert rest == [f"  {line}" for line in traceback[-LINES_SHOWN:]]
    assert "start again" in error.hint
    assert "/h" not in error.hint
    assert "remove /h" in FirstReleaseBroken(failed, owned=True, home="/h").hint
