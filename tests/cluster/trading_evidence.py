"""What the trader's story on hosts adds up to: the exchange's ledger, the book, all journals.

Owns the verdict, one line for each claim; `judge` is pure. The ledger is kept by somebody who
decides nothing, and whatever the engine says of itself is held against it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from foresight.board import MICRO
from foresight.evidence.books import compare
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines, verify_chain
from state.local_store import read_only_generation
from state.transitions import Proof
from tests.cluster import trading_doubt, trading_guards

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from foresight.book import Book
    from foresight.evidence.record_watch import RecordWatch
    from foresight.trades import Decided, Position
    from state.journal_frames import Line
    from tests.cluster.trading_guards import Guard
    from tests.cluster.trading_hosts import TradingHome

FILLED_MIN: Final = 10
TRADES_MAX: Final = 300  # what a book keeps in full
Verdict = tuple[bool, str]


class Said(NamedTuple):
    """What the commands on one host said at the end, as `--json` has it.

    Attributes:
        home: Its home.
        check: `cycles --check --all-hosts`.
        status: `status`.
        trades: `trades`.
        bots: `ps`.
    """

    home: str
    check: Mapping[str, Any]
    status: Mapping[str, Any]
    trades: Sequence[Mapping[str, Any]]
    bots: Sequence[Mapping[str, Any]]


class Seen(NamedTuple):
    """What was seen of positions and trades while the story went on, on all hosts.

    Attributes:
        held: Every position, by its order.
        decided: Every decided trade, by its order.
        wrong: Positions that were changed or gone before their end.
        adopted: Windows in which shares were found that nobody had bought.
        across: How many positions were open across changes of owner.
    """

    held: Mapping[str, Position]
    decided: Mapping[str, Decided]
    wrong: Sequence[str]
    adopted: Sequence[str]
    across: int


class Found(NamedTuple):
    """What was found when the story had ended, with all hosts still up.

    Attributes:
        first: The first cycle that is counted.
        last: The last one.
        journals: The lines of each host's journal, each proven to be a chain.
        ledger: The exchange's own account.
        begun_micro: What it gave the account to begin with, micro-USDC.
        book: The newest book.
        seen: What was seen on the way.
        deployed: How the deploy across ended.
        guards: What was forbidden, and what was ordered then.
        unanswered: Windows whose order was carried out and not answered when its host ended.
        said: What the commands on each host said.
    """

    first: int
    last: int
    journals: Mapping[str, Sequence[Line]]
    ledger: Mapping[str, Any]
    begun_micro: int
    book: Book
    seen: Seen
    deployed: str
    guards: Sequence[Guard]
    unanswered: Collection[str]
    said: Mapping[str, Said]


# --- reading -----------------------------------------------------------------------


def lines_of(home: TradingHome) -> list[Line]:
    """Return the lines of a host's journal, and prove that they are a chain up to its record."""
    found = read_only_generation(home.home / "state")
    verify_chain(home.home / "journal", digest=found.digest, cycle=found.record.progress.cycle)
    return list(effective(read_lines(home.home / "journal")))


def seen_by(watches: Sequence[RecordWatch]) -> Seen:
    """Return what was seen on all hosts."""
    return Seen(
        held={name: one for each in watches for name, one in each.held.items()},
        decided={name: one for each in watches for name, one in each.decided.items()},
        wrong=[words for each in watches for words in each.wrong()],
        adopted=sorted(set().union(*(each.adopted for each in watches))),
        across=max(sum(each.open_before for each in one.handovers) for one in watches),
    )


def said_on(home: TradingHome) -> Said:
    """Ask the commands on a host."""
    return Said(
        home=str(home.home),
        check=home.objects("cycles", "--check", "--all-hosts")[-1],
        status=home.status(),
        trades=home.objects("trades", "--last", str(TRADES_MAX)),
        bots=home.objects("ps"),
    )


# --- judging -----------------------------------------------------------------------


def judge(found: Found) -> list[Verdict]:
    """Return what holds, and what does not."""
    lines = max(found.journals.values(), key=len)
    return [
        *_cycles(found, lines),
        _same(found),
        *_orders(found),
        *trading_doubt.judged(lines, found.unanswered, _decided(found).values()),
        _money(found),
        *_positions(found),
        (found.deployed == "permanent", f"the deploy across ended {found.deployed}"),
        *trading_guards.judged(found.guards),
        *(each for host in found.said for each in _commands(found, host)),
    ]


def _cycles(found: Found, lines: Sequence[Line]) -> Iterator[Verdict]:
    decided = Counter(each.cycle for each in lines if each.kind == "decide")
    audit = audit_cycles(lines)
    skipped = [cycle for cycle in range(found.first, found.last + 1) if not decided[cycle]]
    doubled = sorted({*audit.doubled, *(cycle for cycle in decided if decided[cycle] > 1)})
    due = found.last + 1 - found.first
    words = f"{due} cycles were due, {len(skipped)} skipped, {len(doubled)} twice"
    yield due > 0 and not (skipped or doubled), _with(words, [*skipped, *doubled])
    wrong = [*audit.unsettled, *(each.cycle for each in audit.gaps)]
    yield not wrong, _with("each decided cycle was settled, and the journal has no gap", wrong)
    seizes = [str(each.evidence.get("proof", "none")) for each in lines if each.kind == "seize"]
    takes = sum(each.kind == "take" for each in lines)
    is_so = Proof.LEASE_ENDED.value in seizes and takes > 0
    yield is_so, f"{takes} planned takeovers; seized by {', '.join(seizes) or 'nobody'}"


def _same(found: Found) -> Verdict:
    results = sorted(([each.result for each in one] for one in found.journals.values()), key=len)
    newest = [max((each.cycle for each in one), default=0) for one in found.journals.values()]
    is_same = all(results[-1][: len(each)] == each for each in results)
    words = f"{len(results)} journals say the same in {', '.join(str(len(one)) for one in results)}"
    return (
        is_same and min(newest) >= found.last,
        f"{words} lines, up to cycles {', '.join(map(str, newest))}",
    )


def _orders(found: Found) -> Iterator[Verdict]:
    decided = _decided(found)
    under_way = [each.entry.slug for each in found.book.orders.values()]
    books = compare(found.ledger, found.seen.held.values(), decided.values(), in_flight=under_way)
    arrived = f"{books.distinct} orders reached the exchange and {books.executed} bought something"
    twice = f"{len(books.bought_twice)} twice; {books.duplicates} known ones were refused"
    is_once = books.is_once and not books.bought_twice
    yield (
        is_once and books.executed >= FILLED_MIN,
        _with(f"{arrived}, {twice}", books.bought_twice),
    )
    wrong = [*books.unknown_to_book, *books.unknown_to_exchange, *books.differing]
    words = f"book and ledger agree to the millionth in {books.booked} orders"
    yield books.agree, _with(words, wrong)
    still = [*under_way, *(each.entry.slug for each in found.book.positions.values())]
    yield not still, _with("every order and position has come to its end", still)


def _money(found: Found) -> Verdict:
    (account,) = found.ledger["accounts"].values()
    unpaid = [each["slug"] for each in account["positions"]]
    there = round(float(account["balance"]) * MICRO)
    booked = found.book.cash.held_micro if found.book.cash is not None else 0
    profit = sum(each.profit_micro for each in _decided(found).values())
    words = f"account {there}, book {booked}, begun with {found.begun_micro} micro-USDC"
    is_so = there == booked == found.begun_micro + profit and not unpaid
    return is_so, _with(f"{words}, decided trades {profit:+d}", unpaid)


def _positions(found: Found) -> Iterator[Verdict]:
    wrong = [*found.seen.wrong, *found.seen.adopted]
    words = f"{found.seen.across} positions were open across changes of owner, none was changed"
    yield not wrong and found.seen.across > 0, _with(words, wrong)
    trades = _decided(found)
    early = [each.entry.slug for each in trades.values() if each.decided_s < each.entry.end_s]
    others = [
        each.entry.slug for each in trades.values() if each.result.value != _ruled(found, each)
    ]
    words = f"{len(trades)} trades were decided, {len(early)} before the end of their windows"
    yield not early, _with(words, early)
    yield not others, _with("each as the exchange had settled it", others)


def _commands(found: Found, host: str) -> Iterator[Verdict]:
    """Yield whether the commands on a host say what is."""
    said = found.said[host]
    yield said.check["ok"] is True, f"{host}: cycles --check --all-hosts agrees"
    hosts = {each["host"]: each["counts_as_standby"] for each in said.status["hosts"]["all"]}
    is_so = said.status["running"] and hosts == dict.fromkeys(found.said, True)
    yield is_so, f"{host}: status names all hosts, {said.status['says']}"
    is_so = Counter(row["order"] for row in said.trades) == Counter(list(_decided(found)))
    yield is_so, f"{host}: trades lists {len(said.trades)} decided trades"
    pages = [each["page"] for each in said.bots if each["home"] == said.home]
    yield len(said.bots) == 1 and any(pages), f"{host}: ps names its page"


def _decided(found: Found) -> dict[str, Decided]:
    newest = {each.entry.effect_id: each for each in found.book.decided}
    return {**found.seen.decided, **newest}


def _ruled(found: Found, trade: Decided) -> str:
    settled = found.ledger["settlements"].get(trade.entry.slug)
    return str(settled["result"]).casefold() if settled is not None else ""


def _with(words: str, what: Iterable[object]) -> str:
    """Return words, and what contradicts them."""
    shown = ", ".join(map(str, what))
    return f"{words} ({shown})" if shown else words
