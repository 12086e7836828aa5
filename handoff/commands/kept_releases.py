"""Releases that a home keeps, and which of them somebody means.

Owns the look into `releases/`, and the way from what a person types to one of them: a release's
whole name, or the beginning of it or of its commit, as pages and lists show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handoff.errors import ReleaseUnusable
from handoff.release_files import Manifest, read_manifest
from state.heard import counting, newest_heard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from state.record import Record

LETTERS_MIN: Final = 4  # of a beginning: as many as git asks for
SHOWN_MAX: Final = 5


class ReleaseUnnamed(ReleaseUnusable):
    """What was named is no kept release, or more than one."""

    hint = "`releases` lists what is kept"


class Kept(NamedTuple):
    """A release that is kept.

    Attributes:
        manifest: What it is.
        made_s: When it was made or used last, seconds since 1970.
        part: `owner`, `way back`, or empty.
    """

    manifest: Manifest
    made_s: float
    part: str


def kept_releases(home: Path, record: Record | None) -> list[Kept]:
    """Return the whole releases of a home, the newest first.

    Args:
        home: The state directory.
        record: Says which of them owns, and which is the way back; None for neither.
    """
    found: list[Kept] = []
    places = [path for path in (home / "releases").glob("*") if path.is_dir()]
    for path in sorted(places, key=lambda each: each.stat().st_mtime_ns, reverse=True):
        try:
            manifest = read_manifest(home, path.name)
        except ReleaseUnusable:
            continue  # half made, or not ours
        found.append(Kept(manifest, path.stat().st_mtime, _part(record, manifest.release)))
    return found


def _part(record: Record | None, release: str) -> str:
    if record is None:
        return ""
    held = record.ownership
    if held.release == release:
        return "owner"
    return "way back" if held.previous is not None and held.previous.release == release else ""


def named(kept: Sequence[Manifest], text: str) -> Manifest:
    """Return the kept release that somebody means.

    Args:
        kept: All that are kept.
        text: Its name, or the beginning of its name or of its commit; empty where nobody names
            one and none decided before.

    Raises:
        ReleaseUnnamed: None of them is meant, or several are.
    """
    if not text:
        message = "no other release decided here before: there is none to go back to"
        raise ReleaseUnnamed(message)
    exact = [each for each in kept if each.release == text]
    if exact:
        return exact[0]
    near = [each for each in kept if _begins(each, text)]
    if len(near) == 1 and len(text) >= LETTERS_MIN:
        return near[0]
    if not near:
        message = f"no kept release is {text!r}"
        raise ReleaseUnnamed(message)
    names = ", ".join(each.release for each in near[:SHOWN_MAX])
    message = f"{text!r} may mean {names}"
    raise ReleaseUnnamed(message)


def _begins(manifest: Manifest, text: str) -> bool:
    own = (manifest.release, manifest.release.partition("-")[2], manifest.commit)
    return any(each.startswith(text) for each in own if each)


def release_before(home: Path, record: Record) -> str:
    """Return the release that owned before the one that owns, or an empty string.

    In a bake it is the way back; otherwise the journal tells who decided before.
    """
    if record.ownership.previous is not None:
        return record.ownership.previous.release
    now = record.ownership.release
    for line in counting(newest_heard(home / "journal")):
        if line.kind == "decide" and line.release not in ("", now):
            return line.release
    return ""
