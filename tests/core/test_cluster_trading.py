"""The judge of the trader's story on hosts: each way of being wrong makes it fail.

A proof that passes whatever happened proves nothing, so every claim is broken once, alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from foresight.board import MICRO, Result, Window
from foresight.book import Book, Cash
from state.journal_frames import GAP, Line
from state.open_struct import encode_open
from state.record import Fate
from tests.cluster.trading_evidence import FILLED_MIN, Found, Said, Seen, judge
from tests.cluster.trading_guards import WORDS, Guard, Orders
from tests.records import effect, empty
from tests.trading_values import SLOT, START_S, decided, open_order, position

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from foresight.trades import Decided, Position

FIRST, LAST = 100, 109
BEGUN_MICRO = 1_000_000 * MICRO
BOUGHT = FILLED_MIN
WINDOWS = [Window(SLOT, START_S + 300 * index) for index in range(BOUGHT)]
HOSTS = ("north", "south", "east")


def line(kind: str, cycle: int, *, proof: str = "") -> Line:
    return Line(
        kind=kind,
        cycle=cycle,
        result=f"{kind}-{cycle}",
        evidence={"proof": proof} if proof else {},
    )


def in_doubt(*, unproven: bool) -> Raw:
    """A record whose order nobody knows the end of."""
    order = effect(fate=Fate.DOUBTFUL, unproven=unproven)
    return Raw(encode_open(replace(empty(FIRST), outbox=(order,))))


def journal(*, unproven: bool = True) -> list[Line]:
    found = [line("seize", FIRST - 1, proof="none")]
    for cycle in range(FIRST, LAST + 1):
        if cycle == FIRST + 2:
            found.append(line("take", cycle - 1))
        if cycle == FIRST + 5:
            found.append(line("seize", cycle - 1, proof="lease_ended"))
        found += [line("decide", cycle), line("settle", cycle)]
    found[-1] = replace(found[-1], header=in_doubt(unproven=unproven))
    return found


def bought(window: Window) -> Position:
    return replace(
        position(window, effect_id=f"app:{window.slug}"), order_id=f"order-{window.slug}"
    )


def ended(window: Window) -> Decided:
    result = Result.UP if window.start_s % 600 else Result.DOWN
    one = decided(result=result, decided_s=window.end_s + 60)
    entry = replace(one.entry, effect_id=f"app:{window.slug}", slug=window.slug, end_s=window.end_s)
    return replace(one, entry=entry)


def order(window: Window) -> dict[str, Any]:
    return {
        "id": f"order-{window.slug}",
        "slug": window.slug,
        "filled": "10",
        "cash": "8",
        "fee": "0.1",
    }


TRADES = [ended(window) for window in WINDOWS]
BALANCE_MICRO = BEGUN_MICRO + sum(each.profit_micro for each in TRADES)


def account(balance_micro: int, *slugs: str) -> dict[str, Any]:
    held = [{"slug": slug} for slug in slugs]
    return {"balance": f"{balance_micro / MICRO:.6f}", "positions": held}


def ledger() -> dict[str, Any]:
    return {
        "requests_received": BOUGHT + 1,
        "requests_distinct": BOUGHT,
        "duplicates_refused": 1,
        "orders": [order(window) for window in WINDOWS],
        "settlements": {each.entry.slug: {"result": each.result.value.title()} for each in TRADES},
        "accounts": {"account": account(BALANCE_MICRO)},
    }


def said(host: str) -> Said:
    return Said(
        home=f"/{host}/home",
        check={"ok": True},
        status={
            "running": True,
            "says": "It runs.",
            "hosts": {"all": [{"host": each, "counts_as_standby": True} for each in HOSTS]},
        },
        trades=[{"order": each.entry.effect_id} for each in TRADES],
        bots=[{"home": f"/{host}/home", "page": "http://127.0.0.1:8642"}],
    )


def whole_journals() -> dict[str, list[Line]]:
    """None is of another opinion; two have not written all of it yet."""
    return {"north": journal()[:-1], "south": journal(), "east": journal()[:-1]}


def whole() -> Found:
    """A story in which everything went right."""
    return Found(
        first=FIRST,
        last=LAST,
        journals=whole_journals(),
        ledger=ledger(),
        begun_micro=BEGUN_MICRO,
        book=Book(decided=TRADES[2:], cash=Cash(held_micro=BALANCE_MICRO)),
        seen=Seen(
            held={f"app:{window.slug}": bought(window) for window in WINDOWS},
            decided={each.entry.effect_id: each for each in TRADES[:-1]},
            wrong=(),
            adopted=(),
            across=3,
        ),
        deployed="permanent",
        guards=[kept("pause", "north", took_over=False), *(kept(word) for word in WORDS)],
        unanswered={WINDOWS[3].slug},
        said={host: said(host) for host in HOSTS},
    )


def kept(word: str, host: str = "south", *, took_over: bool = True) -> Guard:
    return Guard(word, host, took_over, stands=True, before=Orders(7, 3), after=Orders(7, 5))


def wrong_in(found: Found) -> list[str]:
    return [words for is_so, words in judge(found) if not is_so]


def test_a_story_in_which_everything_went_right_is_proven() -> None:
    assert wrong_in(whole()) == []


# --- the cycles --------------------------------------------------------------------


def without(lines: list[Line], kind: str, cycle: int) -> list[Line]:
    return [each for each in lines if (each.kind, each.cycle) != (kind, cycle)]


def given_up(lines: list[Line]) -> list[Line]:
    missed = replace(line("miss", 104), header=Raw(encode_open(empty(104))))
    return [missed if each == line("decide", 104) else each for each in lines]


def again(lines: list[Line]) -> list[Line]:
    return [*lines, line("decide", 104), line("settle", 104)]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param(
            without(without(journal(), "decide", 104), "settle", 104), "1 skipped", id="skipped"
        ),
        pytest.param(given_up(journal()), "1 skipped, 0 twice (104)", id="given up"),
        pytest.param(again(journal()), "0 skipped, 1 twice (104)", id="twice"),
        pytest.param(without(journal(), "settle", 104), "was settled", id="not settled"),
        pytest.param([*journal(), line(GAP, LAST)], "no gap (109)", id="gap"),
        pytest.param(without(journal(), "take", FIRST + 1), "0 planned takeovers", id="no take"),
        pytest.param(without(journal(), "seize", FIRST + 4), "seized by none", id="no lease ended"),
        pytest.param(
            without(without(journal(), "seize", FIRST + 4), "seize", FIRST - 1),
            "seized by nobody",
            id="no seize",
        ),
    ],
)
def test_a_cycle_or_an_owner_that_is_not_as_it_must_be_fails_it(
    lines: list[Line], words: str
) -> None:
    (found,) = wrong_in(whole()._replace(journals=dict.fromkeys(HOSTS, lines)))
    assert words in found


def test_a_story_without_a_cycle_that_was_due_fails_it() -> None:
    assert "0 cycles were due, 0 skipped, 0 twice" in wrong_in(whole()._replace(last=FIRST - 1))


@pytest.mark.parametrize(
    "south",
    [
        [],
        journal()[:-2],  # the last cycle is not there
        [*journal()[:-3], line("settle", 999), *journal()[-2:]],
        [*journal()[1:]],
    ],
)
def test_a_host_whose_journal_says_otherwise_or_less_fails_it(south: list[Line]) -> None:
    (found,) = wrong_in(whole()._replace(journals={**whole_journals(), "east": south}))
    assert found.startswith("3 journals say the same")


# --- orders, money, positions ------------------------------------------------------


def with_ledger(**changes: Any) -> Found:  # noqa: ANN401 - members by their names
    return whole()._replace(ledger={**ledger(), **changes})


def test_an_order_that_was_accepted_twice_fails_it() -> None:
    (found,) = wrong_in(with_ledger(requests_received=BOUGHT + 2))
    assert found.startswith(f"{BOUGHT} orders reached the exchange")
    (found,) = wrong_in(with_ledger(orders=[*ledger()["orders"], order(WINDOWS[0])]))
    assert f"1 twice; 1 known ones were refused ({WINDOWS[0].slug})" in found


def test_too_few_orders_prove_nothing() -> None:
    held = {f"app:{window.slug}": bought(window) for window in WINDOWS[:-1]}
    found = with_ledger(orders=ledger()["orders"][:-1])._replace(
        seen=whole().seen._replace(held=held), book=replace(whole().book, decided=TRADES[:-1])
    )
    assert any(f"{BOUGHT - 1} bought something" in words for words in wrong_in(found))


@pytest.mark.parametrize(
    "orders",
    [
        ledger()["orders"][1:],  # the book has one that the exchange has not
        [*ledger()["orders"], order(Window(SLOT, START_S + 300 * BOUGHT))],  # and the other way
        [{**order(WINDOWS[0]), "cash": "8.000001"}, *ledger()["orders"][1:]],
        [{**order(WINDOWS[0]), "id": "another"}, *ledger()["orders"][1:]],
    ],
)
def test_book_and_ledger_that_differ_fail_it(orders: list[dict[str, Any]]) -> None:
    words = f"book and ledger agree to the millionth in {BOUGHT} orders ("
    assert any(each.startswith(words) for each in wrong_in(with_ledger(orders=orders)))


def test_what_has_not_come_to_its_end_fails_it() -> None:
    later = Window(SLOT, START_S + 300 * BOUGHT)
    for book in (
        replace(whole().book, orders={"app:later": open_order(later)}),
        replace(whole().book, positions={"token": bought(later)}),
    ):
        (found,) = wrong_in(whole()._replace(book=book))
        assert found == f"every order and position has come to its end ({later.slug})"


@pytest.mark.parametrize(
    "found",
    [
        with_ledger(accounts={"account": account(BALANCE_MICRO + 1)}),
        with_ledger(accounts={"account": account(BALANCE_MICRO, "btc-updown-5m-1")}),
        whole()._replace(begun_micro=BEGUN_MICRO - 1),
        whole()._replace(book=replace(whole().book, cash=Cash(held_micro=BALANCE_MICRO - 1))),
        whole()._replace(book=replace(whole().book, cash=None)),
    ],
)
def test_account_book_and_decided_trades_that_are_not_one_number_fail_it(found: Found) -> None:
    (words,) = wrong_in(found)
    assert words.startswith("account ")


@pytest.mark.parametrize(
    "changes",
    [
        {"wrong": ["btc-updown-5m-1 gone in cycle 104"]},
        {"adopted": ["btc-updown-5m-1"]},
        {"across": 0},
    ],
)
def test_a_position_that_was_changed_found_or_never_there_fails_it(
    changes: Mapping[str, Any],
) -> None:
    found = whole()
    (words,) = wrong_in(found._replace(seen=found.seen._replace(**changes)))
    assert "positions were open across changes of owner" in words


def test_a_trade_that_was_decided_before_its_window_had_ended_fails_it() -> None:
    early = replace(TRADES[4], decided_s=TRADES[4].entry.end_s - 1)
    trades = [early if each is TRADES[4] else each for each in TRADES]
    (words,) = wrong_in(whole()._replace(book=replace(whole().book, decided=trades)))
    assert f"1 before the end of their windows ({early.entry.slug})" in words


@pytest.mark.parametrize("result", [None, "Void", "Up"])
def test_a_trade_that_the_exchange_settled_otherwise_fails_it(result: str | None) -> None:
    slug = next(each.entry.slug for each in TRADES if each.result is Result.DOWN)
    settled = {name: one for name, one in ledger()["settlements"].items() if name != slug}
    if result is not None:
        settled[slug] = {"result": result}
    (words,) = wrong_in(with_ledger(settlements=settled))
    assert words == f"each as the exchange had settled it ({slug})"


# --- what was said -----------------------------------------------------------------


def test_a_deploy_that_did_not_hold_fails_it() -> None:
    found = whole()._replace(deployed="returned")
    assert wrong_in(found) == ["the deploy across ended returned"]


def status(**counts: bool) -> Mapping[str, Any]:
    hosts = [{"host": host, "counts_as_standby": each} for host, each in counts.items()]
    return {"running": True, "says": "It runs.", "hosts": {"all": hosts}}


def elsewhere(host: str) -> str:
    return HOSTS[HOSTS.index(host) - 1]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda _: {"check": {"ok": False}}, "cycles --check", id="check"),
        pytest.param(
            lambda host: {"status": {**said(host).status, "running": False}},
            "status names all hosts",
            id="not running",
        ),
        pytest.param(
            lambda _: {"status": status(**dict.fromkeys(HOSTS[:2], True))},
            "status names all",
            id="alone",
        ),
        pytest.param(
            lambda _: {"status": status(north=True, south=False, east=True)},
            "status names",
            id="no standby",
        ),
        pytest.param(
            lambda host: {"trades": said(host).trades[1:]},
            f"trades lists {BOUGHT - 1} ",
            id="a trade less",
        ),
        pytest.param(
            lambda host: {"trades": [*said(host).trades, said(host).trades[0]]},
            f"trades lists {BOUGHT + 1} ",
            id="a trade twice",
        ),
        pytest.param(lambda _: {"bots": []}, "ps names its page", id="no bot"),
        pytest.param(
            lambda host: {"bots": [{"home": f"/{host}/home", "page": ""}]},
            "ps names its page",
            id="no page",
        ),
        pytest.param(
            lambda host: {"bots": said(elsewhere(host)).bots}, "ps names its page", id="another"
        ),
        pytest.param(
            lambda host: {"bots": [*said(host).bots, *said(elsewhere(host)).bots]},
            "ps names its page",
            id="two bots",
        ),
    ],
)
def test_a_command_on_either_host_that_says_otherwise_fails_it(
    host: str, change: Callable[[str], Mapping[str, Any]], words: str
) -> None:
    found = whole()
    changed = {**found.said, host: found.said[host]._replace(**change(host))}
    (failed,) = wrong_in(found._replace(said=changed))
    assert failed.startswith(f"{host}: {words}")
