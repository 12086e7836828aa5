"""The broken rules of the trader: what an answer proves, where a bound lies, what a unit is."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import Mutant

CORE = "tests/core"


def _mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    file, _, test_name = test.partition("::")
    return Mutant(
        name, source, replacement, test_name, Path("foresight") / target, f"{CORE}/{file}"
    )


TRADING_MUTANTS = (
    _mutant(
        "a failure of the venue's side in known words is a refusal",
        "venues/polymarket.py",
        "if is_refusal and any(known in words for known in answers.DEFINITE):",
        "if any(known in words for known in answers.DEFINITE):",
        "test_trading_venue.py::test_known_words_in_a_failure_of_the_venues_side_are_no_refusal",
    ),
    _mutant(
        "a failure of the venue's side in known words is an unfilled order",
        "venues/polymarket.py",
        "if is_refusal and any(known in words for known in answers.UNFILLABLE):",
        "if any(known in words for known in answers.UNFILLABLE):",
        "test_trading_venue.py::test_words_of_an_unfilled_order_prove_it_in_a_refusal_only",
    ),
    _mutant(
        "trades that lag behind are all there are",
        "venues/polymarket.py",
        "if traded.listed_micro != matched:",
        "if traded.listed_micro > matched:",
        "test_trading_venue.py::test_trades_that_lag_behind_the_matched_amount_are_no_outcome",
    ),
    _mutant(
        "a match without its trades is an order that nobody filled",
        "venues/polymarket.py",
        'if answer.get("status") == "matched" and not is_whole:',
        'if answer.get("status") == "matched" and not traded:',
        "test_trading_venue.py::test_a_match_whose_trades_are_not_listed_yet_is_waited_for",
    ),
    _mutant(
        "a trade that failed is bought",
        "venues/polymarket_answers.py",
        "if not _is_of(trade, order_id) or _has_failed(trade):",
        "if not _is_of(trade, order_id):",
        "test_trading_venue.py::test_trades_that_failed_bought_nothing",
    ),
    _mutant(
        "a question that failed proves that there is no order",
        "venues/polymarket.py",
        "if _status_of(error) == _NOT_FOUND:",
        "if _status_of(error):",
        "test_trading_venue.py::test_a_question_about_an_order_that_failed_proves_no_absence",
    ),
    _mutant(
        "a market that was not read is closed for good",
        "venues/polymarket.py",
        "Missing(is_final=not offer.failure and not offer.is_accepting)",
        "Missing(is_final=not offer.is_accepting)",
        "test_trading_venue.py::test_a_market_that_was_not_read_is_not_closed_for_good",
    ),
    _mutant(
        "a list of positions that was not read is an empty one",
        "decision.py",
        "    if holdings.failure:\n",
        "    if not holdings:\n",
        "test_trading_decision.py::test_a_list_of_positions_that_was_not_read_proves_nothing",
    ),
    _mutant(
        "the least edge is not enough",
        "risk.py",
        "    if edge < _micro_of(risk.edge_min_cents):",
        "    if edge <= _micro_of(risk.edge_min_cents):",
        "test_trading_risk.py::test_exactly_the_least_edge_is_traded",
    ),
    _mutant(
        "a dollar is less than the least order",
        "risk.py",
        "    if cost >= COST_MIN_MICRO:\n",
        "    if cost > COST_MIN_MICRO:\n",
        "test_trading_risk.py::test_one_dollar_is_the_least_that_is_spent",
    ),
    _mutant(
        "a listing lags one cycle more",
        "reconcile.py",
        "> book.cycle - LISTING_LAG_CYCLES",
        ">= book.cycle - LISTING_LAG_CYCLES",
        "test_trading_reconcile.py::test_a_listing_lags_two_cycles_and_no_more",
    ),
    _mutant(
        "a stranger's row ends the comparison",
        "reconcile.py",
        "            continue\n",
        "            break\n",
        "test_trading_reconcile.py::test_a_strangers_row_hides_none_of_those_behind_it",
    ),
    _mutant(
        "a drawdown's lookback is in seconds",
        "settlement.py",
        "round(risk.drawdown_lookback_minutes * 60)",
        "round(risk.drawdown_lookback_minutes)",
        "test_trading_settlement.py::test_losses_count_for_exactly_the_lookback",
    ),
    _mutant(
        "slippage is in tenths of a cent",
        "risk.py",
        "best + _micro_of(risk.slippage_cents))",
        "best + _micro_of(risk.slippage_cents) // 10)",
        "test_trading_risk.py::test_slippage_is_meant_in_cents",
    ),
    _mutant(
        "a day is a second longer",
        "book.py",
        "DAY_S: Final = 86_400",
        "DAY_S: Final = 86_401",
        "test_trading_book.py::test_a_day_is_counted_from_midnight_to_midnight",
    ),
)
