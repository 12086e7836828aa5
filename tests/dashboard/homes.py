"""Home directories as a running system leaves them, made by the store itself."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from deploy.history import HISTORY, Entry, entry_line
from foresight.board import MICRO, NS, Result, Side, Slot, slots_of, window_at
from foresight.book import SCHEMA, Anomaly, Book, Cash, SlotMemory, Word, keep_decided
from foresight.closes import Closes
from foresight.config import ASSETS, TIMEFRAMES
from foresight.trades import Decided, Position
from foresight.trades import Entry as TradeEntry
from handoff.gate_verdict import failed, passed
from handoff.processes import boot_id, identity_of, pid_namespace
from handoff.release_files import Manifest, release_directory, write_manifest
from state import transitions
from state.local_store import LocalStore
from state.record import (
    Control,
    Fallback,
    Progress,
    Record,
    Rollout,
    Timeline,
    WorkerId,
    evidence_of,
)
from state.store import Change, Note
from state.transitions import Cleanliness, Proof

if TYPE_CHECKING:
    from pathlib import Path

APP: Final = "foresight"
SLOTS: Final = slots_of(ASSETS, TIMEFRAMES)
PRICES: Final = {
    "BTC": 97412.5,
    "ETH": 3318.42,
    "SOL": 254.31,
    "XRP": 1.4472,
    "DOGE": 0.41173,
    "BNB": 652.18,
    "HYPE": 31.207,
    "ZEC": 58.64,
}
FIRST, SECOND, THIRD = "3f2a91c07d5e-9b41d2", "a81c4e5520fb-9b41d2", "c07be3196a44-9b41d2"
SUBJECTS: Final = {
    FIRST: "Stand aside while the feed is stale",
    SECOND: "Enter late in quarter-hours only above one sigma",
    THIRD: "Shrink the stake after a loss",
}
GATES: Final = (
    passed("disk", "9.1 GiB free, 0.6 GiB needed", seconds=0.01),
    passed("memory", "1.9 GiB available, 0.2 GiB needed", seconds=0.01),
    passed("boot", "said hello", seconds=2.4),
    passed("schema", "version 2", seconds=0.1),
)
REPLAYED: Final = "58 cycles decided as recorded"


class Home:
    """A home directory whose system runs as fast as it is told to.

    Attributes:
        cycle: Newest cycle.
        owner: The process that workers are said to be: this one, unless another is named.
        launcher: The same of the launcher.
        now_ns: Wall-clock time of the system, nanoseconds UTC.
    """

    def __init__(self, path: Path, *, until_ns: int, cycles: int, period_ns: int = 60 * NS) -> None:
        """Create the record so that `cycles` cycles end just before `until_ns`."""
        self.path = path
        self.period_ns = period_ns
        self.cycle = until_ns // period_ns - cycles
        self.now_ns = self.cycle * period_ns + period_ns // 2
        self.random = random.Random(20)  # noqa: S311 - a market for pictures
        self.store = LocalStore(
            path / "state",
            app=APP,
            timeline=Timeline(),
            now_ns=lambda: self.now_ns,
            force_filesystem=True,
        )
        self.record = self.store.create(Record(app=APP, progress=Progress(cycle=self.cycle)))
        self.book = first_book(self.random, self.now_ns // NS)
        (path / "run").mkdir(exist_ok=True)
        found = identity_of(os.getpid())
        assert found is not None, "this process lives"
        self.owner = self.launcher = found
        for release, subject in SUBJECTS.items():
            _write_release(path, release, subject)
        self.workers = 0

    def worker(self, release: str) -> WorkerId:
        self.workers += 1
        return WorkerId(
            worker=f"w{self.workers:02d}-7fd3",
            host="host",
            boot_id=boot_id(),
            pid_namespace=pid_namespace(),
            pid=self.owner.pid,
            start_ticks=self.owner.start_ticks,
            release=release,
        )

    def seize(self, release: str) -> None:
        self._commit(
            lambda record: transitions.seize(
                record,
                worker=self.worker(release),
                seen=evidence_of(record),
                proof=Proof.NONE if record.ownership.owner is None else Proof.DEAD,
                attempt=f"seize-{self.workers}",
            ),
            Note(kind="seize"),
        )

    def take(self, release: str, *, bake: int = 3) -> None:
        worker = self.worker(release)
        self._commit(
            lambda record: transitions.take(
                record,
                candidate=worker,
                seen=evidence_of(record),
                now_ns=self.now_ns,
                deadline_ns=self.now_ns + NS,
                rollout=Rollout(deploy_id=f"deploy-{release[:7]}", of=bake),
                attempt=f"take-{self.workers}",
            ),
            Note(kind="take", scheduled_ns=(self.cycle + 1) * self.period_ns),
        )

    def run(self, cycles: int, *, late_ms: float = 4.0) -> None:
        for _ in range(cycles):
            self.decide(late_ms=late_ms)
            self.settle()

    def decide(self, *, late_ms: float = 4.0) -> None:
        self.cycle += 1
        boundary_ns = self.cycle * self.period_ns
        started_ns = boundary_ns + round((late_ms + self.random.random() * 5) * 1e6)
        self.now_ns = started_ns + 180_000_000
        self.book = next_book(self.book, self.random, self.cycle * self.period_ns // NS)
        owner = self.record.ownership.owner
        assert owner is not None
        body = SCHEMA.encode(self.book)
        self._commit(
            lambda record: transitions.decide(
                record,
                worker=owner,
                epoch=record.ownership.epoch,
                cycle=self.cycle,
                body=body,
                schema=SCHEMA.schema_id,
                effects=(),
                fallback=Fallback(schema=SCHEMA.schema_id, body=body),
                attempt=f"decide-{self.cycle}",
            ),
            Note(kind="decide", scheduled_ns=boundary_ns, started_ns=started_ns),
        )

    def settle(self) -> None:
        owner = self.record.ownership.owner
        assert owner is not None
        self.now_ns += 240_000_000
        self._commit(
            lambda record: transitions.settle(
                record,
                worker=owner,
                epoch=record.ownership.epoch,
                cycle=self.cycle,
                fates={},
                cleanliness=Cleanliness.CLEAN,
                attempt=f"settle-{self.cycle}",
            ),
            Note(kind="settle", scheduled_ns=self.cycle * self.period_ns),
        )

    def miss(self) -> None:
        self.cycle += 1
        owner = self.record.ownership.owner
        assert owner is not None
        self._commit(
            lambda record: transitions.miss(
                record,
                worker=owner,
                epoch=record.ownership.epoch,
                cycle=self.cycle,
                reason="older than the catch-up policy allows",
                attempt=f"miss-{self.cycle}",
            ),
            Note(
                kind="miss",
                scheduled_ns=self.cycle * self.period_ns,
                evidence={"reason": "older than the catch-up policy allows"},
            ),
        )

    def pause(self, *, note: str) -> None:
        self._command(Control(paused=True, by="operator", note=note))

    def resume(self) -> None:
        self._command(Control())

    def _command(self, control: Control) -> None:
        self._commit(
            lambda record: transitions.command(record, control=control, attempt="command"),
            Note(kind="command"),
        )

    def finish_deploy(self, release: str, outcome: str = "permanent", reason: str = "") -> None:
        at_ms = self.now_ns // 1_000_000
        subject = SUBJECTS.get(release, "Try a wider stop")
        entry = Entry(
            deploy=f"deploy-{release[:7]}",
            requested_at="",
            requested_ms=at_ms - 42_000,
            by="operator",
            release=release,
            commit=release.partition("-")[0].ljust(40, "0"),
            subject=subject,
            from_release=FIRST,
            gates=(*GATES, failed("replay", reason) if reason else passed("replay", REPLAYED)),
            commits=(f"{release[:12]} {subject}", "9d0e17a33b52 Say in which unit a threshold is"),
            phases={"building": 21.4, "replaying": 6.2, "starting": 2.9, "gating": 1.1},
            outcome=outcome,
            reason=reason,
            output="Traceback (most recent call last):\n  ...\nKeyError: 'stop'" if reason else "",
            boundary_ms=at_ms,
        )
        with (self.path / HISTORY).open("ab") as file:
            file.write(entry_line(entry))

    def write_children(self) -> None:
        owner = self.record.ownership.owner
        assert owner is not None
        children = [
            {"name": "standby-1", "role": "heir", "pid": owner.pid, "release": owner.release},
            {"name": "standby-2", "role": "heir", "pid": 99001, "release": owner.release},
        ]
        told = self.launcher._asdict() | {"format": 1, "children": children}
        data = msgspec.json.encode(told)
        (self.path / "run" / "launcher.json").write_bytes(data)

    def _commit(self, change: Change, note: Note) -> None:
        self.record = self.store.transact(change, note)


def busy_home(path: Path, *, until_ns: int, period_ns: int = 60 * NS) -> Home:
    """A system in its third release, with a late cycle, in the middle of a bake."""
    home = Home(path, until_ns=until_ns, cycles=126, period_ns=period_ns)
    home.seize(FIRST)
    home.run(58)
    home.finish_deploy(FIRST)
    home.take(SECOND)
    home.run(21)
    home.finish_deploy(SECOND)
    home.run(1, late_ms=1700)
    home.run(30)
    home.finish_deploy("5d20c1ee91b2-9b41d2", "refused", "replay: cycle 29384 decides otherwise")
    home.take(THIRD, bake=20)
    home.run(16)
    home.write_children()
    return home


def first_book(chance: random.Random, now_s: int) -> Book:
    """A book after some days of a rule that is right nine times in ten, and earns nothing."""
    book = Book(now_s=now_s, venue="local", cash=Cash(held_micro=1_000 * MICRO))
    for asset, price in PRICES.items():
        book.closes[asset] = _first_closes(chance, price, now_s // 60)
    for number in range(164):
        slot = SLOTS[chance.randrange(len(SLOTS))]
        keep_decided(book, _trade(chance, slot, now_s - (170 - number) * 300))
    book.signals = 231
    book.unbought = {"edge_small": 44, "book_thin": 19, "unfilled": 4}
    book.slots = {slot.slot_id: SlotMemory() for slot in SLOTS}
    book.anomalies = [
        Anomaly(
            kind="market_unavailable",
            subject="market",
            detail="the feed did not answer within 5 s",
            cycle=now_s // 60,
            last_cycle=now_s // 60 + 2,
            count=2,
        )
    ]
    return book


def next_book(book: Book, chance: random.Random, now_s: int) -> Book:
    """The book one cycle on: prices move, windows end, some are bought into."""
    book = replace(book, now_s=now_s, slots=dict(book.slots), positions=dict(book.positions))
    book.closes = {
        asset: _moved(chance, known, now_s // 60) for asset, known in book.closes.items()
    }
    book.decided = list(book.decided)
    for token, position in list(book.positions.items()):
        if position.entry.end_s + 60 <= now_s:
            del book.positions[token]
            keep_decided(book, _decide(chance, position, now_s))
    for slot in SLOTS:
        _look(book, chance, slot, now_s)
    return book


def _look(book: Book, chance: random.Random, slot: Slot, now_s: int) -> None:
    window = window_at(slot, now_s)
    closes = book.closes[slot.asset]
    reference = closes.at(window.start_s // 60 - 1) or closes.prices[-1]
    price = closes.prices[-1]
    words = [
        (Word.QUIET, "move_small"),
        (Word.QUIET, "too_early"),
        (Word.DENIED, "edge_small"),
        (Word.DENIED, "stake_asset"),
    ]
    word, reason = words[chance.randrange(len(words))]
    elapsed = (now_s - window.start_s) / slot.length_s
    if elapsed >= 0.4 and window.slug not in book.positions and chance.random() < 0.45:
        side = Side.UP if price >= reference else Side.DOWN
        book.positions[window.slug] = _position(chance, window.slug, slot, window.end_s, side)
        word, reason = Word.BOUGHT, ""
    book.slots[slot.slot_id] = SlotMemory(
        word=word, reason=reason, start_s=window.start_s, reference=reference, price=price
    )


def _position(chance: random.Random, slug: str, slot: Slot, end_s: int, side: Side) -> Position:
    price = chance.uniform(0.82, 0.95)
    shares = chance.randrange(8, 28)
    entry = TradeEntry(
        effect_id=slug,
        slot=slot.slot_id,
        slug=slug,
        end_s=end_s,
        side=side,
        probability_ppm=round((price + 0.012) * MICRO),
        release=SECOND,
        cycle=end_s // 60 - 1,
    )
    return Position(
        entry=entry,
        token=slug,
        shares_micro=shares * MICRO,
        cost_micro=round(shares * price * MICRO),
        fee_micro=round(shares * 0.07 * price * (1 - price) * MICRO),
    )


def _trade(chance: random.Random, slot: Slot, end_s: int) -> Decided:
    slug = f"{slot.asset.lower()}-updown-{slot.timeframe}-{end_s - end_s % slot.length_s}"
    return _decide(chance, _position(chance, slug, slot, end_s, Side.UP), end_s)


def _decide(chance: random.Random, position: Position, now_s: int) -> Decided:
    won = chance.random() < 0.9
    side = position.entry.side
    other = Result.DOWN if side is Side.UP else Result.UP
    return Decided(
        entry=position.entry,
        shares_micro=position.shares_micro,
        cost_micro=position.cost_micro,
        fee_micro=position.fee_micro,
        payout_micro=position.shares_micro if won else 0,
        result=Result(side.value) if won else other,
        decided_s=now_s,
    )


def _first_closes(chance: random.Random, price: float, minute: int) -> Closes:
    prices = [price]
    for _ in range(60):
        prices.append(prices[-1] * (1 + chance.gauss(0, 0.0006)))
    minutes = tuple(range(minute - len(prices), minute))
    return Closes(minutes=minutes, prices=tuple(prices))


def _moved(chance: random.Random, known: Closes, minute: int) -> Closes:
    if minute - 1 <= known.newest:
        return known
    price = known.prices[-1] * (1 + chance.gauss(0, 0.0006))
    return Closes(minutes=(*known.minutes, minute - 1)[-120:], prices=(*known.prices, price)[-120:])


def _write_release(home: Path, release: str, subject: str) -> None:
    tree = release_directory(home, release) / "tree"
    tree.mkdir(parents=True)
    minute = 3 if release == FIRST else 4
    (tree / "foresight.toml").write_text(f"[strategy.5m]\nminute = {minute}\n", encoding="utf-8")
    write_manifest(
        home,
        Manifest(
            release=release,
            entry="foresight.trader:create",
            python="python3",
            tree=str(tree),
            commit=release.partition("-")[0].ljust(40, "0"),
            subject=subject,
        ),
    )
