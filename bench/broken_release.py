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

# Recorded cycles of other releases are decided again all right: it fails when it owns.
FIRST_CYCLE_FAILS: Final = """

def _decide(self, cycle, body, inputs, receipts):
    return 1 / 0


{name}.decide = _decide
"""
