"""The board: slots, windows and the rules of a market, as plain values.

Owns the naming of slots and windows, the reading of a market's rules (tick, minimum size, fee,
tie, settlement) and the arithmetic of prices and fees. Rules are read from what the market says
and refused when unknown, never coded. No clock, network or position enters here.

Units: money is micro-USDC, sizes are micro-shares, prices are micro-USDC per share (0 to
1,000,000), all whole numbers; times of windows are whole seconds UTC.
"""

import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

MICRO: Final = 1_000_000
MINUTE_S: Final = 60
TIMEFRAME_S: Final[Mapping[str, int]] = {"5m": 300, "15m": 900}
NS: Final = 1_000_000_000

_SLUG: Final = re.compile(r"([a-z0-9]{1,8})-updown-(5m|15m)-(\d{1,11})")
_AT_THE_END: Final = re.compile(r"price at the end of the (?:time range|window)\b")
LOCAL_SOURCE: Final = "local exchange"
SOURCES: Final = frozenset({"data.chain.link", "www.binance.com", LOCAL_SOURCE})
"""Price sources whose settlement is understood: hosts, or the local exchange's own words."""

COST_MIN_MICRO: Final = MICRO
"""Least that a buy executed at once may spend: 1 USDC (the reference venue's rule)."""

_CENT_MICRO: Final = 10_000  # such a buy spends whole cents
_FEE_STEP_MICRO: Final = 10  # and rounds fees to five decimals of a USDC


class Side(enum.Enum):
    """The two outcomes of a window."""

    UP = "up"
    DOWN = "down"


class Result(enum.Enum):
    """How a window ended, as the venue says."""

    UP = "up"  # an Up share pays 1
    DOWN = "down"  # a Down share pays 1
    VOID = "void"  # no result: every share pays one half


class Tie(enum.Enum):
    """What equal prices at both ends mean."""

    UP = "up"  # equal counts as Up
    HALF = "half"  # every share pays one half


class Method(enum.Enum):
    """Which prices are compared at the two ends."""

    LAST_PRICE = "last_price"
    AVERAGE_60S = "average_60s"


class Slot(msgspec.Struct, frozen=True):
    """One asset in one timeframe: a chain of windows."""

    asset: str
    timeframe: str

    @property
    def slot_id(self) -> str:
        """Name of the slot, e.g. `btc-5m`."""
        return f"{self.asset.lower()}-{self.timeframe}"

    @property
    def length_s(self) -> int:
        """Length of its windows in seconds."""
        return TIMEFRAME_S[self.timeframe]


class Window(msgspec.Struct, frozen=True):
    """One question: is the price at the end at or above the price at the start?"""

    slot: Slot
    start_s: int

    @property
    def end_s(self) -> int:
        """Second at which it ends, exclusive."""
        return self.start_s + self.slot.length_s

    @property
    def slug(self) -> str:
        """The window's name on the venue."""
        return f"{self.slot.asset.lower()}-updown-{self.slot.timeframe}-{self.start_s}"


def slots_of(assets: Sequence[str], timeframes: Sequence[str]) -> tuple[Slot, ...]:
    """Return the board: every asset in every timeframe, in the order given."""
    return tuple(Slot(asset, timeframe) for asset in assets for timeframe in timeframes)


def window_at(slot: Slot, now_s: int) -> Window:
    """Return the window of a slot that contains a second."""
    return Window(slot, now_s - now_s % slot.length_s)


def window_of_slug(slug: str) -> Window | None:
    """Return the window that a slug names, or None if it names none."""
    match = _SLUG.fullmatch(slug)
    if match is None:
        return None
    window = Window(Slot(match[1].upper(), match[2]), int(match[3]))
    return window if window.start_s % window.slot.length_s == 0 else None


class FeeSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A taker fee of rate x (price x (1 - price)) ** exponent per share.

    Attributes:
        rate_ppm: Rate in millionths; 0 means that nothing is charged.
        exponent: 1 or 2.
    """

    rate_ppm: int = 0
    exponent: int = 1


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a market says about itself.

    Attributes:
        tick_micro: Smallest step of a price.
        size_min_micro: Smallest order.
        fee: What a taker pays.
        tie: What equal prices mean.
        method: Which prices are compared.
        source: The price source that decides, one of `SOURCES`.
    """

    tick_micro: int
    size_min_micro: int
    fee: FeeSchedule
    tie: Tie
    method: Method
    source: str


class RulesUnknown(msgspec.Struct, frozen=True):
    """The market says something that this code does not know: it is not traded."""

    reason: str


class MarketWords(msgspec.Struct, frozen=True, kw_only=True):
    """A market in the venue's own words, before anything is made of them.

    Attributes:
        description: The text of the rules.
        source: Address of the price source.
        tick: Smallest price step in USDC.
        size_min: Smallest order in shares.
        fees_enabled: Whether takers pay, or None where the market does not say.
        fee_schedule: The schedule as it came, or None.
    """

    description: str
    source: str
    tick: float
    size_min: float
    fees_enabled: bool | None = None
    fee_schedule: Mapping[str, Any] | None = None


def read_rules(words: MarketWords) -> Rules | RulesUnknown:
    """Return a market's rules, or what in them is unknown."""
    parts = tuple(_read_parts(words))
    for part in parts:
        if isinstance(part, RulesUnknown):
            return part
    tick_micro, size_min_micro, fee, tie, method, source = parts
    return Rules(
        tick_micro=tick_micro,
        size_min_micro=size_min_micro,
        fee=fee,
        tie=tie,
        method=method,
        source=source,
    )


def with_tick(rules: Rules, tick: float) -> Rules | RulesUnknown:
    """Return rules with another smallest step of a price, USDC: it changes while a market runs."""
    micro = _read_tick(tick)
    if isinstance(micro, RulesUnknown):
        return micro
    return msgspec.structs.replace(rules, tick_micro=micro)


def _read_parts(words: MarketWords) -> Iterator[Any]:
    text = " ".join(words.description.lower().split())
    yield _read_tick(words.tick)
    yield _read_size(words.size_min)
    yield _read_fee(words)
    yield _read_tie(text)
    yield _read_method(text)
    yield _read_source(words.source)


def _read_tick(tick: float) -> int | RulesUnknown:
    known = {100_000, 10_000, 1_000, 100}
    micro = round(tick * MICRO)
    return micro if micro in known else RulesUnknown(f"tick size {tick:g}")


def _read_size(size_min: float) -> int | RulesUnknown:
    micro = round(size_min * MICRO)
    return micro if micro > 0 else RulesUnknown(f"minimum size {size_min:g}")


def _read_fee(words: MarketWords) -> FeeSchedule | RulesUnknown:
    if words.fees_enabled is False:
        return FeeSchedule()
    schedule = words.fee_schedule
    if words.fees_enabled is None or schedule is None:
        return RulesUnknown("fee schedule is missing")
    unknown = set(schedule) - {"rate", "exponent", "takerOnly", "rebateRate"}
    rate, exponent = schedule.get("rate"), schedule.get("exponent")
    if unknown or not isinstance(rate, int | float) or not 0 <= rate < 1 or exponent not in (1, 2):
        return RulesUnknown(f"fee schedule {dict(schedule)}")
    return FeeSchedule(rate_ppm=round(rate * MICRO), exponent=int(exponent))


def _read_tie(text: str) -> Tie | RulesUnknown:
    half = "exactly equal" in text and "50-50" in text
    at_or_above = "greater than or equal to" in text
    if half == at_or_above:
        return RulesUnknown("tie rule")
    return Tie.HALF if half else Tie.UP


def _read_method(text: str) -> Method | RulesUnknown:
    average = "60-second average" in text or "60 second average" in text
    last = "average" not in text and _AT_THE_END.search(text) is not None
    if average == last:
        return RulesUnknown("settlement method")
    return Method.AVERAGE_60S if average else Method.LAST_PRICE


def _read_source(source: str) -> str | RulesUnknown:
    if source.startswith(LOCAL_SOURCE):
        return LOCAL_SOURCE
    host = source.partition("://")[2].partition("/")[0]
    return host if host in SOURCES else RulesUnknown(f"settlement source {source[:80]!r}")


def fee_micro(fee: FeeSchedule, *, shares_micro: int, price_micro: int) -> int:
    """Return the taker fee of one fill in micro-USDC, rounded half up to 10."""
    spread = price_micro * (MICRO - price_micro)  # scaled by 10**12
    curve: int = spread**fee.exponent
    exact = shares_micro * fee.rate_ppm * curve
    full: int = (MICRO * MICRO) ** fee.exponent
    scale = MICRO * full * _FEE_STEP_MICRO
    return (2 * exact + scale) // (2 * scale) * _FEE_STEP_MICRO


def fee_per_share_micro(fee: FeeSchedule, price_micro: int) -> int:
    """Return the taker fee of a thousand shares per share, rounded up: for planning."""
    return -(-fee_micro(fee, shares_micro=1000 * MICRO, price_micro=price_micro) // 1000)


def dearest_fee_micro(fee: FeeSchedule, best_micro: int, limit_micro: int) -> int:
    """Return at which price from the best to the limit a USDC that is spent pays the highest fee.

    By a schedule of exponent 1 that is the best one; by one of exponent 2 the fee of a USDC rises
    up to a third.
    """
    peak_micro = MICRO * (fee.exponent - 1) // (2 * fee.exponent - 1)
    return min(max(best_micro, peak_micro), limit_micro)


def down_to_tick(price_micro: int, tick_micro: int) -> int:
    """Return a price rounded down to the tick."""
    return price_micro - price_micro % tick_micro


def limit_step_micro(tick_micro: int) -> int:
    """Return the step of limits at which some whole number of shares costs whole cents.

    A buy executed at once spends USDC of two decimals: a limit on half a cent does with an even
    number of shares, a finer one would need hundreds of them.
    """
    return max(tick_micro, _CENT_MICRO // 2)


def down_to_whole_cents(shares_micro: int, price_micro: int) -> int:
    """Return the most whole shares, no more than given, that cost whole cents at a price.

    Args:
        shares_micro: Upper bound, >= 0.
        price_micro: On `limit_step_micro`.
    """
    step = MICRO if price_micro % _CENT_MICRO == 0 else 2 * MICRO
    return shares_micro - shares_micro % step


def cost_micro(*, shares_micro: int, price_micro: int) -> int:
    """Return what shares cost without fee, rounded up to a micro-USDC."""
    return -(-shares_micro * price_micro // MICRO)
