"""The trader's book and its orders between the releases: taken over, given back, signed alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from foresight.board import FeeSchedule, Side
from foresight.book import SCHEMA, Cash
from foresight.market import WindowFacts
from foresight.orders import PAYLOAD, Buy
from state.record import SchemaId
from tests.core.test_trading_book import full_book
from tests.trading_values import START_S
from tests.upgrade.engines import said_by

if TYPE_CHECKING:
    from pathlib import Path

    from tests.upgrade.engines import Engines

pytestmark = [pytest.mark.slow]

FIRST: Final = SchemaId(name="foresight.book", version=1, fingerprint="")

# Runs with the engine that the path names: reads a book as its own and writes it again, and says
# the id of an order, which is the hash of what is signed.
PROGRAM: Final = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
import msgspec
from foresight.book import SCHEMA
from foresight.orders import PAYLOAD
from foresight.venues.ccxt_calls import board_client
from foresight.venues.polymarket import Polymarket

given = json.load(sys.stdin)
book = SCHEMA.decode(msgspec.Raw(given["book"].encode()), SCHEMA.schema_id)

async def ids():
    options = {"privateKey": "0x" + "1" * 64, "walletAddress": "0x" + "2" * 40}
    venue = Polymarket(options, requests=None)
    venue._client = board_client(options)
    venue._client.outcomes, venue._client.outcomes_by_id = {}, {}
    try:
        return [
            venue.order_id(PAYLOAD.decode(msgspec.Raw(each.encode()), PAYLOAD.schema_id))
            for each in given["orders"]
        ]
    finally:
        await venue._client.close()

print(json.dumps({
    "version": SCHEMA.schema_id.version,
    "book": bytes(SCHEMA.encode(book)).decode(),
    "ids": asyncio.run(ids()),
}))
"""


def in_engine(tree: Path, book: msgspec.Raw, orders: list[msgspec.Raw]) -> dict[str, Any]:
    given = {"book": bytes(book).decode(), "orders": [bytes(each).decode() for each in orders]}
    return said_by(tree, PROGRAM, given)


def orders() -> list[msgspec.Raw]:
    """Return an order as this release plans it, one of 0.2.0 in hundredths, and a finer tick."""
    whole = Buy(
        slug=f"btc-updown-5m-{START_S}",
        side=Side.UP,
        token="7" * 40,
        price_micro=820_000,
        shares_micro=10_000_000,
        tick_micro=10_000,
        neg_risk=False,
        salt=7,
        timestamp_ms=START_S * 1000,
        fee=FeeSchedule(rate_ppm=70_000, exponent=1),
    )
    return [
        PAYLOAD.encode(whole),
        PAYLOAD.encode(msgspec.structs.replace(whole, shares_micro=12_340_000, salt=8)),
        PAYLOAD.encode(msgspec.structs.replace(whole, price_micro=815_000, tick_micro=1_000)),
    ]


def test_the_previous_release_reads_and_keeps_a_book_that_was_given_back(engines: Engines) -> None:
    """A return from a bake hands over positions and money: nothing of them may change."""
    book = full_book()
    book.venue, book.cash = "local", Cash(held_micro=5)
    book.slots["btc-5m"] = msgspec.structs.replace(
        book.slots["btc-5m"], facts=WindowFacts(start_s=START_S)
    )
    down = SCHEMA.encode_down(book, FIRST)
    found = in_engine(engines.previous, down, [])
    assert found["version"] == 1
    assert json.loads(found["book"]) == json.loads(bytes(down))


def test_a_book_of_the_previous_release_comes_up_and_goes_back_as_it_was(engines: Engines) -> None:
    written = in_engine(engines.previous, SCHEMA.encode_down(full_book(), FIRST), [])["book"]
    stored = msgspec.Raw(written.encode())
    SCHEMA.require_way_back(stored, FIRST)
    up = SCHEMA.decode(stored, FIRST)
    assert json.loads(bytes(SCHEMA.encode_down(up, FIRST))) == json.loads(written)


def test_both_releases_sign_an_order_alike(engines: Engines) -> None:
    """An order's hash is its id: the release after a deploy asks by it what the other one sent."""
    book = SCHEMA.encode_down(full_book(), FIRST)
    before = in_engine(engines.previous, book, orders())["ids"]
    after = in_engine(engines.this, SCHEMA.encode(full_book()), orders())["ids"]
    assert before == after
    assert len(set(before)) == 3
