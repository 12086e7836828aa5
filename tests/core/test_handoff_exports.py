"""The public names of the engine, loaded one by one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import handoff

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = [
    "Absent",
    "Appraisal",
    "Cadence",
    "Context",
    "Cycle",
    "Decision",
    "Health",
    "LoopCycle",
    "NotReady",
    "Pending",
    "PlainLoopCycle",
    "ReadFailed",
    "Ready",
    "Reconciliation",
    "Simulation",
    "TwiceDecided",
    "Unavailable",
    "Unknown",
    "Violation",
    "Workload",
    "effect",
    "every",
    "loop",
    "payload_of",
    "receipt",
    "simulate",
]


def test_every_public_name_is_there() -> None:
    assert handoff.__all__ == PUBLIC
    assert [getattr(handoff, name).__name__ for name in PUBLIC] == PUBLIC
    assert dir(handoff) == sorted(PUBLIC)


def test_no_public_name_is_hidden_by_a_module_of_the_same_name() -> None:
    """Once such a module is imported, the package's attribute is the module."""
    modules = {path.stem for path in (ROOT / "handoff").glob("*.py")}
    assert modules.isdisjoint(PUBLIC)


def test_a_name_that_is_not_public_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = handoff.nothing


def test_the_package_loads_nothing_that_is_not_used() -> None:
    """The launcher imports it and must stay as small as the bare interpreter."""
    code = (
        "import sys, handoff, handoff.launcher.loop;"
        "print([n for n in sys.modules if n.startswith(('state', 'msgspec', 'asyncio'))])"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
