"""What a deployer makes of an outage: when a bake waits in vain, when it is tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from deploy.history import Outcome, requested
from deploy.inputs import REPEATS_MAX, goes_again, has_come
from deploy.requests import (
    Request,
    ask_abort,
    count_try,
    deploy_of,
    open_requests,
    read_request,
    write_request,
)
from handoff.worker.glance import is_lacking
from state.heard import Heard
from state.journal_frames import Health

if TYPE_CHECKING:
    from pathlib import Path

OUTSIDE = "outside: no inputs in 5 cycles running, 31 s: no feed answers"


def cycle(
    answered: int | None = 16, *, asked: int = 16, release: str = "r1", unavailable: str = ""
) -> Heard:
    health = None if answered is None else Health(asked=asked, answered=answered)
    return Heard(kind="decide", release=release, health=health, unavailable=unavailable)


@pytest.mark.parametrize(
    ("line", "usual", "lacking"),
    [
        (cycle(16), 1.0, False),
        (cycle(12), 1.0, False),
        (cycle(11), 1.0, True),
        (cycle(11), 0.7, False),
        (cycle(11), None, False),
        (cycle(0), None, True),
        (cycle(0), 0.0, True),
        (cycle(0, asked=0), 1.0, False),
        (cycle(None), 1.0, False),
        (cycle(None, unavailable="timed out"), None, True),
        (cycle(16, unavailable="timed out"), 1.0, True),
    ],
)
def test_a_cycle_lacks_inputs_by_the_measure_of_the_bake(
    line: Heard, usual: float | None, *, lacking: bool
) -> None:
    assert is_lacking(line, usual, 0.25) is lacking


def test_inputs_have_come_once_the_release_that_runs_gets_them() -> None:
    """What the one that failed had says nothing; nor does a cycle in which nothing was asked."""

    def come(*newest_first: Heard) -> bool:
        return has_come(newest_first, "r1", 1.0, 0.25)

    other = Heard(kind="settle", release="r1")
    nothing_asked = cycle(0, asked=0)
    assert not come()
    assert not come(other, cycle(release="r2"))
    assert not come(cycle(3), cycle(16)), "the newest counts"
    assert come(other, cycle(16), cycle(3))
    assert not come(nothing_asked, cycle(3))
    assert come(nothing_asked, cycle(16))
    assert not come(nothing_asked)
    assert come(cycle(None)), "an engine that counts nothing decided with inputs"
    assert not come(cycle(None, unavailable="timed out"))


@pytest.mark.parametrize(
    ("outcome", "reason", "tries", "again"),
    [
        (Outcome.RETURNED, OUTSIDE, 0, True),
        (Outcome.RETURNED, OUTSIDE, REPEATS_MAX - 1, True),
        (Outcome.RETURNED, OUTSIDE, REPEATS_MAX, False),
        (Outcome.RETURNED, "r2 sees less than r1", 0, False),
        (Outcome.ABORTED, OUTSIDE, 0, False),
        (Outcome.REFUSED, OUTSIDE, 0, False),
    ],
)
def test_only_what_nobody_is_to_blame_for_is_tried_again_and_not_for_ever(
    outcome: Outcome, reason: str, tries: int, *, again: bool
) -> None:
    entry = msgspec.structs.replace(
        requested("d1", now_ns=0, by="mia", ref="main", from_release="r1"),
        outcome=outcome.value,
        reason=reason,
    )
    assert goes_again(entry, tries) is again


def test_each_try_has_an_id_of_its_own_and_belongs_to_one_request(tmp_path: Path) -> None:
    """Workers, record and history tell them apart; whoever ends one ends the deploy."""
    write_request(tmp_path, Request(deploy="d1", by="mia", requested_ns=1))
    (first,) = open_requests(tmp_path)
    second = count_try(tmp_path, "d1")
    assert [first.attempt, second.attempt] == ["d1", "d1.2"]
    assert [first.attempt_before, second.attempt_before] == ["", "d1"]
    assert count_try(tmp_path, "d1").attempt_before == "d1.2"
    assert deploy_of("d1") == deploy_of("d1.2") == "d1"
    ask_abort(tmp_path, "d1.3", "carol")
    assert read_request(tmp_path, "d1").aborted_by == "carol"
    assert count_try(tmp_path, "d1").aborted_by == "carol", "what was asked meanwhile is kept"
