"""A worker as a process: reads its release, puts the real parts together, runs.

Owns start-up and shutdown of a worker process and nothing of its life in between. Started
by the launcher; the environment it gets is all it may know of the installation.
"""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import socket
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from handoff import life_lock
from handoff.application import load_workload
from handoff.cadence import Schedule
from handoff.deciding import replay_with
from handoff.errors import EntryMissing, HandoffError, LifeLockUnusable
from handoff.life_signs import file_id_of, machine_id
from handoff.limits import (
    LIFE_LOCK_ATTEMPTS_MAX,
    LIFE_LOCK_PAUSE_S,
    NS,
    SHARED_TRANSACT_NS,
    lease_s,
)
from handoff.log_events import LogEvent
from handoff.log_watch import watch_own_log
from handoff.logs import Log
from handoff.processes import STOP_SIGNALS, identity_of
from handoff.release_files import read_manifest
from handoff.shared_record import ACCOUNT, cluster_in, is_shared, open_shared
from handoff.wire import WIRE
from handoff.wish import Wish
from handoff.worker.boundary_clock import SystemClock, system_clock
from handoff.worker.channel import LauncherChannel
from handoff.worker.footing import Alone, Footing
from handoff.worker.hosts import hosts_of
from handoff.worker.leaving import Leaving
from handoff.worker.life import Worker
from handoff.worker.ports import Parts
from handoff.worker.settings import settings_of
from state.errors import RecordDamaged, RecordMissing, StateError
from state.heard import newest_heard
from state.journal_reader import newest_lines, read_places
from state.local_store import LocalStore, read_only_snapshot
from state.numbering import newest_numbered
from state.record import Progress, Record, Timeline, WorkerId

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.worker.leased import LeasedStore
    from handoff.worker.ports import Channel
    from handoff.workload import Workload
    from state.etcd_store import EtcdStore
    from state.store import Store

_FLUSH_S = 1.0  # for the last message to the launcher
_LINES_MAX = 8  # a few commands of an operator may stand behind the newest cycle


class WorkerOptions(NamedTuple):
    """What the launcher tells a worker.

    Attributes:
        home: The state directory.
        app: Name of the application.
        release: Which release to run.
        timeline: How wall-clock time maps to application time.
        deploy_id: The deploy whose candidate this is, or an empty string.
        create: Whether a record may be made if there is none.
        force_filesystem: Accept a network or volatile file system for the state.
        wish: What is wished of a candidate beyond the gates that every worker passes.
    """

    home: Path
    app: str
    release: str
    timeline: Timeline
    deploy_id: str = ""
    create: bool = False
    force_filesystem: bool = False
    wish: Wish = Wish()


def run_worker(options: WorkerOptions) -> int:
    """Run a worker until it leaves; return its exit status."""
    # A core file would hold the application's keys, and lie where its reader chooses.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    watch_own_log()
    try:
        manifest = read_manifest(options.home, options.release)
        workload = load_workload(
            manifest, home=options.home, app=options.app, timeline=options.timeline
        )
        return asyncio.run(_run(options, workload)).value
    except (HandoffError, StateError, ValueError) as error:
        # Read by the launcher as the last words of this release.
        sys.stderr.write(f"error: {error}\n")
        leaving = Leaving.NO_ENTRY if isinstance(error, EntryMissing) else Leaving.FAILED
        return leaving.value


async def _run(options: WorkerOptions, workload: Workload[object, object]) -> Leaving:
    clock, name = system_clock(), secrets.token_hex(4)
    log = Log(worker=name, release=options.release)
    shared = is_shared(os.environ)
    schedule = Schedule(workload.cadence, options.timeline, is_shared=shared)
    store = _open(options, workload, schedule, log)
    begin = partial(_create_missing, store, options, workload, schedule, now_ns=clock.now_ns())
    if not options.create:
        begin = partial(_begin_nothing)
    if not shared:
        begin()
    keep = _owners(options.home if shared else store.read())
    me = _myself(name, options.release, lock=await _life_lock(options.home, name, keep, log))
    hello: dict[str, object] = {
        "wire": WIRE,
        "worker": me.worker,
        "pid": me.pid,
        "start_ticks": me.start_ticks,
        "release": me.release,
        "deploy": options.deploy_id,
        "lock": me.lock,
    }
    channel = LauncherChannel(options.home / "run" / "control.sock", hello)
    beyond = _beyond(channel, store)
    parts = Parts(
        workload=workload,
        store=store,
        clock=clock,
        hosts=hosts_of(options.home, shared=shared),
        channel=beyond.line,
        schedule=schedule,
        me=me,
        log=log,
        newest_lines=partial(newest_lines, options.home / "journal", _LINES_MAX),
        newest_numbered=lambda: newest_numbered(read_places(options.home / "journal")),
        heard=partial(newest_heard, options.home / "journal"),
        settings=settings_of(os.environ),
        footing=_footing(store, clock, me),
        begin=begin,
    )
    worker = Worker(parts, deploy_id=options.deploy_id, wish=options.wish)
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, worker.drain)
    line = asyncio.create_task(channel.keep_up(), name="launcher-channel")
    try:
        return await worker.run()
    finally:
        await channel.flush(_FLUSH_S)
        line.cancel()
        beyond.close()
        store.close()


def _open(
    options: WorkerOptions, workload: Workload[object, object], schedule: Schedule, log: Log
) -> Store:
    """Open the record: in the home, or in the etcd that the environment names."""
    clock = system_clock()
    if is_shared(os.environ):
        return open_shared(
            options.home,
            os.environ,
            app=options.app,
            timeline=options.timeline,
            now_ns=clock.now_ns,
            lease_s=lease_s(schedule.bounds),
            account=os.environ.get(ACCOUNT, ""),
            on_trouble=lambda reason: log.write(LogEvent.HOME_BEHIND, reason=reason),
        )
    return LocalStore(
        options.home / "state",
        app=options.app,
        timeline=options.timeline,
        now_ns=clock.now_ns,
        replay=replay_with(workload, schedule),
        release=options.release,
        force_filesystem=options.force_filesystem,
    )


def _footing(store: Store, clock: SystemClock, me: WorkerId) -> Footing:
    if isinstance(store, LocalStore):
        return Alone()
    from handoff.worker.leased import Leased  # noqa: PLC0415 - loads what etcd needs

    return Leased(cast("LeasedStore", store), clock, me)


class _Beyond(NamedTuple):
    line: Channel
    close: Callable[[], None]


def _beyond(channel: LauncherChannel, store: Store) -> _Beyond:
    """Return a worker's line: where hosts share the record, deploys of all of them speak on it."""
    if isinstance(store, LocalStore):
        return _Beyond(channel, _begin_nothing)
    from handoff.worker.beyond import LineBeyond  # noqa: PLC0415 - loads what etcd needs
    from state.etcd.deploy_desk import DeployDesk, watch_deploy  # noqa: PLC0415 - as above

    cluster = cluster_in(os.environ)
    desk, watch = DeployDesk(cluster, patience_s=SHARED_TRANSACT_NS / NS), watch_deploy(cluster)
    line = LineBeyond(channel, watch, desk, epoch=cast("EtcdStore", store).epoch)

    def close() -> None:
        watch.close()
        desk.close()

    return _Beyond(line, close)


def _begin_nothing() -> None:
    return None


def _owners(held: Record | Path) -> set[str]:
    """Return the workers about whose death somebody may still ask.

    Args:
        held: The record; or the home, whose mirror says it as far as this host has followed.
    """
    try:
        record = read_only_snapshot(held / "state") if isinstance(held, Path) else held
    except (RecordMissing, RecordDamaged):
        return set()
    named = record.ownership
    return {each.worker for each in (named.owner, named.last_owner, named.previous) if each}


async def _life_lock(home: Path, worker: str, keep: set[str], log: Log) -> int:
    """Take this worker's lock, before it can own; return its inode.

    Raises:
        LifeLockUnusable: It cannot be had for long; the launcher starts another worker.
    """
    for attempt in range(LIFE_LOCK_ATTEMPTS_MAX):
        descriptor = life_lock.hold(home, worker, keep=keep)
        if descriptor is not None:
            return file_id_of(descriptor).inode
        if not attempt:
            log.write(LogEvent.LIFE_LOCK_REFUSED, home=str(home))
        await asyncio.sleep(LIFE_LOCK_PAUSE_S)  # noqa: TID251 - nothing runs on a clock yet
    message = f"no file can be made and locked in {home / 'run'}"
    raise LifeLockUnusable(message)


def _myself(worker: str, release: str, *, lock: int) -> WorkerId:
    identity = identity_of(os.getpid())
    assert identity is not None, "a running process has an identity"
    return WorkerId(
        worker=worker,
        host=socket.gethostname(),
        boot_id=identity.boot_id,
        pid_namespace=identity.pid_namespace,
        pid=identity.pid,
        start_ticks=identity.start_ticks,
        release=release,
        machine=machine_id(),
        lock=lock,
    )


def _create_missing(
    store: Store,
    options: WorkerOptions,
    workload: Workload[object, object],
    schedule: Schedule,
    *,
    now_ns: int,
) -> None:
    try:
        store.read()
    except RecordMissing:
        store.create(
            Record(
                app=options.app,
                timeline=options.timeline,
                # The cycle under way counts as settled: the first decision is the next one.
                progress=Progress(cycle=schedule.cycle_at(now_ns)),
                attempt=secrets.token_hex(8),
                # From the first moment on it is known what this release can read: another one
                # may take before the first decision, and may have to be returned from.
                schema=workload.body.schema_id,
                body=workload.body.encode(workload.body.initial()),
                # Nor can a number mean another moment to it.
                cadence=schedule.recorded(),
            )
        )
