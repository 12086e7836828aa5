"""Logs as people read them: which lines, in which order, in which words."""

import json
import os
from pathlib import Path

import pytest

from handoff.commands.log_words import is_of, said_in, since_of, words_of
from handoff.commands.reading import Logs, Wanted, WorkerUnheard

AT = "2026-11-29T10:00:0{}.000Z"


def line(second: int, event: str, **members: object) -> str:
    return json.dumps({"at": AT.format(second), "at_ms": 1, "event": event, "pid": 7, **members})


def test_an_event_is_said_with_its_time_whose_it_is_and_its_facts() -> None:
    (said,) = said_in("worker-3-1", [line(1, "worker_warm", worker="a1", release="r1", cycle=4)])
    assert words_of(said) == "11-29 10:00:01 worker-3-1  worker warm: release r1, cycle 4"


def test_what_a_program_prints_has_the_time_of_the_line_before_it() -> None:
    """A traceback without a time would be shown first, or last, and mean nothing there."""
    _, printed = said_in("worker-3-1", [line(2, "worker_warm"), "Traceback: x"])
    assert words_of(printed) == "11-29 10:00:02 worker-3-1  Traceback: x"


@pytest.mark.parametrize("name", ["a1", "7", "worker-3-1", "3-1"])
def test_a_worker_is_meant_by_any_of_its_names(name: str) -> None:
    (said,) = said_in("worker-3-1", [line(1, "worker_warm", worker="a1")])
    assert is_of(said, name)
    assert not is_of(said, "a")


def test_a_moment_is_a_time_or_so_long_ago() -> None:
    now_ns = 1_764_410_400 * 10**9  # 2025-11-29T10:00:00Z
    assert since_of("10m", now_ns) == "2025-11-29T09:50:00.000Z"
    assert since_of("2025-11-29T11:00:00+02:00", now_ns) == "2025-11-29T09:00:00.000Z"
    with pytest.raises(ValueError, match="yesterday"):
        since_of("yesterday", now_ns)


def test_lines_of_several_logs_are_shown_in_the_order_in_which_they_were_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "logs").mkdir()
    launcher = [line(1, "child_started"), line(4, "child_exited")]
    worker = [line(2, "worker_warm"), "printed", line(3, "ownership_taken")]
    for name, lines in (("launcher", launcher), ("worker-3-1", worker)):
        path = tmp_path / "logs" / f"{name}.log"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    shown = [words_of(said)[15:] for said in Logs(tmp_path, Wanted(lines=4)).newest()]
    assert shown == [
        "worker-3-1  worker warm",
        "worker-3-1  printed",
        "worker-3-1  ownership taken",
        "launcher  child exited",
    ]
    since = Wanted(lines=9, since=AT.format(3), worker="worker-3-1")
    assert [said.members["event"] for said in Logs(tmp_path, since).newest()] == ["ownership_taken"]


def test_who_says_nothing_is_named_with_those_who_do(tmp_path: Path) -> None:
    """A name that was mistyped looked like a worker that is silent."""
    (tmp_path / "logs").mkdir()
    with pytest.raises(WorkerUnheard) as unheard:
        Logs(tmp_path, Wanted(lines=4, worker="a1")).newest()
    assert unheard.value.hint == "there is no log yet"
    worker = tmp_path / "logs" / "worker-3-1.log"
    worker.write_text(line(1, "worker_warm", worker="a1") + "\n", encoding="utf-8")
    (tmp_path / "logs" / "launcher.log").write_text("started\n", encoding="utf-8")
    os.utime(worker, ns=(1, 1))
    with pytest.raises(WorkerUnheard, match="no log has a line of 'a2'") as unheard:
        Logs(tmp_path, Wanted(lines=4, worker="a2")).newest()
    assert unheard.value.hint == "there are lines of launcher, worker-3-1 (a1)"


def test_why_nothing_is_shown_is_a_sentence(tmp_path: Path) -> None:
    nothing = Logs(tmp_path, Wanted(lines=4))
    assert nothing.newest() == []
    assert nothing.why_none() == f"nothing was said yet: {tmp_path / 'logs'} has no line"
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / "launcher.log"
    path.write_text(line(1, "child_started") + "\n", encoding="utf-8")
    later = Logs(tmp_path, Wanted(lines=4, since=AT.format(2)))
    assert later.newest() == []
    assert later.why_none() == (
        f"nothing was said since {AT.format(2)}; the newest line is of {AT.format(1)}"
    )
