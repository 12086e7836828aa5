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
        "for trade in trades if _is_of(trade, order_id) and not _has_failed(trade)]",
        "for trade in trades if _is_of(trade, order_id)]",
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
    _mutant(
        "a trade that is only mined is waited for no longer",
        "confirmation.py",
        "FINAL: Final = frozenset({Stage.CONFIRMED, Stage.FAILED})",
        "FINAL: Final = frozenset({Stage.CONFIRMED, Stage.FAILED, Stage.MINED})",
        "test_trading_confirmation.py::test_a_trade_that_may_still_fail_changes_nothing",
    ),
    _mutant(
        "a failed trade keeps its fee",
        "confirmation.py",
        "fee_micro=position.fee_micro - sum(fill.fee_micro for fill in failed),",
        "fee_micro=position.fee_micro,",
        "test_trading_confirmation.py::"
        "test_a_matched_order_whose_trades_fail_is_reversed_to_the_cent",
    ),
    _mutant(
        "a position is decided before its trades are",
        "settlement.py",
        "            if is_held_up(position, book.now_s):\n",
        "            if is_held_up(position, book.now_s) and not risk:\n",
        "test_trading_confirmation.py::test_a_position_is_not_decided_before_its_trades_are",
    ),
    _mutant(
        "a trade is waited for for ever",
        "confirmation.py",
        "return bool(position.unconfirmed) and now_s < position.entry.end_s + UNCONFIRMED_S",
        "return bool(position.unconfirmed)",
        "test_trading_confirmation.py::"
        "test_after_an_hour_a_position_is_decided_as_it_is_and_flagged",
    ),
    _mutant(
        "yesterday's money that came back may be spent today",
        "book.py",
        "    if (end_s - 1) // DAY_S == book.day:\n",
        "    if end_s:\n",
        "test_trading_confirmation.py::test_money_that_came_back_is_of_the_day_it_was_paid_on",
    ),
    _mutant(
        "shares that may still fail are compared with the listing",
        "reconcile.py",
        "{position.token for position in held if position.unconfirmed}",
        "set()",
        "test_trading_confirmation.py::"
        "test_shares_that_may_still_fail_are_not_compared_with_the_listing",
    ),
    _mutant(
        "one reading of the account is believed",
        "cash.py",
        "    if off_micro * cash.off_micro <= 0:\n",
        "    if off_micro * cash.off_micro < 0:\n",
        "test_trading_cash.py::test_a_difference_that_is_gone_again_was_none",
    ),
    _mutant(
        "the larger of two differences is believed",
        "cash.py",
        "agreed = min(cash.off_micro, off_micro, key=abs)",
        "agreed = max(cash.off_micro, off_micro, key=abs)",
        "test_trading_cash.py::test_of_two_readings_the_smaller_difference_is_believed",
    ),
    _mutant(
        "winnings that nobody redeemed are missing from the account",
        "cash.py",
        "read = holdings.cash_micro + sum(one.pays_micro or 0 for one in listed)",
        "read = holdings.cash_micro",
        "test_trading_cash.py::test_six_hundred_unredeemed_rows_are_no_difference",
    ),
    _mutant(
        "an order without a receipt is taken for unpaid",
        "cash.py",
        "less = sum(order.reserved_micro for order in book.orders.values())",
        "less = 0",
        "test_trading_cash.py::test_an_order_without_a_receipt_may_be_paid_or_not",
    ),
    _mutant(
        "a payout that came before its result is a gift",
        "cash.py",
        "            more += position.shares_micro\n",
        "            more += 0\n",
        "test_trading_cash.py::test_an_ended_window_may_be_paid_before_its_result_is_read",
    ),
    _mutant(
        "a payout leaves the cash as it was",
        "settlement.py",
        "    receive(book, trade.payout_micro)\n",
        "",
        "test_trading_cash.py::test_purchases_and_payouts_move_the_cash_to_the_micro_usdc",
    ),
    _mutant(
        "what was bought by hand is a strategy's trade",
        "scoring.py",
        "ours = [trade for trade in book.decided if not trade.entry.is_adopted]",
        "ours = list(book.decided)",
        "test_trading_cash.py::"
        "test_what_was_bought_by_hand_is_adopted_at_its_real_cost_and_in_no_figure",
    ),
    _mutant(
        "shares bought by hand cost what ours cost too",
        "reconcile.py",
        "max(0, found.cost_micro - sum(one.cost_micro for one in ours))",
        "found.cost_micro",
        "test_trading_cash.py::"
        "test_what_was_bought_by_hand_is_adopted_at_its_real_cost_and_in_no_figure",
    ),
    _mutant(
        "a book goes to another kind of venue with what is open",
        "reconcile.py",
        '    if book.venue in {"", kind} or not (book.positions or book.orders):\n',
        '    if book.venue in {"", kind} or not book.positions:\n',
        "test_trading_venue_kind.py::test_what_is_open_at_another_kind_is_neither_settled_nor_traded",
    ),
    _mutant(
        "positions are settled by another venue's results",
        "decision.py",
        "    if strange:\n",
        "    if not strange:\n",
        "test_trading_venue_kind.py::test_what_is_open_at_another_kind_is_neither_settled_nor_traded",
    ),
    _mutant(
        "the cash of one account is compared with another's",
        "reconcile.py",
        "        book.cash = None\n",
        "        pass\n",
        "test_trading_venue_kind.py::"
        "test_a_book_that_holds_nothing_goes_to_another_kind_and_leaves_its_cash_behind",
    ),
)
