"""What commands print of a backtest for programs is on the page that programs are written from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from foresight.backtest.calibration import Reliability
from foresight.backtest.difference import Difference
from foresight.backtest.results import BacktestResult, SlotResult
from foresight.backtest.signals import Result
from foresight.backtest.views import Found

if TYPE_CHECKING:
    import msgspec

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "json.md"
PRINTED: Final = [
    ("backtest", BacktestResult),
    ("backtest", SlotResult),
    ("backtest", Result),
    ("backtest", Found),
    ("compare", Difference),
    ("calibrate", Reliability),
]


@pytest.mark.parametrize(("command", "kind"), PRINTED)
def test_every_member_that_is_printed_is_named(command: str, kind: type[msgspec.Struct]) -> None:
    """A member that nobody wrote down is found by reading our code, or not at all."""
    said = PAGE.read_text(encoding="utf-8").partition(f"- **`{command}`**")[2].partition("- **")[0]
    assert set(kind.__struct_fields__) <= set(re.findall(r"`(\w+)`", said))
