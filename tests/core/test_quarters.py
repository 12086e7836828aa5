"""Sums per quarter hour: what is kept of trades that move together, and what it comes to."""

import pytest

from foresight.quarters import EFFECT_MIN, OPEN_MAX, Quarters, design_effect, joined, with_trade

FIRST_S = 900 * 2_000_000


def quarters(*results: str) -> Quarters:
    """Return sums over quarters given as words of `w` and `l`, such as `wwl`."""
    sums = Quarters()
    for number, letters in enumerate(results):
        for letter in letters:
            sums = with_trade(sums, end_s=FIRST_S + 900 * number, is_won=letter == "w")
    return sums


def test_the_design_effect_is_the_textbooks() -> None:
    """Three quarters of four trades, 4, 3 and 0 won: rate 7/12, deviations 5/3, 2/3 and -7/3."""
    between = (25 + 4 + 49) / 9
    within = 12 * (7 / 12) * (5 / 12)
    assert design_effect(quarters("wwww", "wwwl", "llll")) == pytest.approx(between / within * 1.5)


@pytest.mark.parametrize("results", [(), ("w",), ("wwww", "wwww"), ("wl", "wl"), ("wwll",)])
def test_quarters_that_look_independent_count_as_two_to_one(results: tuple[str, ...]) -> None:
    """So few cannot show that windows have nothing in common, and markets say that they have."""
    assert design_effect(quarters(*results)) == EFFECT_MIN


def test_results_that_come_late_and_mixed_come_to_the_same_sums() -> None:
    together = quarters("wl", "ww", "lw")
    mixed = Quarters()
    for number, is_won in ((1, True), (0, True), (2, False), (0, False), (2, True), (1, True)):
        mixed = with_trade(mixed, end_s=FIRST_S + 900 * number, is_won=is_won)
    assert mixed == together


def test_what_is_kept_does_not_grow_with_the_number_of_quarters() -> None:
    many = quarters(*["wwl"] * 50)
    assert len(many.open) == OPEN_MAX
    assert (many.count, many.trades, many.won) == (46, 138, 92)
    assert (many.trades_square, many.won_square, many.won_trades) == (414, 184, 276)


def test_sums_of_two_releases_are_the_sums_of_all_their_quarters() -> None:
    both = joined(quarters("wwl", "l"), quarters("ww"))
    assert (both.count, both.trades, both.won, both.open) == (3, 6, 4, ())
    assert (both.trades_square, both.won_square, both.won_trades) == (14, 8, 10)


def test_the_last_second_of_a_quarter_hour_belongs_to_it() -> None:
    sums = with_trade(Quarters(), end_s=FIRST_S + 899, is_won=True)
    sums = with_trade(sums, end_s=FIRST_S + 900, is_won=True)
    assert [one.number for one in sums.open] == [2_000_000, 2_000_001]
