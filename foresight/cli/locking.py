"""`locks`, `lock` and `unlock`: what buys nothing for a while, and the operator's word on it.

Owns these three commands. A word is written into the record, so it survives restarts and deploys,
and nothing has to be running for it; the owner hears it in its next cycle.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

import click
import msgspec

from foresight.book import SCHEMA, Book
from foresight.cli.controlling import note_option
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.moments import now_ns
from foresight.cli.output import emit_json, emit_table, json_option, progress
from foresight.config import nearest
from foresight.errors import ConfigError
from foresight.locks import ALL, Lock, lock_word, locks_of, replaced_by, unlock_word
from handoff.cadence import wall_time_ns
from handoff.exit_codes import ExitCode
from handoff.limits import MS, NS
from handoff.plain_text import storable
from state import transitions
from state.moments import rfc3339
from state.store import Note

if TYPE_CHECKING:
    from state.record import Record, Timeline


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A lock as it is listed: times are wall-clock milliseconds, None where there is none."""

    scope: str
    reason: str
    since_ms: int | None
    until_ms: int | None


@click.command()
@json_option
@pass_installation
def locks(installation: Installation, *, as_json: bool) -> int:
    """List what is locked, by whom, and until when."""
    found = shown_of(installation.record())
    if not found:
        progress("nothing is locked")
    if as_json:
        for one in found:
            emit_json(msgspec.to_builtins(one))
        return ExitCode.DONE
    rows = ((one.scope, one.reason, _moment(one.since_ms), _until(one)) for one in found)
    emit_table(("locked", "by", "since", "until"), rows)
    return ExitCode.DONE


@click.command()
@click.argument("asset")
@note_option
@pass_installation
def lock(installation: Installation, *, asset: str, note: str) -> int:
    """Buy nothing of ASSET until it is unlocked; what is held runs to its end."""
    installation.home_in_need()
    named = _asset(installation, asset)
    _say(installation, lock_word(named), note)
    progress(f"{named} is locked from the next cycle on")
    return ExitCode.DONE


@click.command()
@click.argument("asset", required=False)
@note_option
@pass_installation
def unlock(installation: Installation, *, asset: str | None, note: str) -> int:
    """End the locks of ASSET, those of guards included; without ASSET, all there are."""
    named = ALL if asset is None else _asset(installation, asset)
    _say(installation, unlock_word(named), note)
    what = "everything" if named == ALL else named
    progress(f"{what} is unlocked from the next cycle on")
    return ExitCode.DONE


def shown_of(record: Record) -> tuple[Shown, ...]:
    """Return the locks of a record, the widest first."""
    book: Book = SCHEMA.decode(record.body, record.schema)
    found = locks_of(book, record.control.marks, timeline=record.timeline)
    return tuple(_shown(one, record.timeline) for one in found)


def _shown(one: Lock, timeline: Timeline) -> Shown:
    def wall_ms(app_s: int) -> int | None:
        return wall_time_ns(timeline, app_s * NS) // MS if app_s else None

    return Shown(
        scope=one.scope,
        reason=one.reason,
        since_ms=wall_ms(one.since_s),
        until_ms=wall_ms(one.until_s),
    )


def _until(one: Shown) -> str:
    return "unlocked" if one.until_ms is None else _moment(one.until_ms)


def _moment(at_ms: int | None) -> str:
    return "" if at_ms is None else rfc3339(at_ms * MS)


def _asset(installation: Installation, named: str) -> str:
    """Return an asset of the board by its name in any case.

    Raises:
        ConfigError: There is none of that name.
    """
    record = installation.record()
    book: Book = SCHEMA.decode(record.body, record.schema)
    known = {*_assets(installation), *book.closes}
    if named.upper() not in known:
        what = f"no asset on the board is called {named!r}"
        raise ConfigError(what, nearest(named.upper(), known))
    return named.upper()


def _assets(installation: Installation) -> tuple[str, ...]:
    with contextlib.suppress(ConfigError):  # what is traded by another file can be locked
        return installation.config.board.assets
    return ()


def _say(installation: Installation, word: str, note: str) -> None:
    at_ns, attempt = now_ns(), secrets.token_hex(8)

    def change(known: Record) -> Record:
        gone = replaced_by(word, known.control.marks)
        return transitions.mark(known, word, at_ns=at_ns, attempt=attempt, instead_of=gone)

    evidence: dict[str, str | int | float] = {
        "by": installation.asker(),
        "note": storable(note),
        "word": word,
    }
    installation.write(change, Note(kind="command", evidence=evidence))
