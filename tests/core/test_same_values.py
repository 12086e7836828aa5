"""What is computed once is told by the values themselves: nothing is mixed up, or kept for good."""

import gc
import weakref

import pytest

from foresight.closes import Closes
from foresight.market import Detail
from foresight.measured import measured
from foresight.same_values import KEPT, once_for_each
from foresight.strategies.base import sigma_of


class Thing:
    """Something that has nothing but itself."""

    def __init__(self, number: int) -> None:
        self.number = number


def test_the_very_same_values_are_asked_about_once() -> None:
    """Two hours of candles are taken in twice a cycle, and measured for every slot."""
    asked = []

    @once_for_each
    def pair(one: Thing, other: Thing) -> tuple[int, int]:
        asked.append((one, other))
        return one.number, other.number

    first, second = Thing(1), Thing(2)
    assert [pair(first, second), pair(second, first)] == [(1, 2), (2, 1)]
    assert [pair(first, second), pair(second, first)] == [(1, 2), (2, 1)]
    assert asked == [(first, second), (second, first)]


def test_nothing_is_mixed_up_with_what_was_there_before_it() -> None:
    """The address of a value that has gone is given to the next one."""

    @once_for_each
    def number_of(one: Thing) -> int:
        return one.number

    assert [number_of(Thing(number)) for number in range(3 * KEPT)] == [*range(3 * KEPT)]


def test_no_more_is_kept_than_its_bound() -> None:
    @once_for_each
    def number_of(one: Thing) -> int:
        return one.number

    things = [Thing(number) for number in range(2 * KEPT)]
    alive = [weakref.ref(thing) for thing in things]
    for thing in things:
        number_of(thing)
    del things, thing
    gc.collect()
    assert 0 < sum(one() is not None for one in alive) <= KEPT


def test_what_failed_is_asked_again() -> None:
    @once_for_each
    def inverse(one: Thing) -> float:
        return 1 / one.number

    thing = Thing(0)
    with pytest.raises(ZeroDivisionError):
        inverse(thing)
    thing.number = 2
    assert inverse(thing) == 0.5


def test_candles_come_to_what_their_numbers_say() -> None:
    """The move of the newest candle is no part of what it is judged by."""
    prices = tuple(100.0 + (minute % 7) ** 2 for minute in range(70))
    details = tuple(Detail(open=1.0, high=1.0, low=1.0, volume=each) for each in (3.0, 4.0))
    known = Closes(minutes=tuple(range(70)), prices=prices, details=details)
    found = measured(known)
    assert found.sigma == sigma_of(known.minutes, known.prices)
    assert found.sigma_before == sigma_of(known.minutes[:-1], known.prices[:-1]) != found.sigma
    assert found.volumes == (3.0, 4.0)
