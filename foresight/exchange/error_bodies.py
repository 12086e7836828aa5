"""What an error looks like to the client that gets it, whichever venue it thinks it talks to.

Owns the two shapes and which paths are whose. Must never enter: HTTP, which errors there are.
"""

from typing import Any, Final

_SPOT: Final = ("/api/", "/sapi/", "/fapi/", "/dapi/", "/ws", "/stream")


def is_spot(path: str) -> bool:
    """Say whether a path belongs to the spot venue or to a relative of it."""
    return path.startswith(_SPOT)


def error_body(path: str, code: int, text: str) -> dict[str, Any]:
    """Return the error object of the venue whose path was asked for.

    Args:
        path: As in ``/api/v3/order``.
        code: The spot venue's number; the other venue has none.
        text: What it says.
    """
    return {"code": code, "msg": text} if is_spot(path) else {"error": text}
