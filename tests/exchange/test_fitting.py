"""Tables of prices: whole where a file needs them whole, and the same whoever counted a part."""

from dataclasses import dataclass, field

import msgspec
import pytest

from foresight.exchange.market.calibration import Table, read_table
from foresight.exchange.market.fitting import Counts, fit
from foresight.exchange.market.standing import Kind, Standing

NAME = "5m/last/12/waiting"


@dataclass
class Counted:
    """Moments whose windows keep their side the oftener the further away the price is."""

    counts: Counts = field(default_factory=Counts)

    def add(self, first: int, end: int) -> "Counted":
        for at in range(first, end):
            distance = 0.5 + (at % 40) / 20
            is_up = at // 40 % 100 < 60 + 15 * distance
            standing = Standing(12, Kind.WAITING, is_tied=False, distance=distance)
            self.counts.add(NAME, standing, is_up=is_up)
        return self


def fitted(counts: Counts, *names: str) -> Table:
    return fit(counts, source="synthetic", fitted_on="a morning", names=names or None)


def test_a_table_has_every_curve_that_a_file_must_have() -> None:
    """Where few moments were counted others stand in; a hole would be found while trading."""
    table = fitted(Counted().add(0, 4000).counts)
    assert read_table(msgspec.json.encode(table), source="synthetic") == table
    assert table.curves["15m/average/60/moved"] == table.curves[NAME]


def test_a_curve_rises_with_the_distance_from_one_half() -> None:
    curve = fitted(Counted().add(0, 4000).counts, NAME).curves[NAME]
    assert curve.read(0.0) == 0.5
    assert curve.read(0.6) == pytest.approx(0.69, abs=0.03)
    assert curve.read(2.4) == pytest.approx(0.96, abs=0.03)


def test_parts_that_are_counted_apart_come_to_the_whole() -> None:
    """Assets are counted in processes of their own."""
    parts = Counted().add(0, 1500).counts
    parts.merge(Counted().add(1500, 4000).counts)
    assert fitted(parts, NAME).curves == fitted(Counted().add(0, 4000).counts, NAME).curves


def test_of_few_moments_a_curve_is_one_point() -> None:
    curve = fitted(Counted().add(0, 100).counts, NAME).curves[NAME]
    assert len(curve.at) == 2  # no distance at all, and the mean of all others


def kept(counts: Counts, number: int, kind: Kind, share: float, *, moments: int = 3000) -> None:
    for at in range(moments):
        standing = Standing(number, kind, is_tied=False, distance=0.5)
        is_up = at % 100 < 100 * share
        counts.add(f"15m/last/{number}/{kind.value}", standing, is_up=is_up)


@pytest.mark.parametrize(
    ("near", "share"), [((41, Kind.STILL), 0.6), ((40, Kind.WAITING), 0.7), ((9, Kind.STILL), 0.9)]
)
def test_a_thin_curve_is_filled_up_with_what_is_most_like_it(
    near: tuple[int, Kind], share: float
) -> None:
    """Its own kind at about that time; then what has not moved either; then any kind."""
    counts = Counts()
    kept(counts, 40, Kind.STILL, 0.5, moments=100)
    kept(counts, 40, Kind.MOVED, 0.9)
    kept(counts, *near, share)
    curve = fitted(counts, *counts.bins).curves["15m/last/40/still"]
    assert curve.read(0.5) == pytest.approx(share, abs=0.02)


def test_without_a_single_moment_every_side_is_as_likely() -> None:
    table = fitted(Counts(), NAME)
    assert table.pulls == (0.0, 0.0, 0.0)
    assert table.curves[NAME].read(3.0) == 0.5


def test_what_two_signs_tell_is_told_apart() -> None:
    """A last step against the half minute before it is followed by the half minute's side."""
    counts = Counts()
    for at in range(32_000):
        half, step = (1 if at // bit % 2 else -1 for bit in (4000, 8000))
        distance = 0.5 + (at % 40) / 20
        standing = Standing(
            12, Kind.WAITING, is_tied=False, distance=distance, signs=(step, 0, half), scale=1.0
        )
        counts.add(
            NAME, standing, is_up=at // 40 % 100 < 50 + 15 * distance + 3 * half - 1.5 * step
        )
    first, second, third = fitted(counts, NAME).pulls
    assert third == pytest.approx(0.2, abs=0.03)  # three in a hundred, where a curve rises by 15
    assert first == pytest.approx(-0.1, abs=0.03)
    assert second == 0.0
