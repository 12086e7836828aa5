"""The trader's values: frozen, named, and stored as what they differ by from nothing."""

from types import ModuleType
from typing import Any

import msgspec
import pytest

from foresight import (
    board,
    book,
    closes,
    decision,
    market,
    orders,
    quarters,
    reconcile,
    risk,
    scoring,
    trades,
)
from foresight.board import FeeSchedule, Side
from foresight.book import Anomaly, Book, SlotMemory, Word
from foresight.closes import Closes
from foresight.quarters import Quarters
from foresight.trades import Decided, Entry, OpenOrder, Position, Tally

MODULES = (
    board,
    book,
    closes,
    decision,
    market,
    orders,
    quarters,
    reconcile,
    risk,
    scoring,
    trades,
)
BY_PLACE = {"Slot", "Window", "Level", "RulesUnknown", "Interval"}
"""Values of one or two fields that nobody takes for each other."""

ENTRY: dict[str, Any] = {
    "effect_id": "e",
    "slot": "btc-5m",
    "slug": "s",
    "end_s": 300,
    "side": "up",
}


def structs_of(module: ModuleType) -> list[type[msgspec.Struct]]:
    found = [each for each in vars(module).values() if isinstance(each, type)]
    return [
        each
        for each in found
        if issubclass(each, msgspec.Struct) and each.__module__ == module.__name__
    ]


STRUCTS = [each for module in MODULES for each in structs_of(module)]


def named(struct: type[msgspec.Struct]) -> str:
    return f"{struct.__module__.rpartition('.')[2]}.{struct.__name__}"


def read(data: bytes, kind: Any) -> Any:  # noqa: ANN401 - any of them
    return msgspec.json.decode(data, type=kind)


@pytest.mark.parametrize("struct", [each for each in STRUCTS if each is not Book], ids=named)
def test_a_value_inside_the_book_is_never_changed_in_place(struct: type[msgspec.Struct]) -> None:
    """A decision works on a shallow copy: what it changed in place, the stored book has too."""
    assert struct.__struct_config__.frozen


@pytest.mark.parametrize(
    "struct", [each for each in STRUCTS if each.__name__ not in BY_PLACE], ids=named
)
def test_amounts_are_given_by_their_names(struct: type[msgspec.Struct]) -> None:
    """Cost and fee are both whole numbers: by place, one is taken for the other unseen."""
    fields = struct.__struct_fields__
    with pytest.raises(TypeError, match="positional"):
        struct(*[None] * len(fields))


def test_what_an_older_release_left_out_means_nothing() -> None:
    """A value that equals its default is not stored: another default would change old books."""
    assert msgspec.structs.asdict(read(b"{}", Book)) == {
        **dict.fromkeys(("now_s", "cycle", "spent_micro", "day", "day_spent_micro"), 0),
        **dict.fromkeys(("board_quiet_until_s", "board_quiet_since_s", "signals"), 0),
        **dict.fromkeys(("venue_since_s",), 0),
        "assets": {},
        "slots": {},
        "closes": {},
        "orders": {},
        "positions": {},
        "unbought": {},
        "decided": [],
        "anomalies": [],
        "archived": Tally(),
        "adopted": Tally(),
        "venue": "",
        "cash": None,
        "results": [],
        "tallies": {},
        "let_go": {},
    }
    assert msgspec.structs.asdict(read(b"{}", Tally)) == {
        **dict.fromkeys(Tally.__struct_fields__, 0),
        "quarters": Quarters(),
    }
    assert msgspec.structs.asdict(read(b"{}", SlotMemory)) == {
        **dict.fromkeys(SlotMemory.__struct_fields__, 0),
        "denial": "",
        "reason": "",
        "word": Word.NEW,
        "facts": None,
    }
    assert read(b"{}", Closes) == Closes(minutes=(), prices=(), details=())


def test_an_entry_a_position_and_an_order_are_read_with_nothing_that_was_not_said() -> None:
    """An adopted position has no probability and no epoch: zero says so, in every release."""
    data = msgspec.json.encode(ENTRY)
    entry: Entry = read(data, Entry)
    assert (entry.probability_ppm, entry.epoch, entry.cycle) == (0, 0, 0)
    assert (entry.release, entry.config, entry.is_adopted) == ("", "", False)
    held = {"entry": ENTRY, "token": "t", "shares_micro": 5, "cost_micro": 4}
    position: Position = read(msgspec.json.encode(held), Position)
    assert (position.fee_micro, position.order_id) == (0, "")
    wanted = {
        "entry": ENTRY,
        "token": "t",
        "limit_micro": 1,
        "shares_micro": 5,
        "reserved_micro": 5,
    }
    assert read(msgspec.json.encode(wanted), OpenOrder).fee == FeeSchedule()
    seen = {"kind": "k", "subject": "s", "detail": "", "cycle": 1, "last_cycle": 1}
    assert read(msgspec.json.encode(seen), Anomaly).count == 1


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Book(), {}),
        (Tally(won=1), {"won": 1}),
        (SlotMemory(losses=2), {"losses": 2}),
        (Closes(), {}),
        (Entry(**{**ENTRY, "side": Side.UP}), ENTRY),
    ],
)
def test_a_body_stores_only_what_differs_from_nothing(
    value: msgspec.Struct, stored: dict[str, Any]
) -> None:
    """Hundreds of trades are committed every cycle: what is said of them stays small."""
    assert msgspec.to_builtins(value) == stored


def test_positions_orders_trades_and_anomalies_store_no_defaults() -> None:
    """As above, for those that hold an entry."""
    entry = Entry(**{**ENTRY, "side": Side.UP})
    position = Position(entry=entry, token="t", shares_micro=5, cost_micro=4)  # noqa: S106 - a market's token, no secret
    assert set(msgspec.to_builtins(position)) == {"entry", "token", "shares_micro", "cost_micro"}
    order = OpenOrder(
        entry=entry,
        token="t",  # noqa: S106 - as above
        limit_micro=1,
        shares_micro=5,
        reserved_micro=5,
    )
    assert "fee" not in msgspec.to_builtins(order)
    assert Decided.__struct_config__.omit_defaults
    anomaly = Anomaly(kind="k", subject="s", detail="", cycle=1, last_cycle=1)
    assert "count" not in msgspec.to_builtins(anomaly)
