"""How the spot venue says no.

Owns the refusal with its code and text, and those that several rules share. Must never enter: HTTP,
rules.
"""

from typing import Any, Final

FILTER: Final = -1013
"""Code of an order that a filter of its market does not let pass."""


class Refusal(Exception):
    """Ends a request with the venue's error object.

    Attributes:
        code: The venue's number, negative.
        text: What it says.
        status: Of HTTP.
        retry_after_s: Seconds to wait, wall time; None where waiting does not help.
    """

    def __init__(
        self, code: int, text: str, *, status: int = 400, retry_after_s: int | None = None
    ) -> None:
        """Carry the facts."""
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """Return the error object."""
        return {"code": self.code, "msg": self.text}


def missing(name: str) -> Refusal:
    """Return the refusal of a request without a parameter that it needs."""
    return Refusal(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def illegal(name: str, legal: str) -> Refusal:
    """Return the refusal of a parameter that is not spelled like `legal`, a pattern."""
    return Refusal(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def filtered(name: str) -> Refusal:
    """Return the refusal of an order by the filter of that name."""
    return Refusal(FILTER, f"Filter failure: {name}")
