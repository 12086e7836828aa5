"""The local exchange as it sees itself: its own books, and the faults that it is told to make.

Owns its control page, asked over HTTP like anybody would. The exchange is a program of its own;
nothing of it is imported here.
"""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from foresight.overrides import EXCHANGE_URL
from handoff.launcher.engine_config import read_engine_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Ledger = dict[str, Any]
ANSWER_S_MAX: Final = 10.0
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this host


def url_of(home: Path) -> str:
    """Return where the exchange of a home listens.

    Raises:
        EngineConfigInvalid: Nothing was started there.
        LookupError: No exchange was.
    """
    return dict(read_engine_config(home).environment)[EXCHANGE_URL]


def ask(url: str, page: str, wanted: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Ask a page of an exchange's control; with something wanted, set it first.

    Raises:
        OSError: It does not answer.
    """
    data = None if wanted is None else json.dumps(dict(wanted)).encode()
    request = urllib.request.Request(f"{url}/_control/{page}", data)  # noqa: S310 - our own exchange
    with _DIRECT.open(request, timeout=ANSWER_S_MAX) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def ledger(url: str) -> Ledger:
    """Return an exchange's own books: its orders and how often each was sent.

    Raises:
        OSError: It does not answer.
    """
    return ask(url, "ledger")
