"""What a launcher writes down of its children, and what the next one believes of it."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.launcher.newest_line import as_record
from handoff.launcher.supervision import Child, Role
from handoff.launcher.written_down import from_plain, read_written, to_plain
from handoff.limits import ADOPTED_GRACE_S
from handoff.processes import Identity, boot_id, pid_namespace

if TYPE_CHECKING:
    from pathlib import Path

NOW_S = 5000.0
CHILD = Child("worker-7-1", Role.STANDBY, release="r1", deploy_id="d1", started_s=NOW_S)
ME = Identity(4711, 99, boot_id(), pid_namespace())
PLAIN = to_plain(CHILD, ME, ("/bin/true", "x"), 2)


def test_what_is_written_down_comes_back() -> None:
    written = from_plain(json.loads(json.dumps(PLAIN)), now_s=NOW_S)
    assert written is not None
    assert written == (CHILD, ME, ("/bin/true", "x"), 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pid", 1),
        ("pid", 0),
        ("pid", -7),
        ("pid", "mine"),
        ("pid", True),
        ("pid", "4711"),
        ("pid", 1 << 70),
        ("start_ticks", 0),
        ("start_ticks", None),
        ("name", ""),
        ("name", "../x"),
        ("name", 7),
        ("role", "king"),
        ("role", []),
        ("release", 7),
        ("deploy", {}),
        ("argv", "rm"),
        ("argv", [7]),
        ("attempts_left", "many"),
    ],
)
def test_an_entry_that_names_no_child_of_ours_is_passed_over(name: str, value: object) -> None:
    """Process 1 was adopted because the file said so, and stood in the file ever after."""
    value = os.getpid() if value == "mine" else value
    assert from_plain(PLAIN | {name: value}, now_s=NOW_S) is None


@pytest.mark.parametrize("name", ["name", "role", "pid", "start_ticks"])
def test_an_entry_without_what_names_a_child_is_passed_over(name: str) -> None:
    plain = {key: value for key, value in PLAIN.items() if key != name}
    assert from_plain(plain, now_s=NOW_S) is None


def test_a_companion_that_serves_comes_back_as_one_that_does() -> None:
    """Forgotten, it would have to say so in time, or be ended."""
    page = Child("page", Role.COMPANION, release="r1", started_s=NOW_S, warm=True)
    plain = json.loads(json.dumps(to_plain(page, ME, (), 0)))
    written = from_plain(plain, now_s=NOW_S)
    assert written is not None
    assert written.child == page
    worker = from_plain(plain | {"role": Role.STANDBY.value}, now_s=NOW_S)
    assert worker is not None
    assert not worker.child.warm, "a worker says so itself"


def test_who_owned_comes_back_with_when_it_is_overdue() -> None:
    """Forgotten, an owner that hangs was waited for as for one that gets warm: two minutes."""
    now_s = time.monotonic()
    owner = CHILD._replace(owner=True, warm=True, overdue_s=now_s + 500.0)
    plain = json.loads(json.dumps(to_plain(owner, ME, (), 0)))
    written = from_plain(plain, now_s=now_s)
    assert written is not None
    assert (written.child.owner, written.child.warm) == (True, True)
    assert written.child.overdue_s == pytest.approx(owner.overdue_s, abs=60.0)
    candidate = from_plain(plain | {"role": Role.CANDIDATE.value}, now_s=now_s)
    assert candidate is not None
    assert not candidate.child.owner


def test_an_owner_that_is_overdue_already_gets_a_moment_to_say_otherwise() -> None:
    """It may have run a hundred cycles since that was written; its hello comes at once."""
    now_s = time.monotonic()
    owner = CHILD._replace(owner=True, overdue_s=now_s - 500.0)
    written = from_plain(to_plain(owner, ME, (), 0), now_s=now_s)
    assert written is not None
    assert written.child.overdue_s == now_s + ADOPTED_GRACE_S


def test_what_a_newer_launcher_says_besides_is_ignored() -> None:
    assert from_plain(PLAIN | {"more": {"of": "it"}}, now_s=NOW_S) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(PLAIN)) | st.text(), inner, max_size=5)
    ),
    max_leaves=8,
)


@given(JSON)
def test_nothing_that_stands_there_raises(plain: object) -> None:
    written = from_plain(plain, now_s=NOW_S)
    assert written is None or written.identity.pid > 1
    assert isinstance(as_record(plain), dict)


@pytest.mark.parametrize(
    "text", ["", "7", "[]", "null", '{"children": 7}', "[" * 9999, '{"boot_id": "b", "children":1}']
)
def test_a_file_of_another_shape_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "launcher.json").write_text(text, encoding="utf-8")
    assert read_written(tmp_path) == {}


@pytest.mark.parametrize(
    "plain",
    [
        [],
        7,
        {"ownership": []},
        {"progress": 7},
        {"rollout": "x"},
        {"ownership": {"owner": 7}},
        {"ownership": {"previous": {"release": 7}}},
        {"ownership": {"owner": {"release": "r1", "pid": "7"}}},
    ],
)
def test_a_record_of_another_shape_is_damaged(plain: object) -> None:
    """The launcher is no judge of it, and must not end at it either."""
    assert as_record(plain) == {}
