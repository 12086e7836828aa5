"""`state`: look at the record, prove it, repair it, keep and bring back copies, plan a migration.

Owns these commands. Nothing here changes a record that is in use: `restore` writes only while
nothing runs, `repair` only what every worker would write too.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from deploy.verification import ask, knowledge_of
from foresight.cli import repairing
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.moments import now_ns
from foresight.cli.output import (
    complain,
    detail,
    emit_json,
    emit_text,
    json_option,
    progress,
)
from handoff.commands import proof
from handoff.commands.standing import bake_words
from handoff.errors import AnotherInCharge, ReleaseUnusable
from handoff.exit_codes import ExitCode
from handoff.launcher.locks import take_home
from handoff.liveness import Verdict
from handoff.plain import note_restored, prepare_home
from handoff.replay.journal import Unanswered
from handoff.replay.verify import Verified
from handoff.worker.hosts import hosts_of
from state.archive import StateNewer, export_state, restore_state
from state.errors import RecordDamaged, RecordMissing, StateUnusable
from state.etcd.put_back import RepairRefused
from state.journal_reader import segments
from state.local_store import read_only_generation
from state.mirror import record_path
from state.premises import narrow
from state.record import Record, header_of
from state.record_file import PREVIOUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handoff.replay.verify import Knowledge
    from state.commit import Generation
    from state.etcd.put_back import Row
    from state.etcd_repair import Repaired


without_option = click.option(
    "--without",
    multiple=True,
    metavar="HOST",
    help="My word: this host, or home, is lost for good, and what only it has done is given up.",
)


@click.group()
def state() -> None:
    """Look at the state, prove it, back it up, bring it back."""


@state.command()
@click.option("--body", "with_body", is_flag=True, help="Also the application's own part.")
@json_option
@pass_installation
def show(installation: Installation, *, with_body: bool, as_json: bool) -> int:
    """Show the record's header, and how large everything is."""
    home = installation.home
    found = read_only_generation(home / "state")
    summary = summary_of(home, found, with_body=with_body)
    if as_json:
        emit_json(summary)
        return ExitCode.DONE
    for line in lines_of(summary):
        emit_text(line)
    if with_body:
        emit_text(msgspec.json.format(bytes(found.record.body)).decode())
    return ExitCode.DONE


@state.command()
@click.option("--since", type=int, default=None, help="First cycle to decide again.")
@json_option
@pass_installation
def verify(installation: Installation, *, since: int | None, as_json: bool) -> int:
    """Prove the state: digests, chain, cycles, and every recorded decision once more."""
    home = installation.home

    def answered(release: str, told: bytes) -> Verified | Unanswered:
        return ask(home, release, "verify", Verified, told=told, detail=detail)

    found = proof.prove(home, since, ask=answered, progress=progress)
    if as_json:
        emit_json(proof.as_json(found))
    else:
        for line in proof.lines_of(found):
            emit_text(line)
    for fault in found.faults:
        complain(fault)
    return ExitCode.FAILED if found.faults else ExitCode.DONE


@state.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@pass_installation
def export(installation: Installation, *, file: Path, as_json: bool) -> int:
    """Write record and journal of this moment into FILE; the bot may go on."""
    contents = export_state(installation.home, file, now_ns=now_ns())
    if as_json:
        emit_json(contents)
    else:
        where = f"cycle {contents.cycle} {contents.phase.value}, epoch {contents.epoch}"
        emit_text(f"{file}: {where}, {file.stat().st_size} bytes")
    return ExitCode.DONE


@state.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--force", is_flag=True, help="Also replace what has gone further.")
@without_option
@json_option
@pass_installation
def restore(
    installation: Installation, *, file: Path, force: bool, without: tuple[str, ...], as_json: bool
) -> int:
    """Bring back what `export` wrote; what is replaced is kept. Nothing may run.

    Beside an etcd, on no host: first `repair` on each of the others, then this on one.
    """
    home, app = installation.home, installation.engine.app
    prepare_home(home, trusted_group=installation.engine.trusted_group)
    if installation.engine.state:
        asked = partial(repairing.restore_shared, installation, without, file, force=force)
        return _repair_shared(installation, asked, as_json=as_json)
    _refuse_without(without)
    with nothing_running(home):
        try:
            contents, kept = restore_state(home, file, app=app, force=force, now_ns=now_ns())
        except StateNewer as error:
            complain(str(error), error.hint)
            return ExitCode.REFUSED
        note_restored(home)
        narrow(home)
    if as_json:
        emit_json({"restored": contents, "kept": str(kept) if kept else None})
        return ExitCode.DONE
    emit_text(f"restored cycle {contents.cycle} {contents.phase.value}, epoch {contents.epoch}")
    if kept is not None:
        progress(f"what was there is in {kept}")
    return ExitCode.DONE


@state.command()
@without_option
@json_option
@pass_installation
def repair(installation: Installation, *, without: tuple[str, ...], as_json: bool) -> int:
    """Bring a damaged, missing or older record to where the journal's newest line has it.

    Beside an etcd that was put back it is run on every host, with nothing running on any.
    """
    if installation.engine.state:
        prepare_home(installation.home, trusted_group=installation.engine.trusted_group)
        asked = partial(repairing.repair_shared, installation, without)
        return _repair_shared(installation, asked, as_json=as_json)
    _refuse_without(without)
    found = repairing.repair(installation.home, installation.engine.app)
    if as_json:
        emit_json(found)
    else:
        emit_text(f"the record is at cycle {found.cycle} {found.phase}, digest {found.digest[:16]}")
    return ExitCode.DONE


def _refuse_without(without: tuple[str, ...]) -> None:
    if without:
        what = "--without names a host of an etcd, and this record is in its home"
        raise click.UsageError(what)


def _repair_shared(
    installation: Installation, asked: Callable[[], Repaired], *, as_json: bool
) -> int:
    with nothing_running(installation.home, shared=True):
        try:
            found = asked()
        except StateNewer as error:
            complain(str(error), error.hint)
            return ExitCode.REFUSED
        except RepairRefused as error:
            _say_hosts(error.rows, as_json=as_json, reason=str(error))
            complain(str(error), error.hint)
            return ExitCode.REFUSED
    if as_json:
        emit_json(found)
        return ExitCode.DONE
    _say_hosts(found.hosts, as_json=False)
    for words in repairing.words_of(found):
        emit_text(words)
    return ExitCode.DONE


def _say_hosts(rows: tuple[Row, ...], *, as_json: bool, reason: str = "") -> None:
    if as_json:
        emit_json({"was_older": True, "reason": reason, "hosts": msgspec.to_builtins(rows)})
        return
    for row in rows:
        emit_text(row.words())


@state.command()
@click.argument("release", default="")
@click.option("--plan", is_flag=True, required=True, help="Only say what would happen.")
@json_option
@pass_installation
def migrate(installation: Installation, *, release: str, plan: bool, as_json: bool) -> int:
    """Show which schema steps RELEASE would run; the release that takes over runs them."""
    assert plan, "migrating is a part of taking over"
    record = installation.record()
    release = release or _owning(record)
    known = knowledge_of(installation.home, release, detail=detail)
    if isinstance(known, Unanswered):
        raise ReleaseUnusable(known.reason)
    steps = steps_of(record, known)
    if as_json:
        emit_json({"release": release, **steps})
    else:
        stored, knows = steps["stored"], steps["known"]
        emit_text(f"{known.body.name}: stored version {stored}, {release} knows {knows}")
        for line in steps["up"] + steps["down"] or ["nothing to do"]:
            emit_text(line)
    for fault in steps["faults"]:
        complain(fault)
    return ExitCode.REFUSED if steps["faults"] else ExitCode.DONE


def summary_of(home: Path, found: Generation, *, with_body: bool) -> dict[str, Any]:
    """Return what `show` prints as JSON builtins."""
    record = found.record
    header: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(header_of(record)))
    journal = segments(home / "journal")
    header.pop("unknown_fields", None)
    header["body"] = msgspec.json.decode(record.body) if with_body else None
    return {
        "home": str(home),
        "digest": found.digest,
        "bytes": {
            "record": record_path(home / "state").stat().st_size,
            "body": len(bytes(record.body)),
            "fallback": len(bytes(record.fallback.body)) if record.fallback else 0,
            "journal": sum(path.stat().st_size for path in journal),
        },
        "segments": len(journal),
        "previous": (home / "state" / PREVIOUS).exists(),
        "record": header,
    }


def lines_of(summary: dict[str, Any]) -> list[str]:
    """Return the summary as lines of text."""
    record, sizes = summary["record"], summary["bytes"]
    ownership, progress_of = record["ownership"], record["progress"]
    owner = ownership["owner"]
    who = (
        f"worker {owner['worker']} pid {owner['pid']} of {owner['release']}" if owner else "nobody"
    )
    schema = record["schema"]
    body = f"{schema['name']} version {schema['version']}" if schema else "none yet"
    app = f"{record['app']}, format {record['format']}, speed {record['timeline']['speed']}"
    cycle = f"{progress_of['cycle']} {progress_of['phase']}, decided by {progress_of['release']}"
    control = record["control"]
    asked = [word for word in ("paused", "halted") if control[word]]
    rollout = record["rollout"]
    baking = bake_words(rollout["clean_cycles"], rollout["of"]) if rollout else "no"
    return [
        f"digest    {summary['digest']}",
        f"app       {app}",
        f"owner     {who}, epoch {ownership['epoch']} since cycle {ownership['since_cycle']}",
        f"cycle     {cycle}",
        f"missed    {len(progress_of['missed'])} of the newest",
        f"effects   {len(record['outbox'])} pending, {len(record['receipts'])} outcomes to come",
        f"control   {', '.join(asked) or 'nothing asked'}",
        f"bake      {baking}",
        f"body      {body}, {sizes['body']} bytes, fallback {sizes['fallback']} bytes",
        f"record    {sizes['record']} bytes, one generation kept: {summary['previous']}",
        f"journal   {sizes['journal']} bytes in {summary['segments']} segments",
        f"home      {summary['home']}",
    ]


@contextlib.contextmanager
def nothing_running(home: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the home for the length of a block.

    Args:
        home: The state directory.
        shared: Its record is in an etcd: an owner of another host is nobody here.

    Raises:
        AnotherInCharge: A launcher, or a worker whose launcher is gone, has it.
    """
    lock = take_home(home)
    try:
        if _owner_lives(home, shared=shared):
            message = f"a worker still owns {home}"
            raise AnotherInCharge(message)
        yield
    finally:
        os.close(lock)


def _owner_lives(home: Path, *, shared: bool) -> bool:
    try:
        owner = read_only_generation(home / "state").record.ownership.owner
    except (RecordMissing, RecordDamaged):
        return False
    if owner is None:
        return False
    found = hosts_of(home, shared=shared).judge(owner)
    if shared:
        return found.verdict is Verdict.HERE
    return not (found.is_dead or found.is_doubtful)  # who has another home does not run here


def steps_of(record: Record, known: Knowledge) -> dict[str, Any]:
    """Return which steps a release would run on this record, and which are missing."""
    stored, target = record.schema, known.body
    version = stored.version if stored is not None else 0
    faults: list[str] = []
    if stored is None:
        return {"stored": 0, "known": target.version, "up": [], "down": [], "faults": faults}
    if stored.name != target.name:
        faults.append(f"the body is of schema {stored.name}, the release knows {target.name}")
    elif version > target.version:
        faults.append(f"the body has version {version}, the release knows {target.version} at most")
    elif version == target.version and stored.fingerprint != target.fingerprint:
        faults.append(f"the shape of {target.name} changed without a new version")
    ups = range(version, target.version)
    downs = range(target.version, version, -1)
    faults += [f"there is no step up from version {each}" for each in ups if each not in known.up]
    faults += [
        f"there is no step down from version {each}: a bake could not return"
        for each in downs
        if each not in known.down
    ]
    return {
        "stored": version,
        "known": target.version,
        "up": [f"up from version {each} to {each + 1}" for each in ups],
        "down": [f"down from version {each} to {each - 1}, with every commit" for each in downs],
        "faults": faults,
    }


def _owning(record: Record) -> str:
    release = record.ownership.release
    if not release:
        message = "no release ever owned this record"
        raise StateUnusable(message)
    return release
