"""The local exchange as it sees itself: its own books, and the faults that it is told to make.

Owns its control page, asked over HTTP like anybody would. The exchange is a program of its own;
nothing of it is imported here.
"""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from foresight.overrides import EXCHANGE_URL
from handoff.launcher.engine_config import read_engine_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Ledger = dict[str, Any]
ANSWER_S_MAX: Final = 10.0
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this host
_TOKEN: Final = "exchange/control.token"  # noqa: S105 - of a home: the name of a file


class Exchange(NamedTuple):
    """Where an exchange listens, and what opens its control page.

    Attributes:
        url: As workers are told it.
        token: Empty where it asks for none.
    """

    url: str
    token: str = ""


def exchange_of(home: Path) -> Exchange:
    """Return the exchange that the workers of a home are told.

    Raises:
        EngineConfigInvalid: Nothing was started there.
        LookupError: No exchange was.
        OSError: Its token cannot be read.
    """
    config = read_engine_config(home)
    url = dict(config.environment)[EXCHANGE_URL]
    is_ours = any(each.told == EXCHANGE_URL for each in config.companions)
    return Exchange(url, _token(home) if is_ours else "")  # nobody else's is told our token


def ask(exchange: Exchange, page: str, wanted: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Ask a page of an exchange's control; with something wanted, set it first.

    Raises:
        OSError: It does not answer, or refuses.
    """
    data = None if wanted is None else json.dumps(dict(wanted)).encode()
    headers = {"Authorization": f"Bearer {exchange.token}"} if exchange.token else {}
    url = f"{exchange.url}/_control/{page}"
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - our own exchange
    with _DIRECT.open(request, timeout=ANSWER_S_MAX) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def ledger(exchange: Exchange) -> Ledger:
    """Return an exchange's own books: its orders and how often each was sent.

    Raises:
        OSError: It does not answer, or refuses.
    """
    return ask(exchange, "ledger")


def caution(exchange: Exchange) -> str:
    """Return what has to be said of an exchange's prices before anybody judges a trade by them.

    Returns:
        Empty, unless it replays minutes that its prices were fitted on.

    Raises:
        OSError: It does not answer, or refuses.
    """
    said = ask(exchange, "health")
    if not said.get("replays_fitted"):  # an older release's exchange does not say
        return ""
    return f"its prices were fitted on some of these minutes ({said['fitted_on']}): no fair judge"


def _token(home: Path) -> str:
    try:
        return (home / _TOKEN).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""  # an older release's exchange wrote none, and asks for none
