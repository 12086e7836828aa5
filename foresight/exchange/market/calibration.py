"""Calibrated probabilities: a table of curves, one for each timeframe, rule, time left and kind.

Owns the shape of a table file, what it was fitted on, its refusal of another price source, and the
reading of a probability. Must never enter: the fitting (see `fitting`), files, tapes.
"""

from bisect import bisect_right
from typing import Final, Literal

import msgspec

from foresight.exchange.errors import TableError
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.standing import CURVES, Kind, Standing

Source = Literal["recorded", "synthetic"]

PROBABILITY_EDGE: Final = 1e-4
"""Fair probabilities stay this far from 0 and 1: nothing is certain before the end."""


class Curve(msgspec.Struct, frozen=True):
    """A rising function by linear interpolation, constant outside; as many `chances` as `at`."""

    at: tuple[float, ...]
    chances: tuple[float, ...]

    def read(self, at: float) -> float:
        """Return the chance at a distance."""
        place = bisect_right(self.at, at)
        if place == 0:
            return self.chances[0]
        if place == len(self.at):
            return self.chances[-1]
        low, high = self.at[place - 1], self.at[place]
        below, above = self.chances[place - 1], self.chances[place]
        return below + (above - below) * (at - low) / (high - low)


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Curves fitted on one price source.

    Attributes:
        source: Which kind of prices it is for.
        fitted_on: Dates or seeds, for people.
        first_minute: First minute of the recording it was fitted on; 0 for synthetic prices.
        end_minute: First minute after it; 0 for synthetic prices.
        pulls: How far a price goes on where it went in the last 5, 15 and 30 seconds, in standard
            deviations of a minute; all three add up.
        curves: By ``timeframe/rule/curve/kind``, with ``/tied`` where the price is the price to
            beat. The others are for distances >= 0: one below is the other side's.
    """

    source: Source
    fitted_on: str
    first_minute: int
    end_minute: int
    pulls: tuple[float, float, float]
    curves: dict[str, Curve]

    def probability_up(self, timeframe: str, rule: Rule, standing: Standing) -> float:
        """Return the probability that a window ends Up, inside (0, 1)."""
        name = curve_name(timeframe, rule, standing)
        curve = self.curves[name]
        pulled = sum(pull * sign for pull, sign in zip(self.pulls, standing.signs, strict=True))
        distance = standing.distance + standing.scale * pulled
        if standing.is_tied or distance >= 0:
            chance = curve.read(distance)
        else:
            chance = 1.0 - curve.read(-distance)
        return min(max(chance, PROBABILITY_EDGE), 1.0 - PROBABILITY_EDGE)


def curve_name(timeframe: str, rule: Rule, standing: Standing) -> str:
    """Return the name of the curve that a standing is read from."""
    tied = "/tied" if standing.is_tied else ""
    return f"{timeframe}/{rule.value}/{standing.curve}/{standing.kind.value}{tied}"


def read_table(data: bytes, *, source: Source) -> Table:
    """Read a table file for one kind of prices.

    Args:
        data: JSON.
        source: What kind of prices it will be used for.

    Raises:
        TableError: It cannot be read, or was fitted on the other kind of prices.
    """
    try:
        table = msgspec.json.decode(data, type=Table)
    except msgspec.MsgspecError as error:
        raise TableError(str(error)) from error
    if table.source != source:
        message = f"it was fitted on {table.source} prices and cannot price {source} ones"
        raise TableError(message)
    _check(table)
    return table


def _check(table: Table) -> None:
    kinds = [f"{kind.value}{tied}" for kind in Kind for tied in ("", "/tied")]
    for timeframe, last in CURVES.items():
        for rule in Rule:
            for number in range(last + 1):
                for kind in kinds:
                    if f"{timeframe}/{rule.value}/{number}/{kind}" not in table.curves:
                        message = f"{timeframe}/{rule.value}/{number}/{kind} is missing"
                        raise TableError(message)
    for name, curve in table.curves.items():
        rises = sorted(curve.at) == list(curve.at) and sorted(curve.chances) == list(curve.chances)
        if not curve.at or len(curve.at) != len(curve.chances) or not rises:
            message = f"{name} is no rising curve"
            raise TableError(message)
