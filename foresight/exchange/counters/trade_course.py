"""What becomes of a trade after its match: mined and confirmed, tried again, or failed.

Owns the states, when each begins in market time, and which failures are due. That a trade gets
into trouble is told when it is matched and kept in its fill, so that it stays so over a restart.

Must never enter: dice, clocks, books, wire formats.
"""

from typing import Final, Literal, NamedTuple

from foresight.exchange.ledger.prediction_entries import Fill, TradeFailed
from foresight.exchange.ledger.predictions import Ledger
from foresight.exchange.market.windows import parse_slug
from foresight.exchange.market_clock import NS_PER_SECOND, Now

SENT_NS: Final = 2 * NS_PER_SECOND
"""Market time from a match until the trade is mined, or turns out to have to be tried again."""

MINED_NS: Final = 3 * NS_PER_SECOND
"""Market time from mined until confirmed."""

State = Literal["MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED"]


class Trouble(NamedTuple):
    """What goes wrong with a trade.

    Attributes:
        retry_ns: How long it is tried again, market nanoseconds; 0 for not at all.
        fails: Whether it fails in the end: then shares and cash go back.
    """

    retry_ns: int = 0
    fails: bool = False


class Course(NamedTuple):
    """The state of a trade, and since when, nanoseconds."""

    state: State
    since_ns: int


def course_of(fill: Fill, *, end_ns: int, market_ns: int) -> Course:
    """Return the state of a trade at an instant at or after its match, in market time.

    Args:
        fill: The trade.
        end_ns: Its window's end, market time.
        market_ns: The instant.
    """
    return [step for step in _steps(fill, end_ns) if step.since_ns <= market_ns][-1]


def fails_at(fill: Fill, *, end_ns: int) -> int:
    """Return when a trade that fails does so: not after its window's end, so before it is paid."""
    return min(fill.market_ns + SENT_NS + fill.retry_ns, end_ns)


def failures(ledger: Ledger, now: Now) -> list[TradeFailed]:
    """Return the failures that are due and that the ledger does not know yet."""
    due = []
    for risk in ledger.at_risk.values():
        window = parse_slug(ledger.orders[risk.order_id].terms.slug)
        assert window is not None
        failed_ns = fails_at(risk.fill, end_ns=window.end_ns)
        if failed_ns <= now.market_ns:
            due.append(TradeFailed(risk.order_id, risk.fill.id, now.wall_ns, failed_ns))
    return due


def _steps(fill: Fill, end_ns: int) -> list[Course]:
    sent_ns = fill.market_ns + SENT_NS
    steps = [Course("MATCHED", fill.market_ns)]
    if fill.fails:
        failed_ns = fails_at(fill, end_ns=end_ns)
        return [*steps, Course("RETRYING", min(sent_ns, failed_ns)), Course("FAILED", failed_ns)]
    if fill.retry_ns:
        again_ns = sent_ns + fill.retry_ns
        steps += Course("RETRYING", sent_ns), Course("MATCHED", again_ns)
        sent_ns = again_ns + SENT_NS
    return [*steps, Course("MINED", sent_ns), Course("CONFIRMED", sent_ns + MINED_NS)]
