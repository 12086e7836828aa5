"""Switches that make the exchange misbehave, and the dice that decide when.

Owns the names of the faults, what a switch can say (probability, count, scope, seconds), how a
switch is written, and whether a request is hit. Must never enter: HTTP answers (see
`fault_gate`), clocks, books.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

import msgspec

from foresight.exchange.chance import uniform
from foresight.exchange.errors import OptionError


class Fault(Enum):
    """Every way to misbehave; the value is the name of its switch."""

    RATE_LIMIT = "rate_limit"
    """429 with Retry-After; `seconds` is what it says."""
    BAN = "ban"
    """418 with Retry-After."""
    TOO_EARLY = "too_early"
    """425: the matching engine restarts."""
    SERVER_ERROR = "server_error"
    """500, 502 or 503, not executed."""
    EXECUTION_UNKNOWN = "execution_unknown"
    """Executed, then answered 504 / code -1007: the client cannot know."""
    TIMEOUT = "timeout"
    """Not executed; the connection stays silent for `seconds`, then closes."""
    LATE_ANSWER = "late_answer"
    """Executed at once, answered only after `seconds`."""
    LOST_REQUEST = "lost_request"
    """Not executed; the connection closes without an answer."""
    LOST_ANSWER = "lost_answer"
    """Executed; the connection closes without an answer."""
    MALFORMED = "malformed"
    """Executed; the body is half of a JSON document."""
    OUTAGE = "outage"
    """For `seconds` of wall time every connection closes without an answer."""
    STALE_BOOK = "stale_book"
    """Books are `seconds` of market time old; matching uses the true price."""
    VOID_SETTLEMENT = "void_settlement"
    """A window ends without a result: every share pays one half."""
    DELAYED_SETTLEMENT = "delayed_settlement"
    """A result is published `seconds` of market time late."""
    TRADE_RETRYING = "trade_retrying"
    """A trade is tried again for `seconds` of market time before it is mined and confirmed."""
    TRADE_FAILING = "trade_failing"
    """A trade is tried again for `seconds` of market time and fails: shares and cash go back."""
    BLANK_LOOKUP = "blank_lookup"
    """An order that is no longer live cannot be asked for by its hash, only through trades."""
    HIDDEN_REFERENCE = "hidden_reference"
    """A gamma event does not say the price to beat."""
    CLIENT_ID_REUSE = "client_id_reuse"
    """Spot: the client id of a finished order may be used again, as on the real venue."""


SCOPES: Final = frozenset({"any", "orders", "lookups", "binance", "gamma", "clob", "data"})
"""What requests a switch applies to; `orders` are submissions only, `lookups` all other ones."""

_DEFAULT_SCOPES: Final = {
    Fault.LOST_ANSWER: "orders",
    Fault.LATE_ANSWER: "orders",
    Fault.LOST_REQUEST: "orders",
    Fault.EXECUTION_UNKNOWN: "orders",
    Fault.TOO_EARLY: "orders",
}
_DEFAULT_SECONDS: Final = {
    Fault.RATE_LIMIT: 2.0,
    Fault.BAN: 60.0,
    Fault.TIMEOUT: 30.0,
    Fault.LATE_ANSWER: 30.0,
    Fault.OUTAGE: 60.0,
    Fault.STALE_BOOK: 60.0,
    Fault.DELAYED_SETTLEMENT: 600.0,
    Fault.TRADE_RETRYING: 10.0,
    Fault.TRADE_FAILING: 10.0,
}
_WRITTEN: Final = re.compile(r"^([a-z_]+)=([0-9.]+)(?::(\d+))?(?:@([a-z]+))?(?:~([0-9.]+))?$")


class Switch(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How often one fault happens.

    Attributes:
        probability: Chance per request it applies to, 0 to 1.
        count: How many more times, or None for no limit.
        scope: One of `SCOPES`.
        seconds: Duration of the fault where it has one.
    """

    probability: float = 1.0
    count: int | None = None
    scope: str = ""
    seconds: float | None = None


class FaultPlan:
    """All switches of one exchange and how often each has been asked and hit."""

    def __init__(self, *, seed: int) -> None:
        """Start with every switch off; `seed` decides the dice."""
        self._seed = seed
        self._switches: dict[Fault, Switch] = {}
        self._asked = 0
        self.hits: dict[str, int] = {}

    def set(self, fault: Fault, switch: Switch | None) -> None:
        """Turn a fault on with the given settings, or off with None."""
        if switch is None or switch.probability == 0.0 or switch.count == 0:
            self._switches.pop(fault, None)
            return
        scope = switch.scope or _DEFAULT_SCOPES.get(fault, "any")
        if scope not in SCOPES or not 0.0 <= switch.probability <= 1.0:
            message = f"fault {fault.value}: scope {scope!r}, probability {switch.probability}"
            raise OptionError(message)
        seconds = _DEFAULT_SECONDS.get(fault, 0.0) if switch.seconds is None else switch.seconds
        self._switches[fault] = Switch(
            probability=switch.probability, count=switch.count, scope=scope, seconds=seconds
        )

    def draw(self, fault: Fault, tags: Iterable[str] = ("any",)) -> Switch | None:
        """Decide whether a fault hits now; counts down its switch if it does.

        Args:
            fault: Which.
            tags: Scopes the request belongs to.
        """
        switch = self._switches.get(fault)
        if switch is None or switch.scope not in {"any", *tags}:
            return None
        self._asked += 1
        if uniform(self._seed, fault.value, self._asked) >= switch.probability:
            return None
        self.count(fault)
        if switch.count is not None:
            switch.count -= 1
            if switch.count == 0:
                del self._switches[fault]
        return switch

    def count(self, fault: Fault) -> None:
        """Count a hit of a fault; one that lasts is counted once, when it begins."""
        self.hits[fault.value] = self.hits.get(fault.value, 0) + 1

    def is_on(self, fault: Fault) -> Switch | None:
        """Return a fault's switch without rolling the dice."""
        return self._switches.get(fault)

    def describe(self) -> dict[str, Any]:
        """Return every switch that is on, by name, as plain values."""
        return {
            fault.value: msgspec.to_builtins(switch) for fault, switch in self._switches.items()
        }

    def set_all(self, wanted: Mapping[str, Any]) -> None:
        """Set several switches from plain values, all or none.

        Args:
            wanted: By name: a number (probability), an object with the attributes of `Switch`, or
                None or 0 for off.

        Raises:
            OptionError: A name, scope or number is not understood; nothing was changed.
        """
        trial = FaultPlan(seed=self._seed)
        parsed = [(fault_named(name), _switch(name, value)) for name, value in wanted.items()]
        for fault, switch in parsed:
            trial.set(fault, switch)
        for fault, switch in parsed:
            self.set(fault, switch)


def fault_named(name: str) -> Fault:
    """Return the fault of a name.

    Raises:
        OptionError: No fault has it; the text lists those that exist.
    """
    try:
        return Fault(name)
    except ValueError as error:
        known = ", ".join(fault.value for fault in Fault)
        message = f"no fault is called {name!r}; there are: {known}"
        raise OptionError(message) from error


def parse_option(text: str) -> tuple[Fault, Switch]:
    """Read a switch as the command line writes it: ``name=probability[:count][@scope][~seconds]``.

    Raises:
        OptionError: It is not written so.
    """
    match = _WRITTEN.match(text)
    if match is None:
        message = f"a fault is written name=probability[:count][@scope][~seconds], not {text!r}"
        raise OptionError(message)
    name, probability, count, scope, seconds = match.groups()
    value = {
        "probability": float(probability),
        "count": int(count) if count else None,
        "scope": scope or "",
        "seconds": float(seconds) if seconds else None,
    }
    switch = _switch(name, value)
    assert switch is not None
    fault = fault_named(name)
    FaultPlan(seed=0).set(fault, switch)  # refuses a scope or a probability that cannot be
    return fault, switch


def _switch(name: str, value: object) -> Switch | None:
    if value is None:
        return None
    if isinstance(value, int | float):
        return Switch(probability=float(value))
    try:
        return msgspec.convert(value, Switch, strict=True)
    except msgspec.ValidationError as error:
        message = f"fault {name}: {error}"
        raise OptionError(message) from error
