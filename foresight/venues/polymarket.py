"""Polymarket through ccxt: events, books, orders, trades and positions.

Owns the requests and the proof of what became of an order. An order's id is its hash, which
follows from the order alone (salt and time stamp are pinned), so the venue can be asked about
an order whose answer was lost. What answers mean is in `polymarket_answers`.

ccxt's own caches of events and outcomes grow without bound; they are left empty, and the one
outcome an order needs is put in before it is sent.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from foresight.board import MICRO, Side
from foresight.errors import AnswerUnreadable, VenueError, VenueRefused, VenueUnreachable
from foresight.market import Holdings, Offer, Ruling, Stage, WindowFacts
from foresight.orders import NOT_FILLABLE, REFUSED, Bought, Buy
from foresight.venues import pages
from foresight.venues import polymarket_answers as answers
from foresight.venues.base import Missing, NotBought, Waiting
from foresight.venues.ccxt_calls import OPEN_TIMEOUT_S, Requests, board_client, list_of, mapping_of
from foresight.venues.trade_states import stages_of

OUTCOMES_KEPT: Final = 64
IDS_KEPT: Final = 256  # of orders; one is asked about a few times at most
EVENTS_AT_ONCE: Final = 50  # slugs in one request
POSITIONS_MAX: Final = 500  # one page of the venue's listing
SIZE_LISTED_MIN: Final = "0.01"  # shares; the listing's default leaves out what is below 1

# ccxt raises a plain 400 as ExchangeNotAvailable; only its text tells it from an outage.
_STATUS: Final = re.compile(r" (?P<status>[45]\d\d) ")
_NOT_FOUND: Final = "404"
_BAD_REQUEST: Final = "400"

# The struct that is hashed (CTF Exchange, version 2), as ccxt signs it.
_ORDER_STRUCT: Final = [
    {"name": name, "type": kind}
    for name, kind in (
        ("salt", "uint256"),
        ("maker", "address"),
        ("signer", "address"),
        ("tokenId", "uint256"),
        ("makerAmount", "uint256"),
        ("takerAmount", "uint256"),
        ("side", "uint8"),
        ("signatureType", "uint8"),
        ("timestamp", "uint256"),
        ("metadata", "bytes32"),
        ("builder", "bytes32"),
    )
]


class _Traded(NamedTuple):
    """What of an order was traded: bought, and micro-shares of trades that failed."""

    bought: Bought
    failed_micro: int

    @property
    def listed_micro(self) -> int:
        """Shares of all its trades, x 10**6."""
        return self.bought.shares_micro + self.failed_micro


class Polymarket:
    """The venue; with a key it trades, without one it only reads."""

    def __init__(
        self,
        options: dict[str, Any],
        *,
        requests: Requests,
        key: Callable[[], str] | None = None,
    ) -> None:
        """Keep how to construct the client.

        Args:
            options: Settings of the ccxt client.
            requests: The bounds of its requests.
            key: Reads the wallet's private key where the options do not hold it.
        """
        self._options = options
        self._key = key
        self._requests = requests
        self._client: Any = None
        self._ids: dict[Buy, str] = {}

    async def open(self) -> None:
        """Load the client; derive the API credentials if there is a key."""
        if self._client is None:
            key = {"privateKey": self._key()} if self._key is not None else {}
            self._client = board_client(self._options | key)
            self._client.outcomes, self._client.outcomes_by_id = {}, {}
            self._requests.listen(self._client)
        if self._client.privateKey:
            self._requests.hide(self._client.privateKey)
            await self._requests.read(self._client.load_api_credentials, timeout_s=OPEN_TIMEOUT_S)
            self._requests.hide(self._client.apiKey, self._client.secret, self._client.password)

    async def close(self) -> None:
        """Give back the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def offers(self, wanted: Mapping[str, tuple[str, Side]]) -> dict[str, Offer]:
        """Return what windows offer; two requests for all of them."""
        events = await self._events([slug for slug, _ in wanted.values()])
        offers = {
            slot_id: _offer(events[slug], slug, side) for slot_id, (slug, side) in wanted.items()
        }
        tokens = [offer.token for offer in offers.values() if offer.is_accepting]
        books = await self._books(tokens) if tokens else {}
        return {
            # A closed market has no book, and needs none.
            slot_id: _with_book(offer, books) if offer.is_accepting else offer
            for slot_id, offer in offers.items()
        }

    async def facts(self, slugs: Sequence[str]) -> dict[str, WindowFacts | str]:
        """Return what markets say of their windows, or why one says nothing; one request."""
        events = await self._events(slugs) if slugs else {}
        return {slug: _facts(events[slug], slug) for slug in slugs}

    async def books(self, offers: Mapping[str, Offer]) -> dict[str, Offer]:
        """Return offers of known windows with their books; one request."""
        books = await self._books([offer.token for offer in offers.values()]) if offers else {}
        return {slot_id: _with_book(offer, books) for slot_id, offer in offers.items()}

    async def rulings(self, slugs: Sequence[str]) -> tuple[Ruling, ...]:
        """Return what is known of ended windows."""
        events = await self._events(slugs) if slugs else {}
        return tuple(_ruling(events[slug], slug) for slug in slugs)

    async def holdings(self) -> Holdings | None:
        """Return the wallet's positions, the orders that rest in books, and the account's cash."""
        user = {"user": self._client.walletAddress, "sizeThreshold": SIZE_LISTED_MIN}
        account = {"asset_type": "COLLATERAL"} | _signature_type(self._client)
        listed, resting, balance = await asyncio.gather(
            # ccxt's fetch_positions expects an object; the venue sends a bare list.
            pages.by_offset(
                lambda offset: self._positions(user | {"offset": offset}),
                rows=POSITIONS_MAX,
                name="asset",
                what="positions",
            ),
            pages.by_cursor(
                lambda cursor: self._listed(self._client.clobPrivateGetDataOrders, {}, cursor),
                what="open orders",
            ),
            self._requests.read(lambda: self._client.clobPrivateGetBalanceAllowance(account)),
        )
        return msgspec.structs.replace(
            answers.read_holdings(listed),
            resting=tuple(str(mapping_of(order, "open order").get("id")) for order in resting),
            cash_micro=answers.read_cash(mapping_of(balance, "balance")),
        )

    def trades(self, wanted: Collection[str], *, since_s: int) -> AsyncIterator[dict[str, Stage]]:
        """Yield how far the venue has got with trades: page by page of the account's since then."""
        query = {"after": str(since_s)}
        return stages_of(
            wanted,
            lambda cursor: self._listed(self._client.clobPrivateGetDataTrades, query, cursor),
        )

    async def buy(self, order: Buy) -> Bought | NotBought | Waiting:
        """Send an order once; a duplicate is looked up instead."""
        try:
            answer = await self._requests.once(lambda: self._post(order))
        except (VenueRefused, VenueUnreachable) as error:
            return await self._refusal(order, error)
        if answer.get("success") is not True or not answer.get("orderID"):
            what = f"answer to an order: {self._requests.cleaned(str(answer))[:200]}"
            raise AnswerUnreadable(what)
        if answers.status_of(answer) in answers.OPEN:
            return Waiting(answers.status_of(answer))
        # The answer names no trades, whose states are asked for later.
        return await self._matched(order, answer)

    async def find(self, order: Buy) -> Bought | NotBought | Waiting | Missing:
        """Ask by hash, then by trades, then whether the market still takes orders."""
        found = await self._executed(order)
        if found is not None:
            return found
        events = await self._events([order.slug])
        offer = _offer(events[order.slug], order.slug, order.side)
        if offer.failure or offer.is_accepting:
            return Missing(is_final=False)
        # It closed after the first question: what was on its way then may be there now.
        return await self._executed(order) or Missing(is_final=True)

    async def _executed(self, order: Buy) -> Bought | NotBought | Waiting | None:
        # What the venue knows of an order; None if it shows neither the order nor a trade of it.
        order_id = self.order_id(order)
        known = await self._order(order_id)
        if known is not None:
            return await self._fate(order, order_id, known)
        # A venue may forget finished orders sooner than their trades.
        traded = await self._traded(order, order_id)
        return _outcome(traded) if traded.listed_micro else None

    def order_id(self, order: Buy) -> str:
        """Return the id that the venue gives an order: the hash of what is signed."""
        known = self._ids.get(order)
        if known is None:
            if len(self._ids) >= IDS_KEPT:
                self._ids.clear()
            # Signing is milliseconds of work: where several orders are doubtful, doing it again
            # for each question would leave no time for the answers.
            known = self._ids[order] = self._hashed(order)
        return known

    def _hashed(self, order: Buy) -> str:
        client = self._client
        signed = self._built(order)["body"]["order"]
        message = {field["name"]: signed[field["name"]] for field in _ORDER_STRUCT}
        message |= {"salt": str(signed["salt"]), "side": 0}
        options = client.options
        address = options["negRiskExchangeAddress" if order.neg_risk else "exchangeAddress"]
        domain = {
            "name": options["ctfExchangeName"],
            "version": options["ctfExchangeVersion"],
            "chainId": options["chainId"],
            "verifyingContract": address,
        }
        data = client.eth_encode_structured_data(domain, {"Order": _ORDER_STRUCT}, message)
        return str(client.hash_message(data)).lower()

    async def _post(self, order: Buy) -> dict[str, Any]:
        self._know(order)
        placed = await self._client.create_order(*_terms(order), _parameters(order))
        return mapping_of(placed["info"], "answer to an order")

    def _built(self, order: Buy) -> dict[str, Any]:
        self._know(order)
        return mapping_of(
            self._client.build_clob_order_body(*_terms(order), _parameters(order)), "order"
        )

    def _know(self, order: Buy) -> None:
        outcomes = self._client.outcomes_by_id
        if len(outcomes) >= OUTCOMES_KEPT:
            outcomes.clear()
        outcomes[order.token] = {
            "outcome": order.token,
            "outcomeId": order.token,
            "market": order.slug,
            "label": order.side.value,
            "precision": {"price": order.tick_micro / MICRO},
            "negRisk": order.neg_risk,
            "info": {},
        }
        self._client.outcomes = outcomes  # ccxt takes an empty one for "not loaded"

    async def _refusal(self, order: Buy, error: VenueError) -> Bought | NotBought | Waiting:
        words = str(error).lower()
        if answers.DUPLICATE in words:
            found = await self.find(order)
            if not isinstance(found, Missing):
                return found
            what = f"{order.slug}: the venue knows the order and does not show it"
            raise AnswerUnreadable(what) from error
        # A failure on the venue's side proves nothing, in whatever words it is told. And what is
        # refused now may have been executed before: a lost answer, and money that is missing now.
        is_refusal = isinstance(error, VenueRefused) or _status_of(error) == _BAD_REQUEST
        if is_refusal and any(known in words for known in answers.UNFILLABLE):
            return await self._executed(order) or NotBought(NOT_FILLABLE)
        if is_refusal and any(known in words for known in answers.DEFINITE):
            return await self._executed(order) or NotBought(f"{REFUSED}: {_reason_in(error)}")
        raise error

    async def _order(self, order_id: str) -> dict[str, Any] | None:
        try:
            answer = await self._requests.read(
                lambda: self._client.clobPrivateGetDataOrderId({"id": order_id})
            )
        except VenueUnreachable as error:
            if _status_of(error) == _NOT_FOUND:
                return None
            raise
        if answer is None or (isinstance(answer, str) and answer.strip() in {"", "null"}):
            return None
        known = mapping_of(answer, "order")
        if str(known.get("id", "")).lower() != order_id:
            what = f"asked for order {order_id}, got {str(known)[:80]}"
            raise AnswerUnreadable(what)
        return known

    async def _fate(
        self, order: Buy, order_id: str, known: Mapping[str, Any]
    ) -> Bought | NotBought | Waiting:
        matched = answers.micro_of(known.get("size_matched"), "size_matched")
        status = answers.status_of(known)
        # Words that nobody knows prove nothing, and a match has an amount.
        if status not in answers.OVER or (status == answers.MATCHED and not matched):
            return Waiting(status or "without a status")
        if not matched:
            return NotBought(NOT_FILLABLE)
        traded = await self._traded(order, order_id)
        if traded.listed_micro != matched:
            what = f"order {order_id}: its trades do not add up to {matched} micro-shares yet"
            raise AnswerUnreadable(what)
        return _outcome(traded)

    async def _matched(self, order: Buy, answer: Mapping[str, Any]) -> Bought | NotBought | Waiting:
        # What an accepted order bought, if all of its trades are listed already.
        traded = await self._traded(order, str(answer["orderID"]))
        taken_micro = answers.micro_of(answer.get("takingAmount") or 0, "takingAmount")
        if not taken_micro or traded.listed_micro != taken_micro:
            return Waiting(answers.status_of(answer) or "without a status")
        return _outcome(traded)

    async def _traded(self, order: Buy, order_id: str) -> _Traded:
        query = {"asset_id": order.token}
        trades = await pages.by_cursor(
            lambda cursor: self._listed(self._client.clobPrivateGetDataTrades, query, cursor),
            what="trades",
        )
        bought = answers.read_fills(trades, order_id, order.fee)
        return _Traded(bought, answers.read_failed(trades, order_id))

    async def _positions(self, query: dict[str, Any]) -> object:
        whole = query | {"limit": POSITIONS_MAX}
        return await self._requests.read(lambda: self._client.dataPublicGetPositions(whole))

    async def _listed(
        self, ask: Callable[[dict[str, Any]], Awaitable[object]], query: dict[str, Any], cursor: str
    ) -> object:
        whole = query | ({"next_cursor": cursor} if cursor else {})
        return await self._requests.read(lambda: ask(whole))

    async def _events(self, slugs: Sequence[str]) -> dict[str, dict[str, Any] | str]:
        # By slug: the event, or why there is none. What a batch leaves out is asked for alone.
        found: dict[str, dict[str, Any] | str] = {}
        for start in range(0, len(slugs), EVENTS_AT_ONCE):
            some = list(slugs[start : start + EVENTS_AT_ONCE])
            found |= await self._batch(some)
        missing = [slug for slug in slugs if slug not in found]
        alone = await asyncio.gather(*(self._event(slug) for slug in missing))
        return found | dict(zip(missing, alone, strict=True))

    async def _batch(self, slugs: list[str]) -> dict[str, dict[str, Any] | str]:
        query = {"slug": slugs, "limit": EVENTS_AT_ONCE}
        try:
            answer = await self._requests.read(lambda: self._client.gammaPublicGetEvents(query))
            rows = list_of(answer, "events")
        except VenueError as error:
            return dict.fromkeys(slugs, _failure(error))
        by_slug = {row.get("slug"): row for row in rows if isinstance(row, dict)}
        return {slug: by_slug[slug] for slug in slugs if slug in by_slug}

    async def _event(self, slug: str) -> dict[str, Any] | str:
        try:
            answer = await self._requests.read(
                lambda: self._client.gammaPublicGetEventsSlugSlug({"slug": slug})
            )
            return mapping_of(answer, "event")
        except VenueError as error:
            return _failure(error)

    async def _books(self, tokens: Sequence[str]) -> dict[str, dict[str, Any] | str]:
        query = [{"token_id": token} for token in tokens]
        try:
            answer = await self._requests.read(lambda: self._client.clobPublicPostBooks(query))
            rows = list_of(answer, "books")
        except VenueError as error:
            return dict.fromkeys(tokens, _failure(error))
        return {str(row.get("asset_id")): row for row in rows if isinstance(row, dict)}


def _outcome(traded: _Traded) -> Bought | NotBought:
    return traded.bought if traded.bought.shares_micro else NotBought(NOT_FILLABLE)


def _signature_type(client: Any) -> dict[str, Any]:  # noqa: ANN401 - ccxt carries no types
    # The balance is that of the kind of wallet that signs.
    kind = client.options.get("signatureType")
    return {} if kind is None else {"signature_type": kind}


def _terms(order: Buy) -> tuple[str, str, str, float, float]:
    return order.token, "limit", "buy", order.shares_micro / MICRO, order.price_micro / MICRO


def _parameters(order: Buy) -> dict[str, Any]:
    return {
        "orderType": "FAK",
        "salt": str(order.salt),
        "timestamp": str(order.timestamp_ms),
        "tickSize": f"{order.tick_micro / MICRO:g}",
        "negRisk": order.neg_risk,
    }


def _offer(event: dict[str, Any] | str, slug: str, side: Side) -> Offer:
    if isinstance(event, str):
        return Offer(slug=slug, side=side, failure=event)
    try:
        return answers.read_offer(event, slug, side)
    except AnswerUnreadable as error:
        return Offer(slug=slug, side=side, failure=_failure(error))


def _facts(event: dict[str, Any] | str, slug: str) -> WindowFacts | str:
    if isinstance(event, str):
        return event
    try:
        return answers.read_facts(event, slug)
    except AnswerUnreadable as error:
        return _failure(error)


def _with_book(offer: Offer, books: Mapping[str, dict[str, Any] | str]) -> Offer:
    if offer.failure:
        return offer
    book = books.get(offer.token, "the venue sent no book")
    if isinstance(book, str):
        return Offer(slug=offer.slug, side=offer.side, failure=book)
    try:
        return answers.with_book(offer, book)
    except AnswerUnreadable as error:
        return Offer(slug=offer.slug, side=offer.side, failure=_failure(error))


def _ruling(event: dict[str, Any] | str, slug: str) -> Ruling:
    if isinstance(event, str):
        return Ruling(slug=slug, failure=event)
    try:
        return answers.read_ruling(event, slug)
    except AnswerUnreadable as error:
        return Ruling(slug=slug, failure=_failure(error))


def _failure(error: VenueError) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _status_of(error: VenueError) -> str:
    match = _STATUS.search(str(error))
    return match["status"] if match else ""


def _reason_in(error: VenueError) -> str:
    return str(error).rpartition("{")[2].strip('"}').replace('error": "', "")[:160]
