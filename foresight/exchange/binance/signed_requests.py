"""Whether a request was signed by the one who may, and when.

Owns where parameters may stand (GET: in the query; POST, PUT and DELETE: in the query, in the body
or in both, in any order), what the signature covers (the query, then the body, as sent, nothing
between them), and how old a request may be. A parameter that is in both counts as in the query.
Must never enter: HTTP, clocks, what the requests do.
"""

import re
from decimal import Decimal
from typing import Final, NamedTuple

from foresight.exchange.binance.parameters import Query, instant_us, parsed
from foresight.exchange.binance.refusals import Refusal, illegal, missing
from foresight.exchange.signing.signatures import is_hex_hmac

_WINDOW_MS_DEFAULT: Final = 5000
_WINDOW_MS_MAX: Final = 60_000
_AHEAD_US_MAX: Final = 1_000_000  # a timestamp may lie this far in the server's future
_SIGNATURE: Final = "signature"
_TIMESTAMP: Final = "timestamp"
_RECV_WINDOW: Final = "recvWindow"
_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_WINDOW: Final = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?", re.ASCII)


class Account(NamedTuple):
    """What opens the signed routes."""

    key: str
    secret: str


class Sent(NamedTuple):
    """One request as it came.

    Attributes:
        query: Behind the question mark, percent-encoded; empty without one.
        body: Of a form, percent-encoded; empty for GET.
        key: The header ``X-MBX-APIKEY``, or None.
    """

    query: str
    body: str
    key: str | None


def check_key(key: str | None, account: Account) -> None:
    """Let a request pass that brings the account's key.

    Raises:
        Refusal: There is none, or another.
    """
    if not key:
        raise Refusal(-2014, "API-key format invalid.", status=401)
    if key != account.key:
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def verified(sent: Sent, account: Account, *, now_us: int) -> Query:
    """Return the parameters of a genuine request, without its signature.

    Args:
        sent: As it came.
        account: Whose requests are let in.
        now_us: Wall time, microseconds since 1970 UTC.

    Raises:
        Refusal: Another key, no or a wrong signature, no timestamp or one too far away.
    """
    check_key(sent.key, account)
    # As in the documents: what the query says counts, also of what the body says too.
    found = parsed(sent.body) | parsed(sent.query)
    signature = found.pop(_SIGNATURE, None)
    if signature is None:
        raise missing(_SIGNATURE)
    covered = _unsigned(sent.query) + _unsigned(sent.body)
    is_genuine = _HEX.fullmatch(signature) and is_hex_hmac(
        covered, signature, secret=account.secret
    )
    if not is_genuine:
        raise Refusal(-1022, "Signature for this request is not valid.")
    _check_time(found, now_us)
    return found


def _unsigned(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith(f"{_SIGNATURE}="))


def _check_time(query: Query, now_us: int) -> None:
    stamp_us = instant_us(query, _TIMESTAMP)
    if stamp_us is None:
        raise missing(_TIMESTAMP)
    if stamp_us > now_us + _AHEAD_US_MAX:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_us - stamp_us > _window_us(query):
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def _window_us(query: Query) -> int:
    text = query.get(_RECV_WINDOW, str(_WINDOW_MS_DEFAULT))
    if not _WINDOW.fullmatch(text):
        raise illegal(_RECV_WINDOW, r"^[0-9]{1,5}(\.[0-9]{1,3})?$")
    window_us = int(Decimal(text) * 1000)
    if window_us > 1000 * _WINDOW_MS_MAX:
        raise Refusal(-1131, "'recvWindow' must be less than 60000.")
    return window_us
