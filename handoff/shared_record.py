"""Where the record of an installation is, if it is not in its home: in an etcd that hosts share.

Owns the variables that say so, and how a store of it is opened. They travel in the environment, as
`worker.settings` do, and what they name is a place: an address and a file, never what the file
holds. Nothing of etcd is loaded where no variable says so.
"""

from __future__ import annotations

import os
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from handoff.errors import HandoffError, ReleaseUnusable
from handoff.life_signs import machine_id
from handoff.limits import SHARED_PATIENCE_S
from handoff.release_files import read_manifest
from state.hosts_file import put_hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from state.etcd.address import Cluster
    from state.etcd.presence import Present
    from state.etcd_store import EtcdStore
    from state.place import Place
    from state.record import Timeline

STATE: Final = "HANDOFF_STATE"  # `etcd://h1,h2,h3/app`
CREDENTIALS: Final = "HANDOFF_CLUSTER_CREDENTIALS"  # path of the file, absolute
PLACES: Final = "HANDOFF_SECRETS"  # directories made for secrets
ACCOUNT: Final = "HANDOFF_ACCOUNT"  # names what workers act for; no two may over one record
TRUSTED_GROUP: Final = "HANDOFF_TRUSTED_GROUP"

LOOKER: Final = "-"  # stands for a worker where none lives

VARIABLES: Final = (STATE, CREDENTIALS, PLACES, TRUSTED_GROUP, ACCOUNT)


class ClusterUnusable(HandoffError):
    """The environment names an etcd that cannot be used."""

    def __init__(self, reason: str, hint: str) -> None:
        """Keep what is wrong and what to do."""
        super().__init__(reason)
        self.hint = hint


def is_shared(environment: Mapping[str, str]) -> bool:
    """Tell whether the record is in an etcd."""
    return bool(environment.get(STATE))


def variables_of(
    state: str,
    *,
    credentials: str = "",
    places: str = "",
    trusted_group: str = "",
    account: str = "",
) -> tuple[tuple[str, str], ...]:
    """Return the variables that say where the record is; none where it is in the home."""
    if not state:
        return ()
    found = {
        STATE: state,
        CREDENTIALS: credentials,
        PLACES: places,
        TRUSTED_GROUP: trusted_group,
        ACCOUNT: account,
    }
    return tuple((name, text) for name, text in found.items() if text)


def cluster_in(environment: Mapping[str, str]) -> Cluster:
    """Return the etcd that the environment names.

    Raises:
        ClusterUnusable: Its address or its credentials cannot be used.
    """
    from state.errors import HomeUnsuitable  # noqa: PLC0415 - see the head of this module
    from state.etcd.address import ClusterInvalid, Source, cluster_of  # noqa: PLC0415 - as above
    from state.etcd.credentials import read_credentials  # noqa: PLC0415 - as above

    named = environment.get(CREDENTIALS, "")
    places = tuple(each for each in environment.get(PLACES, "").split(os.pathsep) if each)
    group = environment.get(TRUSTED_GROUP, "")
    try:
        source = Source(named, places, group) if named else None
        held = read_credentials(source) if source is not None else None
        return cluster_of(environment[STATE], held, source)
    except (ClusterInvalid, HomeUnsuitable) as error:
        raise ClusterUnusable(str(error), error.hint) from error


def open_shared(
    home: Path,
    environment: Mapping[str, str],
    *,
    app: str,
    timeline: Timeline | None,
    now_ns: Callable[[], int],
    lease_s: int = 0,
    account: str | None = None,
    on_trouble: Callable[[str], None] | None = None,
) -> EtcdStore:
    """Return a store of the record in the etcd that the environment names.

    Args:
        home: The state directory, which follows whatever is read and written.
        environment: What names the etcd.
        app: Name of the application.
        timeline: How wall-clock time maps to application time; None for who only looks.
        now_ns: Reads the wall clock, nanoseconds UTC.
        lease_s: How long ownership outlasts the last renewal; 0 for who never owns.
        account: As of `EtcdStore`.
        on_trouble: Told why the home could not follow a commit.

    Raises:
        ClusterUnusable: Its address or its credentials cannot be used.
        HomeUnsuitable: The home keeps a record of its own, or cannot be written.
    """
    from handoff.life_signs import machine_id  # noqa: PLC0415 - see the head of this module
    from state.etcd.herald import Listener  # noqa: PLC0415 - as above
    from state.etcd.presence import mark_of  # noqa: PLC0415 - as above
    from state.etcd_store import EtcdStore  # noqa: PLC0415 - as above
    from state.host_journal import HostJournal  # noqa: PLC0415 - as above

    cluster = cluster_in(environment)
    mark = mark_of(machine_id(), socket.gethostname(), os.path.realpath(home))
    return EtcdStore(
        cluster,
        app=app,
        timeline=timeline,
        now_ns=now_ns,
        account=account,
        lease_s=lease_s,
        patience_s=SHARED_PATIENCE_S,
        home=HostJournal(home, now_ns=now_ns, place=this_place()),
        on_trouble=on_trouble,
        listener=Listener(mark, partial(put_hosts, home)),
    )


def this_place() -> Place:
    """Return this host, as a record names it."""
    from state.place import Place  # noqa: PLC0415 - see the head of this module

    return Place(socket.gethostname(), machine_id())


def look_up(home: Path, environment: Mapping[str, str], *, app: str) -> str | None:
    """Let a home follow the record in the etcd; return the release that it wants.

    Returns:
        The newest owner's release, empty where nobody owned yet; None where etcd answers that
        there is no record: then, and only then, one may be made.

    Raises:
        OutOfReach: Etcd does not answer.
        AccountOther: Its record acts for another account; the home follows nothing of it.
        StateError: It or the home cannot be used.
        ClusterUnusable: Its address or its credentials cannot be used.
    """
    from state.errors import RecordMissing  # noqa: PLC0415 - see the head of this module

    account = environment.get(ACCOUNT, "")
    store = open_shared(
        home, environment, app=app, timeline=None, now_ns=time.time_ns, account=account
    )
    try:
        store.keep_up()
        wanted = store.read().ownership.release
        store.introduce(_without_worker(home, wanted))
        return wanted  # noqa: TRY300 - what is raised is raised by what comes before
    except RecordMissing:
        return None
    finally:
        store.close()


def _without_worker(home: Path, wanted: str) -> Present:
    """Return what a host says of itself while no worker lives there; a worker says more."""
    from state.etcd.presence import Present  # noqa: PLC0415 - see the head of this module
    from state.hosts_seen import Role  # noqa: PLC0415 - as above

    why = "no worker lives there"
    try:
        if wanted:
            read_manifest(home, wanted)
    except ReleaseUnusable as error:
        why = f"what is wanted cannot be started there yet: {error}"
    return Present(worker=LOOKER, host=socket.gethostname(), role=Role.NOT_STANDBY.value, why=why)
