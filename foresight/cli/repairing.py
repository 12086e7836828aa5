"""Bringing a record forward that is damaged, missing, or was put back.

Owns who does it: this program where nothing has to be decided again, otherwise the release that
wrote the newest line, in its own environment. The rule is in `state.recovery`, that of an etcd in
`state.etcd_repair`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from deploy.verification import ask
from foresight.cli.moments import now_ns
from foresight.cli.output import detail, progress
from foresight.cluster import configured_cluster
from foresight.errors import ConfigError
from foresight.overrides import gathered
from handoff.errors import ReleaseUnusable
from handoff.replay.journal import Unanswered
from handoff.replay.repair import Repaired, header_in, repaired_as
from handoff.shared_record import this_place
from state.archive import restore_state
from state.errors import RecordBehind, RecordDamaged, RecordMissing
from state.local_store import LocalStore, read_only_snapshot
from state.premises import narrow
from state.sighting import read_seen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from foresight.cli.installation import Installation
    from state.etcd.put_back import Kept
    from state.etcd_repair import Back, Repair
    from state.etcd_repair import Repaired as RepairedEtcd
    from state.record import Record


def repair(home: Path, app: str) -> Repaired:
    """Bring the record to where the journal's newest line has it; nothing else is changed.

    Raises:
        RecordMissing: There is neither a record nor a journal.
        RecordDamaged: The journal does not say what the record was.
        RecordForeign: It is another application's.
        ReleaseUnusable: The release that has to decide again could not.
    """
    header = counted_header(home)
    store = LocalStore(
        home / "state",
        app=app,
        timeline=header.timeline,
        now_ns=now_ns,
        force_filesystem=True,  # it is there already
    )
    try:
        return repaired_as(store.read())
    except RecordBehind as behind:
        answer = ask(home, behind.release, "repair", Repaired, detail=detail)
        if isinstance(answer, Unanswered):
            message = f"{behind}: {behind.release} could not: {answer.reason}"
            raise ReleaseUnusable(message) from behind
        return answer
    finally:
        store.close()


def repair_shared(installation: Installation, without: Sequence[str]) -> RepairedEtcd:
    """Say how far this host's journal goes; bring the etcd forward once every host has said it.

    The caller has made sure that nothing runs here, and keeps it so.

    Args:
        installation: What is configured.
        without: Names of hosts, or of their homes, that an operator gives up.

    Raises:
        RepairRefused: A host was not heard, or the repair is another one's to do.
        OutOfReach: The etcd does not answer.
        StateError: What lies there or here cannot be used.
    """
    return _repair(installation, without).run(secrets.token_hex(8))


def restore_shared(
    installation: Installation, without: Sequence[str], file: Path, *, force: bool
) -> RepairedEtcd:
    """Put an archive in the place of this home's journal, and bring the etcd to where it ends.

    The caller has made sure that nothing runs here, and keeps it so.

    Args:
        installation: What is configured.
        without: Names of hosts, or of their homes, that an operator gives up.
        file: The archive.
        force: Also replace what has gone further.

    Raises:
        RepairRefused: A host was not heard, or tells another history.
        StateNewer: What is there has gone further.
        StateError: What lies there or here, or in the archive, cannot be used.
    """
    from state.etcd_repair import Back

    home, app = installation.home, installation.config.engine.app
    _repair(installation, without).require_others_heard()
    above = 0
    with contextlib.suppress(RecordMissing, RecordDamaged):
        above = read_only_snapshot(home / "state").ownership.epoch
    _, kept = restore_state(home, file, app=app, force=force, now_ns=now_ns(), mirrored=True)
    narrow(home)
    if kept is not None:
        progress(f"what was there is in {kept}")
    repair = _repair(installation, without, back=Back(above=above, force=force))
    return repair.run(secrets.token_hex(8))


def _repair(installation: Installation, without: Sequence[str], back: Back | None = None) -> Repair:
    from state.etcd_repair import Repair

    variables, tree = gathered(os.environ), installation.repository
    cluster = configured_cluster(installation.config, variables, tree)
    assert cluster is not None, "it is asked for where there is one"
    return Repair(
        cluster,
        installation.home,
        app=installation.config.engine.app,
        place=this_place(),
        now_ns=now_ns,
        without=without,
        by=installation.asker(),
        back=back,
    )


def journals_elsewhere(installation: Installation) -> tuple[Kept, ...]:
    """Return which other homes keep a journal of the record in an etcd, as they said last.

    Raises:
        ConfigError: There is no etcd, or it cannot be used.
        OutOfReach: It does not answer.
    """
    from state.etcd_store import EtcdStore

    variables, tree = gathered(os.environ), installation.repository
    cluster = configured_cluster(installation.config, variables, tree)
    if cluster is None:
        what = "--all-hosts asks the hosts of an etcd, and [engine] state names none"
        raise ConfigError(what, "leave it out: this home has the whole journal")
    app = installation.config.engine.app
    store = EtcdStore(cluster, app=app, timeline=None, now_ns=now_ns)
    try:
        seen = read_seen(installation.home / "state")
        return tuple(each for each in store.journals() if seen is None or each.home != seen.home)
    finally:
        store.close()


def words_of(found: RepairedEtcd) -> list[str]:
    """Return what came of the repair of an etcd, in words."""
    where = f"cycle {found.cycle} {found.phase}, epoch {found.epoch}"
    if found.kept:
        return [
            f"this home's journal is in {found.kept}",
            f"it follows the etcd anew, from {where} on",
        ]
    if not found.was_older:
        return [f"the record is at {where}; the etcd knows all that is known here"]
    return [
        f"{found.carried} lines were written back; the record is at {where}, and nobody owns it",
        "the launchers of all hosts may be started",
    ]


def counted_header(home: Path) -> Record:
    """Return the record, or where that cannot be read what the newest line says of it.

    Raises:
        RecordMissing: There is neither.
        RecordDamaged: The record is damaged, and there is no line.
    """
    try:
        return read_only_snapshot(home / "state")
    except (RecordMissing, RecordDamaged) as fault:
        try:
            return header_in(home)
        except RecordMissing:
            raise fault from None


def owning_release(home: Path) -> str:
    """Return the release that owns, by the record or the newest line; empty if none ever did."""
    found: list[Record] = []
    with contextlib.suppress(RecordMissing, RecordDamaged):
        found.append(read_only_snapshot(home / "state"))
    with contextlib.suppress(RecordMissing):
        found.append(header_in(home))
    # A record that was put back is behind the journal, one whose journal lost lines before it.
    newest = max(found, key=lambda each: each.ownership.epoch, default=None)
    return newest.ownership.release if newest is not None else ""


def repair_for_start(home: Path, app: str) -> None:
    """Bring the record forward before workers are started; say so if that cannot be done.

    A release of an older engine does not know this question: its worker mends what it can.
    """
    try:
        repair(home, app)
    except RecordMissing:
        return
    except ReleaseUnusable as error:
        progress(f"the record is not brought forward yet: {error}")
