"""The end of a bake before its time: which one is meant goes in, the changed record comes out.

Owns what has to be named, and the words of a refusal. The next clean cycle makes the release
permanent, and nobody else: while inputs fail, none is clean. Nothing has to be running for it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from handoff.account import asker
from handoff.commands.control import write
from handoff.commands.kept_releases import LETTERS_MIN
from handoff.errors import HandoffError, ReleaseUnusable
from handoff.release_files import read_manifest
from handoff.worker.glance import baseline, is_lacking, newest_evidence
from handoff.worker.settings import settings_of
from state import transitions
from state.errors import Refusal, Refused
from state.heard import newest_heard
from state.local_store import read_only_snapshot
from state.store import Note

if TYPE_CHECKING:
    from pathlib import Path

    from state.record import Record

NOTHING_MEANT = -1  # of an epoch: there is none below 0


class NotBaking(HandoffError):
    """No release is in its first cycles."""

    hint = "`status` shows how it stands"

    def __init__(self) -> None:
        """Say that nothing was changed."""
        super().__init__("no release bakes: there is nothing to promote")


class OtherBake(HandoffError):
    """Another bake is under way than the one that was named."""

    hint = "look again what bakes, then name that"

    def __init__(self, detail: str) -> None:
        """Keep which was meant and which was found."""
        super().__init__(f"nothing was promoted: {detail}")


class Meant(NamedTuple):
    """The bake that somebody means; what is left out is whatever the record says.

    Attributes:
        deploy: Its deploy.
        release: Its release: the name, or the beginning of the name or of its commit.
        epoch: The epoch in which it owns.
    """

    deploy: str = ""
    release: str = ""
    epoch: int = NOTHING_MEANT


def promote(home: Path, meant: Meant, *, by: str = "") -> Record:
    """Let the next clean cycle be the last of a bake; return the record as it is then.

    Args:
        home: The state directory.
        meant: Which bake.
        by: Who asks, for the journal; empty for the account of this process.

    Raises:
        NotBaking: None is under way.
        OtherBake: Another one is, or was by the time of the write.
        StateError: There is no record, or it cannot be used.
    """
    found = read_only_snapshot(home / "state")
    if found.rollout is None:
        raise NotBaking
    held = found.ownership
    named = Meant(
        deploy=meant.deploy or found.rollout.deploy_id,
        release=_whole(home, held.release, meant.release),
        epoch=held.epoch if meant.epoch == NOTHING_MEANT else meant.epoch,
    )
    change = partial(transitions.promote, **named._asdict(), attempt=secrets.token_hex(8))
    evidence: dict[str, str | int | float] = {"by": by or asker(), "promoted": named.deploy}
    evidence |= {"release": named.release, "clean_cycles": found.rollout.clean_cycles}
    try:
        write(home, change, Note(kind="command", evidence=evidence))
    except Refused as refused:
        if refused.refusal is Refusal.NOT_BAKING:
            raise NotBaking from refused
        raise OtherBake(refused.detail) from refused
    return read_only_snapshot(home / "state")


def _whole(home: Path, baking: str, named: str) -> str:
    """Return the whole name of the baking release if it is the one that is named."""
    if not named:
        return baking
    names = [baking, baking.partition("-")[2]]
    with contextlib.suppress(ReleaseUnusable):  # known by its name alone
        names.append(read_manifest(home, baking).commit)
    is_meant = len(named) >= LETTERS_MIN and any(each.startswith(named) for each in names)
    return baking if is_meant else named


def lacks_inputs(home: Path, record: Record) -> bool:
    """Tell whether a release that bakes gets too little of the world to have a clean cycle."""
    previous, release = record.ownership.previous, record.ownership.release
    if record.rollout is None or previous is None:
        return False
    line = newest_evidence(newest_heard(home / "journal"), release)
    if line is None:
        return False
    usual = baseline(newest_heard(home / "journal"), previous.release)
    return is_lacking(line, usual, settings_of(os.environ).health_drop)


def words_of(record: Record, *, lacks: bool) -> str:
    """Return what a promotion leads to, as one sentence.

    Args:
        record: The record after it.
        lacks: Its inputs fail.
    """
    release = record.ownership.release
    if record.rollout is None:
        return f"{release} is permanent"
    if lacks:
        return f"its inputs fail, so {release} is not made permanent before a cycle is clean"
    return f"the next clean cycle makes {release} permanent; until then the way back stays"
