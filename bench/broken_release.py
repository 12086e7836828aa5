"""What breaks a release, as text that is added to its module.

Owns these texts. They do what a developer does by accident, so each works on any module that
an engine starts: nothing of the engine is needed to fail.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bench.fault_plan import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

BROKEN_TEXT: Final[Mapping[Fault, str]] = MappingProxyType(
    {
        Fault.IMPORT_FAILS: "\n\nimport a_library_that_nobody_installed\n",
        Fault.SYNTAX_ERROR: "\n\ndef unfinished(:\n",
        Fault.EXITS_ZERO: "\n\nraise SystemExit(0)\n",
    }
)

# In each text, `name` is the workload's class and `period_s` the length of a cycle in seconds.

# Recorded cycles of other releases are decided again all right: it fails when it owns.
_FIRST_CYCLE_FAILS: Final = """

def _decide(self, cycle, body, inputs, receipts):
    return 1 / 0


{name}.decide = _decide
"""

_BLIND: Final = """

async def _observe(self, cycle, body):
    raise ConnectionRefusedError("nobody is there")


{name}.observe = _observe
"""

# More than a period of work in each cycle, and no step of it over its budget: a gate lets it
# pass on a quiet machine, and its bake does not. An effect gets half a budget.
_SLOW: Final = """

async def _observe(self, cycle, body, _observe={name}.observe):
    await asyncio.sleep(0.38 * {period_s})
    return await _observe(self, cycle, body)


def _decide(self, cycle, body, inputs, receipts, _decide={name}.decide):
    time.sleep(0.42 * {period_s})
    return _decide(self, cycle, body, inputs, receipts)


async def _perform(self, effect, _perform={name}.perform):
    await asyncio.sleep(0.12 * {period_s})
    return await _perform(self, effect)


{name}.observe, {name}.decide, {name}.perform = _observe, _decide, _perform
"""

# No gate performs anything: it owns by then, and the cycle is decided.
_POISON: Final = """

async def _perform(self, effect):
    os.kill(os.getpid(), 9)


{name}.perform = _perform
"""

# The module's own `time` stays right: what it tells the witness has to be true.
_CLOCK_JUMP: Final = """

import time as _time


class time:
    sleep, time_ns = _time.sleep, _time.time_ns


_jump = []


def _wrong():
    return time.time_ns() + (100_000_000_000 if _time.monotonic() < _jump[0] else 0)


async def _perform(self, effect, _perform={name}.perform):
    if not _jump:
        _jump.append(_time.monotonic() + 1.0)
        _time.time_ns = _wrong
    return await _perform(self, effect)


{name}.perform = _perform
"""

# The helper lives as long as a series waits for calm, outside of its worker's process group.
_FORK: Final = """

_forked = []


def _decide(self, cycle, body, inputs, receipts, _decide={name}.decide):
    if not _forked:
        _forked.append(os.fork())
        if not _forked[0]:
            os.setsid()
            time.sleep(150)
            os._exit(0)
    return _decide(self, cycle, body, inputs, receipts)


{name}.decide = _decide
"""

_OF_CLASS: Final[Mapping[Fault, str]] = MappingProxyType(
    {
        Fault.FIRST_CYCLE_FAILS: _FIRST_CYCLE_FAILS,
        Fault.BLIND: _BLIND,
        Fault.SLOW: _SLOW,
        Fault.POISON: _POISON,
        Fault.CLOCK_JUMP: _CLOCK_JUMP,
        Fault.FORK: _FORK,
    }
)


def text_of(fault: Fault, *, name: str, period_s: float) -> str:
    """Return what a fault adds to a release's module; nothing where somebody has to be struck.

    Args:
        fault: Which.
        name: Of the workload's class.
        period_s: Length of a cycle.
    """
    return BROKEN_TEXT.get(fault, "") or _OF_CLASS.get(fault, "").format(
        name=name, period_s=period_s
    )
