"""The public names of the package, loaded one by one; the words of its errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import state
from state import errors

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = [
    "Change",
    "Delivery",
    "Effect",
    "EtcdStore",
    "Evidence",
    "LocalStore",
    "MemoryStore",
    "Note",
    "Outcome",
    "Receipt",
    "Record",
    "Schema",
    "Store",
    "Timeline",
    "WorkerId",
    "evidence_of",
    "read_lines",
    "read_only_snapshot",
    "verify_chain",
    "verify_cycles",
]


def test_every_public_name_is_there() -> None:
    assert state.__all__ == PUBLIC
    assert [getattr(state, name).__name__ for name in state.__all__ if name != "Change"] == [
        name for name in state.__all__ if name != "Change"
    ]
    assert dir(state) == sorted(state.__all__)


def test_a_name_that_is_not_public_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = state.nothing


def test_the_package_loads_nothing_that_is_not_used() -> None:
    """The launcher imports it and must stay as small as the bare interpreter."""
    code = (
        "import sys, state; print([n for n in sys.modules if n.startswith(('state.', 'msgspec'))])"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_error_says_what_and_where_in_its_text() -> None:
    told = [
        errors.RecordDamaged("here", "why"),
        errors.RecordForeign("app", found="a", expected="b"),
        errors.SchemaMismatch("body", found=2, known=1, reason="newer"),
        errors.JournalBroken("1.jsonl", 7, cycle=3, reason="gone"),
        errors.JournalBroken("1.jsonl", 7, cycle=None, reason="gone"),
        errors.HomeUnsuitable("/home", "is full of bees", "move"),
        errors.WriteFailed("/file", OSError(5, "Input/output error")),
        errors.OutcomeUnknown("attempt-1"),
        errors.Refused(errors.Refusal.BAKING, "deploy 7"),
    ]
    assert [str(each) for each in told] == [
        "here is damaged: why",
        "the record's app is a, this program expects b",
        "schema body: stored version 2, known 1: newer",
        "journal 1.jsonl line 7 (cycle 3): gone",
        "journal 1.jsonl line 7: gone",
        "/home: is full of bees",
        "cannot write /file: Input/output error",
        "the outcome of write attempt-1 is unknown",
        "baking: deploy 7",
    ]
