"""Identifiers of windows and outcome tokens that look like the real ones and can be read back.

Owns the codes: a token id is a decimal number of 76 to 78 digits, a condition id 32 bytes of hex,
an event id a plain number. A token id carries its own window, so the exchange needs no table and a
restarted one understands every id it ever gave out.

Must never enter: tables of issued ids, prices, accounts.
"""

from hashlib import sha256
from typing import Final

from foresight.exchange.market.windows import TIMEFRAME_SECONDS, Side, Window

_ALPHABET: Final = "_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME_LENGTH: Final = 8
_NAME_SPAN: Final = len(_ALPHABET) ** _NAME_LENGTH  # 42 bits
_TIMEFRAMES: Final = tuple(TIMEFRAME_SECONDS)
_START_BITS: Final = 40
_BODY_BITS: Final = 96
_HEAD_BITS: Final = 160


def event_id(window: Window) -> str:
    """Return the number of a window's event: decimal digits."""
    return str(_pack(window))


def window_of_event(text: str) -> Window | None:
    """Return the window of an event id, or None if no event has it."""
    if not text.isascii() or not text.isdigit() or len(text) > 30:  # noqa: PLR2004 - 96 bits
        return None
    return _unpack(int(text))


def condition_id(window: Window) -> str:
    """Return the condition id: 0x and 64 hex digits."""
    return "0x" + sha256(f"condition:{window.slug}".encode()).hexdigest()


def token_id(window: Window, side: Side) -> str:
    """Return the token id of one outcome, a decimal number below 2**256."""
    body = _pack(window) << 1 | (side is Side.DOWN)
    head = _head(body)
    return str(head << _BODY_BITS | (body ^ _mask(head)))


def outcome_of_token(text: str) -> tuple[Window, Side] | None:
    """Return the window and side a token id stands for, or None if it is not one of ours."""
    if not text.isascii() or not text.isdigit() or len(text) > 78:  # noqa: PLR2004 - 256 bits
        return None
    head, masked = divmod(int(text), 1 << _BODY_BITS)
    body = masked ^ _mask(head)
    if head != _head(body):
        return None
    window = _unpack(body >> 1)
    return None if window is None else (window, Side.DOWN if body & 1 else Side.UP)


def _pack(window: Window) -> int:
    name = 0
    for letter in window.asset.ljust(_NAME_LENGTH, "_"):
        name = name * len(_ALPHABET) + _ALPHABET.index(letter)
    timed = _TIMEFRAMES.index(window.timeframe) << _START_BITS | window.start_s
    return timed * _NAME_SPAN + name


def _unpack(number: int) -> Window | None:
    timed, name = divmod(number, _NAME_SPAN)
    code, start_s = divmod(timed, 1 << _START_BITS)
    letters = []
    for _ in range(_NAME_LENGTH):
        name, index = divmod(name, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    asset = "".join(reversed(letters)).rstrip("_")
    if code >= len(_TIMEFRAMES) or not asset or "_" in asset:
        return None
    window = Window(asset, _TIMEFRAMES[code], start_s)
    return window if start_s % window.length_s == 0 else None


def _head(body: int) -> int:
    # The top bit is set so that every id has 76 to 78 digits, as the real ones have.
    digest = sha256(b"token:" + body.to_bytes(16, "big")).digest()
    return int.from_bytes(digest[: _HEAD_BITS // 8], "big") | 1 << (_HEAD_BITS - 1)


def _mask(head: int) -> int:
    digest = sha256(b"mask:" + head.to_bytes(_HEAD_BITS // 8 + 1, "big")).digest()
    return int.from_bytes(digest[: _BODY_BITS // 8], "big")
