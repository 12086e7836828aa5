"""What the page answers where something is opened from it: views, and the data of charts.

Owns their addresses, what of the newest snapshot each is made of, and the words where there is no
such thing. Whether somebody may see them is `page`'s matter: all of them are for whoever has the
token. Each is made when it is asked for, shows one moment, and says which.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web
from markupsafe import Markup

from deploy.history import never_owned
from foresight.dashboard import shell
from foresight.dashboard.deploys import short_name
from foresight.dashboard.equity import curve_of, equity_of, marks_in, within
from foresight.dashboard.equity_markup import equity_words
from foresight.dashboard.figures_markup import signed
from foresight.dashboard.instant_markup import dated, moment
from foresight.dashboard.money_markup import VENUES
from foresight.dashboard.opened.deploy_story import found, story_of
from foresight.dashboard.opened.kept_settings import settings_of
from foresight.dashboard.opened.log_tails import secrets_of, shortened, tails
from foresight.dashboard.opened.secrets_hidden import hidden
from foresight.dashboard.opened.slot_history import Clock, SlotHistory, slot_history
from foresight.dashboard.opened.takings import takings_of
from foresight.dashboard.slots import known_slots
from foresight.dashboard.slots_markup import SIDES, price_text
from foresight.dashboard.span import LABELS, Span, SpanUnknown, span_of
from foresight.door.host_names import host_named
from handoff.commands.kept_releases import kept_releases
from handoff.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from foresight.dashboard.neighbours import Neighbours
    from foresight.dashboard.reader import Reader
    from foresight.dashboard.snapshot import Snapshot

ADDRESSES: Final = frozenset({"slots", "deploys", "trades", "logs", "releases", "charts"})
NOWHERE: Final = "There is nothing at this address."
DEPLOYS_MAX: Final = 100  # listed, the newest
STATES: Final[Mapping[str, str]] = {
    "won": "✓ won",
    "lost": "✗ lost",
    "void": "○ void",
    "open": "· open",
    "waiting": "… waits for the venue",
    "ordered": "» ordered",
}


def is_opened(path: str) -> bool:
    """Tell whether an address is one of these."""
    return path.strip("/").partition("/")[0] in ADDRESSES


class Views:
    """The views of one home.

    Args:
        home: The state directory.
        reader: Where the newest snapshot comes from.
        neighbours: The other bots of this user.
        digest: What tells the page's files from those of another version.
    """

    def __init__(self, home: Path, reader: Reader, neighbours: Neighbours, digest: str) -> None:
        """Read the templates."""
        self._home = home
        self._reader = reader
        self._neighbours = neighbours
        self._digest = digest
        self._templates = shell.templates()
        self._templates.filters.update(
            moment=lambda ms: Markup(moment(ms)),  # noqa: S704 - made of a number alone
            dated=lambda ms: Markup(dated(ms)),  # noqa: S704 - as above
            signed=signed,
            price=price_text,
            counted=counted,
        )

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the addresses."""
        router.add_get("/slots/{slot}", self._slot)
        router.add_get("/deploys", self._deploys)
        router.add_get("/deploys/{deploy}", self._deploy)
        router.add_get("/trades", self._trades)
        router.add_get("/logs", self._logs)
        router.add_get("/releases", self._releases)
        router.add_get("/charts/equity", self._equity_chart)
        router.add_get("/charts/slots/{slot}", self._slot_chart)

    def problem(self, request: web.Request, status: int, text: str) -> web.Response:
        """Return a page that says why there is no other, with the way back."""
        if text.startswith(str(status)):
            text = NOWHERE  # what a server says by itself is no sentence
        html = self._templates.get_template("problem.html").render(
            root=_root(request), digest=self._digest, text=text, status=status
        )
        return web.Response(text=html, status=status, content_type="text/html", charset="utf-8")

    # --- views -----------------------------------------------------------------------

    async def _slot(self, request: web.Request) -> web.Response:
        def answer(snapshot: Snapshot, span: Span) -> dict[str, Any]:
            speed = snapshot.record.timeline.speed if snapshot.record is not None else 1
            return {"history": self._history(request, snapshot, span), "speed": speed}

        return await self._shown(request, "slot.html", answer)

    async def _deploys(self, request: web.Request) -> web.Response:
        def answer(snapshot: Snapshot, span: Span) -> dict[str, Any]:
            inside = [
                each
                for each in reversed(snapshot.deploys)
                if span.holds(each.boundary_ms or each.requested_ms)
            ]
            return {"deploys": inside[:DEPLOYS_MAX], "more": len(inside) - DEPLOYS_MAX}

        return await self._shown(request, "deploys.html", answer)

    async def _deploy(self, request: web.Request) -> web.Response:
        def answer(snapshot: Snapshot, _span: Span) -> dict[str, Any]:
            asked = request.match_info["deploy"]
            entry = found(asked, snapshot.deploys, snapshot.current)
            if entry is None:
                raise web.HTTPNotFound(text=f"No deploy is called {asked[:40]!r}.")
            known = secrets_of(self._home)
            printed = [*entry.output.splitlines()]
            if not entry.outcome:
                # In its bake it owns: then its log is the owner's.
                logs = tails(self._home, snapshot.children, _owner_pid(snapshot))
                mine = [tail for tail in logs if tail.release == entry.release]
                printed = [line for tail in mine for line in tail.lines]
            story = story_of(
                entry,
                before=settings_of(self._home, entry.from_release),
                after=settings_of(self._home, entry.release),
                before_name=_name(snapshot, entry.from_release),
                output=[shortened(hidden(line, known)) for line in printed],
            )
            return {"story": story}

        return await self._shown(request, "deploy.html", answer)

    async def _trades(self, request: web.Request) -> web.Response:
        def answer(snapshot: Snapshot, span: Span) -> dict[str, Any]:
            book, record = snapshot.book, snapshot.record
            if book is None or record is None:
                return {"takings": None, "words": ""}
            curve = within(curve_of(book, record.timeline), span.holds)
            takings = takings_of(
                book,
                record.timeline,
                names=_names(snapshot),
                subjects={release: each.subject for release, each in snapshot.names.items()},
                is_in=span.holds,
            )
            words = Markup(equity_words(equity_of(curve, snapshot.deploys)))  # noqa: S704 - made of numbers alone
            return {"takings": takings, "words": words if curve.at_ms else ""}

        return await self._shown(request, "trades.html", answer)

    async def _logs(self, request: web.Request) -> web.Response:
        def answer(snapshot: Snapshot, _span: Span) -> dict[str, Any]:
            return {"tails": tails(self._home, snapshot.children, _owner_pid(snapshot))}

        return await self._shown(request, "logs.html", answer)

    async def _releases(self, request: web.Request) -> web.Response:
        def answer(snapshot: Snapshot, _span: Span) -> dict[str, Any]:
            kept = kept_releases(self._home, snapshot.record)
            refused = {
                each.manifest.release
                for each in kept
                if never_owned(snapshot.deploys, each.manifest.release)
            }
            return {"kept": kept, "refused": refused}

        return await self._shown(request, "releases.html", answer)

    # --- charts ----------------------------------------------------------------------

    async def _equity_chart(self, request: web.Request) -> web.Response:
        snapshot, span = self._now(request)
        book, record = snapshot.book, snapshot.record
        if book is None or record is None:
            return _plotted({"at": [], "usdc": [], "best": [], "marks": []})
        curve = within(curve_of(book, record.timeline), span.holds)
        return _plotted(
            {
                "at": curve.at_ms,
                "usdc": curve.usdc,
                "best": curve.best,
                "marks": marks_in(curve, snapshot.deploys),
            }
        )

    async def _slot_chart(self, request: web.Request) -> web.Response:
        snapshot, span = self._now(request)
        history = self._history(request, snapshot, span)
        return _plotted(
            {
                "at": history.at_ms,
                "prices": history.prices,
                "reference": history.card.reference,
                "window_ms": history.window_ms,
                "window_from_ms": history.window_from_ms,
                "bets": history.bets,
            }
        )

    # --- what they are made of -------------------------------------------------------

    def _now(self, request: web.Request) -> tuple[Snapshot, Span]:
        self._reader.view()
        try:
            return self._reader.snapshot, span_of(request.query, self._reader.now_ms())
        except SpanUnknown as error:
            raise web.HTTPBadRequest(text=f"There is no such range: {error}.") from error

    def _history(self, request: web.Request, snapshot: Snapshot, span: Span) -> SlotHistory:
        asked, record = request.match_info["slot"], snapshot.record
        history = None
        if snapshot.book is not None and record is not None:
            clock = Clock(
                timeline=record.timeline,
                cadence=record.cadence,
                now_ms=self._reader.now_ms(),
                names=_names(snapshot),
            )
            history = slot_history(snapshot.book, asked, clock, span.holds)
        if history is None:
            raise web.HTTPNotFound(text=f"No slot of this board is called {asked[:40]!r}.")
        return history

    async def _shown(
        self,
        request: web.Request,
        template: str,
        answer: Callable[[Snapshot, Span], dict[str, Any]],
    ) -> web.Response:
        snapshot, span = self._now(request)
        # Logs, trees and releases are read from a disk that may be slow.
        facts = await asyncio.to_thread(answer, snapshot, span)
        book = snapshot.book
        html = self._templates.get_template(template).render(
            facts,
            root=_root(request),
            digest=self._digest,
            span=span,
            labels=LABELS,
            here=request.path.rpartition("/")[2],
            app=snapshot.record.app if snapshot.record else "",
            now_ms=self._reader.now_ms(),
            slots=[slot.slot_id for slot in known_slots(book)] if book else [],
            names=_names(snapshot),
            venues=VENUES,
            sides=SIDES,
            states=STATES,
            host=_host(request),
            neighbours=await self._neighbours.wait_fresh(),
        )
        response = web.Response(text=html, content_type="text/html", charset="utf-8")
        response.enable_compression()
        return response


def _root(request: web.Request) -> str:
    """Return the way to the page itself: every address is relative, for proxies with a prefix."""
    return "../" * (request.path.count("/") - 1)


def _host(request: web.Request) -> str:
    """Return the host name that the browser used, without its port, as an address has it."""
    name = host_named(request.host)
    return f"[{name}]" if ":" in name else name


def _names(snapshot: Snapshot) -> dict[str, str]:
    return {release: short_name(release, known.commit) for release, known in snapshot.names.items()}


def _owner_pid(snapshot: Snapshot) -> int:
    owner = snapshot.record.ownership.owner if snapshot.record else None
    return owner.pid if owner is not None else 0


def _name(snapshot: Snapshot, release: str) -> str:
    return _names(snapshot).get(release, short_name(release, ""))


def _plotted(data: Mapping[str, object]) -> web.Response:
    response = web.Response(body=msgspec.json.encode(data), content_type="application/json")
    response.enable_compression()
    return response
