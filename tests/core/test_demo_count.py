"""The demonstration's counting: what it must not take for a proof.

A witness that forgives too much proves nothing, so each forgiveness is tried from both sides.
"""

from typing import Any

from foresight.board import Result, Side
from foresight.evidence.books import compare
from foresight.evidence.count import Ended, count_cycles, count_sent, lateness, middle
from foresight.evidence.report import Report
from foresight.trades import Decided, Entry, Position

OLD, NEW, FAULTY = 11, 12, 13
KILLED = Ended(killed_pid=OLD)


def observe(cycle: int, pid: int = OLD, release: str = "one", at_ns: int = 0) -> Report:
    return Report("observe", cycle, pid, release, at_ns)


def perform(cycle: int, effect: str, pid: int = OLD) -> Report:
    return Report("perform", cycle, pid, "one", 0, effect)


def counted(*reports: Report, last: int, ended: Ended = KILLED) -> tuple[Any, ...]:
    found = count_cycles(reports, first=1, last=last, ended=ended)
    return found.run, found.missed, found.doubled, found.begun_again


def test_a_cycle_that_nobody_begins_is_missed() -> None:
    assert counted(observe(1), observe(3), last=4, ended=Ended()) == (2, (2, 4), (), ())


def test_a_cycle_that_two_living_workers_begin_is_doubled() -> None:
    both = (observe(1), observe(2), observe(2, NEW), observe(3), observe(4))
    assert counted(*both, last=4) == (4, (), (2,), ())


def test_a_worker_that_begins_a_cycle_twice_doubles_it() -> None:
    assert counted(observe(1), observe(1), observe(2), last=2, ended=Ended()) == (2, (), (1,), ())


def test_what_a_killed_owner_had_only_begun_is_begun_again() -> None:
    assert counted(observe(1), observe(2), observe(2, NEW), last=2) == (2, (), (), (2,))


def test_what_a_killed_owner_had_decided_is_finished_and_not_missed() -> None:
    assert counted(observe(1), observe(2), observe(3, NEW), last=3) == (3, (), (), ())


def test_a_killed_owner_that_had_sent_an_order_had_run_the_cycle() -> None:
    """Whoever runs it after that has doubled it, whatever became of the first one."""
    twice = (observe(1), observe(2), perform(2, "a"), observe(2, NEW))
    assert counted(*twice, last=2) == (2, (), (2,), ())


def test_a_release_that_fails_did_not_run_its_cycle() -> None:
    ended = Ended(failed_release="bad")
    failed = (observe(1), observe(2, FAULTY, "bad"))
    assert counted(*failed, last=2, ended=ended) == (1, (2,), (), ())
    again = (*failed, observe(2))
    assert counted(*again, last=2, ended=ended) == (2, (), (), (2,))


def resolve(cycle: int, effect: str, pid: int = OLD) -> Report:
    return Report("resolve", cycle, pid, "one", 0, effect)


def test_an_order_sent_again_before_anybody_asked_is_noticed() -> None:
    sent = count_sent([observe(1), perform(1, "a"), perform(1, "a", NEW), perform(1, "b")])
    assert (sent.reports, sent.distinct, sent.asked, sent.repeated) == (3, 2, 0, ("a",))


def test_an_order_may_be_sent_again_once_for_each_time_the_venue_was_asked() -> None:
    asked = [perform(1, "a"), resolve(1, "a", NEW), resolve(1, "a", NEW), perform(1, "a", NEW)]
    sent = count_sent(asked)
    assert (sent.reports, sent.distinct, sent.asked, sent.repeated) == (2, 1, 1, ())
    assert count_sent([*asked, perform(1, "a", NEW)]).repeated == ("a",)


def test_lateness_tells_first_cycles_from_ordinary_ones() -> None:
    def boundary_ns(cycle: int) -> int:
        return cycle * 1_000_000_000

    def at(cycle: int, late_ms: int, pid: int, release: str = "one") -> Report:
        return observe(cycle, pid, release, boundary_ns(cycle) + late_ms * 1_000_000)

    reports = [
        *(at(1, 900, OLD), at(2, 1, OLD), perform(2, "a"), at(3, 2, OLD)),
        *(at(4, 3, NEW), at(5, 4, OLD), at(6, 5, NEW)),
        *(at(7, 6, FAULTY, "bad"), at(7, 70, NEW)),
    ]
    ended = Ended(killed_pid=OLD, failed_release="bad")
    late = lateness(reports, since=2, boundary_ns=boundary_ns, ended=ended)
    assert lateness(reports, since=3, boundary_ns=boundary_ns, ended=ended).ordinary == (2.0,)
    # NEW and OLD take over twice in a planned way, then OLD is killed.
    assert late.ordinary == (1.0, 2.0)
    assert late.first == (3.0, 4.0, 6.0)
    assert late.after_end == (5.0, 70.0)
    assert middle(late.first) == 4.0
    assert middle(()) is None


def position(slug: str, shares: int = 9_110_000, order_id: str = "0x1") -> Position:
    entry = Entry(effect_id=f"order {slug}", slot="btc-5m", slug=slug, end_s=300, side=Side.UP)
    return Position(
        entry=entry,
        token=f"token {slug}",
        shares_micro=shares,
        cost_micro=7_834_600,
        fee_micro=76_780,
        order_id=order_id,
    )


def trade(held: Position) -> Decided:
    return Decided(
        entry=held.entry,
        shares_micro=held.shares_micro,
        cost_micro=held.cost_micro,
        fee_micro=held.fee_micro,
        payout_micro=0,
        result=Result.DOWN,
        decided_s=400,
    )


def order(slug: str, filled: str = "9.11", order_id: str = "0x1") -> dict[str, Any]:
    amounts = {"filled": filled, "cash": "7.8346", "fee": "0.07678"}
    return {"id": order_id, "slug": slug, "fills": ["1"] if filled != "0" else []} | amounts


def ledger(*orders: dict[str, Any]) -> dict[str, Any]:
    counts = {"requests_received": len(orders) + 1, "requests_distinct": len(orders)}
    return {"orders": list(orders), "duplicates_refused": 1} | counts


def test_two_accounts_of_the_same_orders_agree() -> None:
    found = compare(
        ledger(order("a"), order("b"), order("killed", "0")),
        [position("a"), position("b")],
        [trade(position("a"))],
    )
    assert (found.received, found.distinct, found.duplicates) == (4, 3, 1)
    assert (found.executed, found.booked) == (2, 2)
    assert not any((found.unknown_to_book, found.unknown_to_exchange))
    assert not any((found.differing, found.bought_twice))


def test_an_order_that_one_side_does_not_know_is_named() -> None:
    found = compare(ledger(order("theirs")), [position("ours")], [])
    assert (found.unknown_to_book, found.unknown_to_exchange) == (("theirs",), ("ours",))


def test_another_amount_and_another_order_of_the_same_window_are_named() -> None:
    found = compare(
        ledger(order("a", "9.12"), order("b", order_id="0x2")),
        [position("a"), position("b")],
        [],
    )
    assert found.differing == ("a", "b")


def test_a_window_that_was_bought_twice_is_named() -> None:
    found = compare(ledger(order("a"), order("a", order_id="0x2")), [position("a")], [])
    assert found.bought_twice == ("a",)


def test_what_is_in_flight_is_not_held_against_either_side() -> None:
    found = compare(ledger(order("a"), order("b")), [position("a")], [], in_flight=["b"])
    assert (found.unknown_to_book, found.in_flight) == ((), ("b",))
    assert compare(ledger(order("b")), [], []).unknown_to_book == ("b",)
