"""The project that a series of orders deploys from: twice the assets, stakes of several levels.

Owns its configuration. What a release changes is the trading series' matter.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from bench.trading_project import TradingProject
from foresight.evidence.errors import CannotBegin

if TYPE_CHECKING:
    from collections.abc import Mapping

ASSETS: Final = ("ADA", "ALGO", "ATOM", "AVAX", "DOT", "LINK", "LTC", "NEAR")
"""Beside the eight of the demonstration: more windows an hour, so more orders."""

# No level of a book holds such a stake, and no guard ends the day.
RISK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stake_floor_usdc": "60.0",
        "stake_window_usdc": "90.0",
        "stake_asset_usdc": "400.0",
        "stake_board_usdc": "10000.0",
        "stake_day_usdc": "10000000.0",
        "edge_min_cents": "-8.0",
        "cooldown_losses": "0",
        "drawdown_usdc": "0.0",
    }
)
NO_STOP_GUARD: Final = "[risk]\nstop_guard_losses = 0\n"


class OrdersProject(TradingProject):
    """The trading series' project with another board and other stakes."""

    @override
    def configured(self, text: str) -> str:
        """Return the configuration: the trading series', with more assets and larger stakes."""
        return orders_config(super().configured(text))


def orders_config(text: str) -> str:
    """Return a configuration with more assets and larger stakes, and without guards.

    Raises:
        CannotBegin: It does not look like the one that comes with the project.
    """
    more = "".join(f', "{asset}"' for asset in ASSETS)
    text = text.replace("[risk]\n", NO_STOP_GUARD, 1)
    text = _changed(text, r'^(assets = \[[^\]]*")\]', rf"\g<1>{more}]")
    for key, value in RISK.items():
        text = _changed(text, rf"^{key} = \S+", f"{key} = {value}")
    return text


def _changed(text: str, pattern: str, wanted: str) -> str:
    changed, times = re.subn(pattern, wanted, text, count=1, flags=re.MULTILINE)
    if times != 1:
        what = f"foresight.toml has nothing like {pattern}"
        raise CannotBegin(what, "the series changes the configuration that comes with the project")
    return changed
