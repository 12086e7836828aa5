"""The trader over a recording: cycle after cycle, in process, as fast as it decides.

Owns the order of a cycle (what is seen, what is decided, what orders get a little later) and what
is kept of it. It is the trader's own `decide` on its own book; what a venue's client would read or
send is here read from the recorded market. No clock: the same recording gives the same trades.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from foresight import decision, settlement, window_facts
from foresight.backtest.results import BacktestResult, score_over, slot_results, trade_of
from foresight.board import NS
from foresight.book import Book, memory_of
from foresight.closes import Closes
from foresight.market import FeedClock, Market
from foresight.orders import Bought, Buy
from foresight.scoring import evidence_of
from handoff.limits import MS
from handoff.workload import Cycle, payload_of, receipt
from state.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from foresight.backtest.calibration import Span
    from foresight.backtest.market import RecordedCandles, RecordedMarket
    from foresight.trades import Decided
    from state.record import Effect, Receipt

MINUTE_NS = 60 * NS
CLOSING_MINUTES = 30  # after what is judged, in which results still come


class Trial(NamedTuple):
    """What is tried, and over what.

    Attributes:
        name: What to call it: the release that its trades carry.
        policy: What it decides by.
        period_ns: From one decision to the next.
        feed: Candles.
        market: The venue.
        judged: Minutes in which it decides.
        delay_ns: How long after a decision its orders meet the book.
        rule: What settles windows, in a word.
        table: What the market's prices were fitted on, for people.
    """

    name: str
    policy: decision.Policy
    period_ns: int
    feed: RecordedCandles
    market: RecordedMarket
    judged: Span
    delay_ns: int
    rule: str
    table: str


def run(trial: Trial, *, heard: Callable[[int], None] | None = None) -> BacktestResult:
    """Return what a trader would have come to.

    Args:
        trial: What is tried.
        heard: Called with each minute that is decided, to say how far it is.
    """
    return _Run(trial).to_the_end(heard)


class _Run:
    """One trader on its way through a recording."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._book = Book()
        self._receipts: tuple[Receipt, ...] = ()
        self._assets = tuple(dict.fromkeys(slot.asset for slot in trial.policy.slots))
        self._trades: list[Decided] = []
        self._signals: dict[str, int] = {}
        self._spoken: dict[str, int] = {}

    def to_the_end(self, heard: Callable[[int], None] | None) -> BacktestResult:
        trial = self._trial
        first = -(-trial.judged.first * MINUTE_NS // trial.period_ns)
        end = -(-trial.judged.end * MINUTE_NS // trial.period_ns)
        for number in range(first, end):
            self._cycle(number)
            if heard is not None:
                heard(number * trial.period_ns // MINUTE_NS)
        last = end + CLOSING_MINUTES * MINUTE_NS // trial.period_ns
        number = end
        # No window that ends after what is judged is listed: nothing more is bought.
        while (self._book.positions or self._receipts) and number < last:
            self._cycle(number)
            number += 1
        return self._result(end - first)

    def _cycle(self, number: int) -> None:
        trial, book = self._trial, self._book
        now_ns = number * trial.period_ns
        cycle = Cycle(number=number, now_ns=now_ns, seed=number, epoch=1, release=trial.name)
        decided = decision.decide(
            trial.policy,
            cycle=cycle,
            body=book,
            inputs=self._seen(cycle),
            receipts=self._receipts,
        )
        self._receipts = tuple(self._receipt(each, now_ns) for each in decided.effects)
        self._book = decided.body
        self._note()

    def _seen(self, cycle: Cycle) -> Market:
        """Return what `Trader.observe` would bring: books of those slots alone that speak."""
        trial, book, now_ns = self._trial, self._book, cycle.now_ns
        now_s = now_ns // NS
        policy, market = trial.policy, trial.market
        unread = window_facts.unread(book, policy.slots, risk=policy.risk, now_s=now_s)
        said = market.facts(unread.values(), now_ns)
        facts = {slot_id: said[slug] for slot_id, slug in unread.items()}
        seen = Market(
            candles=trial.feed.fresh(self._newest(), end_minute=now_ns // MINUTE_NS),
            rulings=market.rulings(settlement.due(book, now_s, turn=cycle.number), now_ns),
            facts={slot_id: one for slot_id, one in facts.items() if not isinstance(one, str)},
            facts_unread={slot_id: one for slot_id, one in facts.items() if isinstance(one, str)},
            clock=FeedClock(now_ms=now_ns // MS),
            seen_s=now_s,
        )
        wanted = decision.wanted(policy, book=book, inputs=seen, cycle=cycle)
        if not wanted:
            return seen
        return msgspec.structs.replace(seen, offers=market.books(wanted, now_ns))

    def _newest(self) -> Mapping[str, int]:
        closes = self._book.closes
        return {asset: closes.get(asset, Closes()).newest for asset in self._assets}

    def _receipt(self, effect: Effect, now_ns: int) -> Receipt:
        answer = self._trial.market.bought(payload_of(effect, Buy), now_ns + self._trial.delay_ns)
        if isinstance(answer, Bought):
            return receipt(effect, Outcome.CONFIRMED, payload=answer)
        return receipt(effect, Outcome.REFUSED, reason=answer.reason)

    def _note(self) -> None:
        book = self._book
        for trade in reversed(book.decided):
            if trade.decided_s != book.now_s:
                break
            self._trades.append(trade)
        for slot in self._trial.policy.slots:
            slot_id = slot.slot_id
            spoken = memory_of(book, slot_id).signal_start_s
            if spoken != self._spoken.get(slot_id, 0):
                self._spoken[slot_id] = spoken
                self._signals[slot_id] = self._signals.get(slot_id, 0) + 1

    def _result(self, cycles: int) -> BacktestResult:
        trial, book = self._trial, self._book
        score = score_over(self._trades)
        policy = trial.policy
        return BacktestResult(
            name=trial.name,
            config=policy.config,
            strategies={key: one.name for key, one in policy.strategies.items()},
            rule=trial.rule,
            delay_s=trial.delay_ns / NS,
            table=trial.table,
            judged_from=trial.judged.first,
            judged_until=trial.judged.end,
            cycles=cycles,
            signals=book.signals,
            unbought=dict(sorted(book.unbought.items())),
            score=score,
            evidence=evidence_of(score),
            slots=slot_results(
                (slot.slot_id for slot in policy.slots), self._signals, self._trades
            ),
            undecided=len(book.positions),
            trades=tuple(trade_of(each) for each in self._trades),
        )
