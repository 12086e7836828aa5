"""Lines, books and records that the tests of the page start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from foresight.board import MICRO, Result, Side
from foresight.book import Book, SlotMemory
from foresight.closes import Closes
from foresight.dashboard.cycles import (
    CycleLine,
)
from foresight.dashboard.view import View, view_of
from foresight.trades import Decided, Entry, Position
from state.record import (
    Ownership,
    Phase,
    Progress,
    Record,
    WorkerId,
)

if TYPE_CHECKING:
    from foresight.dashboard.snapshot import Snapshot

PERIOD_MS = 60_000.0
START_S = 1_795_000_200  # a boundary of both timeframes
NOW_MS = (START_S + 130) * 1000
FIRST, SECOND = "3f2a91c07d5e-9b41d2", "a81c4e5520fb-9b41d2"


def worker(release: str = FIRST, pid: int = 7) -> WorkerId:
    return WorkerId(
        worker=f"w{pid}",
        host="host",
        boot_id="boot",
        pid_namespace="1",
        pid=pid,
        start_ticks=1,
        release=release,
    )


def line(kind: str, cycle: int, **changes: Any) -> CycleLine:  # noqa: ANN401 - members of a line
    boundary_ms = cycle * PERIOD_MS
    words: dict[str, Any] = {
        "seq": 2 * cycle + (kind != "decide"),
        "kind": kind,
        "cycle": cycle,
        "release": FIRST,
        "worker": "w7",
        "epoch": 1,
        "at_ms": boundary_ms + 200,
        "scheduled_ms": boundary_ms,
        "committed_ms": boundary_ms + (100 if kind == "decide" else 300),
        "phase": Phase.DECIDED if kind == "decide" else Phase.SETTLED,
    }
    if kind == "decide":
        words["started_ms"] = boundary_ms + 5
    return CycleLine(**(words | changes))


def cycle_lines(first: int, last: int, **changes: Any) -> list[CycleLine]:  # noqa: ANN401 - as line
    return [
        line(kind, cycle, **changes)
        for cycle in range(first, last + 1)
        for kind in ("decide", "settle")
    ]


def record(**changes: Any) -> Record:  # noqa: ANN401 - members of a record
    words: dict[str, Any] = {
        "app": "foresight",
        "ownership": Ownership(epoch=1, owner=worker(), last_owner=worker()),
        "progress": Progress(cycle=20),
    }
    return Record(**(words | changes))


def seen(snapshot: Snapshot, now_ms: float = 20.5 * PERIOD_MS) -> View:
    return view_of(snapshot, now_ms=round(now_ms))


def closes() -> Closes:
    minutes = tuple(range(START_S // 60 - 30, START_S // 60 + 2))
    return Closes(minutes=minutes, prices=tuple(100.0 + n for n in range(len(minutes))))


def entry(slug: str = f"btc-updown-5m-{START_S}", side: Side = Side.UP) -> Entry:
    return Entry(
        effect_id="e1",
        slot="btc-5m",
        slug=slug,
        end_s=int(slug.rpartition("-")[2]) + 300,
        side=side,
        probability_ppm=930_000,
        release=FIRST,
    )


def position(**changes: Any) -> Position:  # noqa: ANN401 - members of a position
    words: dict[str, Any] = {
        "entry": entry(),
        "token": "t",
        "shares_micro": 20 * MICRO,
        "cost_micro": 18 * MICRO,
    }
    return Position(**(words | changes))


def book(**changes: Any) -> Book:  # noqa: ANN401 - members of a book
    words: dict[str, Any] = {
        "slots": {"btc-5m": SlotMemory(), "zec-15m": SlotMemory(), "btc-15m": SlotMemory()},
        "closes": {"BTC": closes()},
    }
    return Book(**(words | changes))


def decided(result: Result, *, price: float = 0.9, slot_id: str = "btc-5m") -> Decided:
    return Decided(
        entry=replace(entry(), slot=slot_id),
        shares_micro=10 * MICRO,
        cost_micro=round(10 * price * MICRO),
        fee_micro=50_000,
        payout_micro={Result.UP: 10 * MICRO, Result.DOWN: 0, Result.VOID: 5 * MICRO}[result],
        result=result,
        decided_s=START_S,
    )
