"""Tables of probabilities that strategies read: what a file holds, and what is refused.

Owns the shape of a file: one source of prices, one timeframe, one rule of settlement, a curve for
each minute. The fit is `foresight.backtest`'s, reading the files the trader's.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from foresight.board import Method
from foresight.errors import ConfigError

RULE_OF: Final[Mapping[Method, "Rule"]] = {
    Method.LAST_PRICE: "last",
    Method.AVERAGE_60S: "average",
}
MINUTES_OF: Final = {"5m": 5, "15m": 15}
CALIBRATE: Final = "`foresight calibrate` writes such files"

Prices = Literal["synthetic", "recorded"]
Rule = Literal["last", "average"]
Venue = Literal["", "local", "paper", "live"]
Distance = Annotated[float, Meta(ge=0, le=1000)]
Chance = Annotated[float, Meta(gt=0, lt=1)]
Points = Annotated[tuple[tuple[Distance, Chance], ...], Meta(min_length=1, max_length=1000)]


class Table(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Curves fitted on one source of prices.

    Attributes:
        source: Whose prices: a generated market's, or recorded ones of a real one.
        timeframe: Length of the windows.
        rule: What settles them.
        fitted_on: Dates or seeds, for people.
        first_minute: First minute of the recording it was fitted on, minutes since 1970 UTC; 0
            for generated prices.
        end_minute: First minute after it; 0 for generated prices.
        minutes: By whole minutes since the window's start: points of (distance from the price to
            beat in standard deviations of what is left, share of windows that kept their side).
        venue: Kind of the venue whose offers a journal kept, where it was fitted on these; empty
            where it was fitted on candles.
    """

    source: Prices
    timeframe: Literal["5m", "15m"]
    rule: Rule
    fitted_on: Annotated[str, Meta(max_length=200)]
    first_minute: Annotated[int, Meta(ge=0)]
    end_minute: Annotated[int, Meta(ge=0)]
    minutes: dict[int, Points]
    venue: Venue = ""


def parse_table(data: bytes, *, where: str) -> Table:
    """Read a table file.

    Args:
        data: JSON.
        where: What to call the file in an error.

    Raises:
        ConfigError: It is no such table.
    """
    try:
        table = msgspec.json.decode(data, type=Table)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        what = f"{where} is no table of probabilities: {error}"
        raise ConfigError(what, CALIBRATE) from error
    _check(table, where)
    return table


def _check(table: Table, where: str) -> None:
    for minute, points in table.minutes.items():
        if not 0 < minute < MINUTES_OF[table.timeframe]:
            what = f"{where}: a window of {table.timeframe} has no minute {minute} to enter at"
            raise ConfigError(what, CALIBRATE)
        for (left, low), (right, high) in pairwise(points):
            if right <= left or high < low:
                what = f"{where}: the curve of minute {minute} does not rise"
                raise ConfigError(what, CALIBRATE)
