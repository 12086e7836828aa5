"""One deploy: what it brought, what its gates said, how it ended.

Owns the choice of what is shown and the words for it. Everything comes from the history of deploys
and from the trees of releases that are still kept; no file enters here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.history import Entry
from foresight.dashboard.deploys import short_name, took_over
from foresight.dashboard.hues import hue_of
from foresight.dashboard.opened.settings_changes import (
    SettingChange,
    SettingsUnreadable,
    changes_between,
)
from handoff.gate_verdict import GateName, GateVerdict

OUTPUT_LINES_MAX: Final = 200  # the end of what a release printed


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployStory:
    """One deploy.

    Attributes:
        entry: As it was written down.
        name: Short name of the release.
        before: Short name of the release that owned; empty where nobody did.
        hue: Of its colour, degrees.
        is_under_way: It has not ended yet.
        took_over: Its release came to own.
        changes: Keys of the configuration that differ.
        unchanged: What is said where there are none, or where that cannot be known.
        schema: What it does to the stored book, in a sentence.
        gates: What each gate said, in the order in which they were asked.
        output: The end of what the candidate printed.
    """

    entry: Entry
    name: str
    before: str
    hue: int
    is_under_way: bool
    took_over: bool
    changes: tuple[SettingChange, ...]
    unchanged: str
    schema: str
    gates: tuple[GateVerdict, ...]
    output: tuple[str, ...]


def found(deploy: str, deploys: Sequence[Entry], current: Entry | None) -> Entry | None:
    """Return a deploy by its id, or None: the one under way, else the newest that is called so."""
    known = [*deploys, *([current] if current is not None else [])]
    return next((each for each in reversed(known) if each.deploy == deploy), None)


def story_of(
    entry: Entry,
    *,
    before: str | None,
    after: str | None,
    before_name: str,
    output: Iterable[str],
) -> DeployStory:
    """Return what is shown of a deploy.

    Args:
        entry: As it was written down.
        before: Configuration of the release that owned; None where its tree is not kept.
        after: Configuration of its own release, likewise.
        before_name: Short name of the release that owned.
        output: Lines that the candidate printed.
    """
    changes, unchanged = _changes(entry, before, after)
    return DeployStory(
        entry=entry,
        name=short_name(entry.release, entry.commit) or entry.ref,
        before=before_name,
        hue=hue_of(entry.release),
        is_under_way=not entry.outcome,
        took_over=took_over(entry),
        changes=changes,
        unchanged=unchanged,
        schema=_schema(entry.gates),
        gates=tuple(entry.gates),
        output=tuple(output)[-OUTPUT_LINES_MAX:],
    )


def _changes(
    entry: Entry, before: str | None, after: str | None
) -> tuple[tuple[SettingChange, ...], str]:
    if not entry.from_release:
        return (), "There was no release before it to compare with."
    if entry.release == entry.from_release:
        return (), "It is the release that ran already."
    if before is None or after is None:
        which = entry.from_release if before is None else entry.release or entry.ref
        return (), f"Not known: the tree of {which} is not kept."
    try:
        changes = changes_between(before, after)
    except SettingsUnreadable as error:
        return (), f"Not known: a configuration cannot be read: {error}."
    return changes, "" if changes else "Nothing: both say the same."


def _schema(gates: Iterable[GateVerdict]) -> str:
    said = next((gate for gate in gates if gate.name == GateName.SCHEMA), None)
    if said is None:
        return "Its gate was not asked: the deploy ended before."
    if not said.allows:
        return f"It was refused: {said.reason}."
    words = said.words
    is_same = words.startswith("version ") and " " not in words.removeprefix("version ")
    return f"Unchanged: {words}." if is_same else f"{words[:1].upper()}{words[1:]}."
