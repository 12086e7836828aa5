"""What a deploy asks of the etcd that several hosts share; on one host, nothing.

Owns the way from a request of this home to what all hosts see of it: filed once for a commit, under
way one at a time, approved as long as that holds, written down for everybody. What lies there is
`state.etcd.deploys`, who owns is in the record.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from msgspec.structs import replace

from deploy import history, requests, way_back
from handoff.launcher.engine_config import EngineConfigInvalid, read_engine_config
from handoff.rollout.events import AbortAsked, Superseded
from handoff.rollout.launcher_client import RequestRefused
from handoff.shared_record import cluster_in, is_shared
from state.errors import DeployClosed, OutOfReach, StateError, WriteFailed
from state.local_store import read_only_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from handoff.rollout.table import Deploy
    from state.etcd.deploy_desk import DeployDesk
    from state.etcd.deploys import Asked

    Ended = AbortAsked | Superseded

LEASE_S: Final = 5  # of the deploy under way; a deployer that is killed is back sooner
APPROVE_S_MAX: Final = 60.0  # for an etcd that is away just as a candidate is ready
WRITE_S_MAX: Final = 600.0  # as for a disk
POLL_S: Final = 0.5
MS_NS: Final = 1_000_000


class Across(Protocol):
    """What a deployer asks of other hosts."""

    def taken(self, *, held: bool, waits: Callable[[], None]) -> Ended | None:
        """Wait for the turn among all hosts; return who ended the waiting, or None.

        Args:
            held: It was approved already: nothing ends its waiting then.
            waits: Called again and again while it waits.

        Raises:
            DeployClosed: Another host has written down how it ended.
        """
        ...

    def interruption(self, *, is_replaceable: bool) -> Ended | None:
        """Return who wants it undone or what replaces it, as of other hosts."""
        ...

    def moved(self, phase: str) -> None:
        """Say how far it is."""
        ...

    def approve(self, deploy: Deploy) -> int:
        """Approve the candidate; return what its take compares, see `Note.approval`.

        Raises:
            RequestRefused: Another deploy is under way, or this one has ended.
        """
        ...

    def give_back(self, deploy: Deploy) -> None:
        """Ask the previous owner, wherever it is, to take back."""
        ...

    def write_down(self, entry: history.Entry, *, is_last: bool) -> None:
        """Write down how a try ended, for all hosts."""
        ...

    def settled(self, attempt: str) -> history.Entry | None:
        """Return how a try ended as another host has written it down."""
        ...

    def without_standby(self) -> tuple[str, ...]:
        """Return which hosts have no standby, each with its reason."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


class Alone:
    """A deploy where no other host has a part."""

    def taken(self, *, held: bool, waits: Callable[[], None]) -> Ended | None:  # noqa: ARG002 - as its port
        """See `Across.taken`."""
        return None

    def interruption(self, *, is_replaceable: bool) -> Ended | None:  # noqa: ARG002 - as its port
        """See `Across.interruption`."""
        return None

    def moved(self, phase: str) -> None:
        """See `Across.moved`."""

    def approve(self, deploy: Deploy) -> int:  # noqa: ARG002 - as its port
        """See `Across.approve`."""
        return 0

    def give_back(self, deploy: Deploy) -> None:
        """See `Across.give_back`."""

    def write_down(self, entry: history.Entry, *, is_last: bool) -> None:
        """See `Across.write_down`."""

    def settled(self, attempt: str) -> history.Entry | None:  # noqa: ARG002 - as its port
        """See `Across.settled`."""
        return None

    def without_standby(self) -> tuple[str, ...]:
        """See `Across.without_standby`."""
        return ()

    def close(self) -> None:
        """See `Across.close`."""


class AmongHosts:
    """A deploy of this host where others share the record.

    Args:
        home: The state directory.
        request: Its request.
        desk: The deploys of all hosts.
    """

    def __init__(self, home: Path, request: requests.Request, desk: DeployDesk) -> None:
        """Ask nothing yet."""
        self._home = home
        self._request = request
        self._desk = desk
        self._phase = ""
        self._entry: history.Entry | None = None

    def taken(self, *, held: bool, waits: Callable[[], None]) -> Ended | None:
        """See `Across.taken`."""
        while True:
            with contextlib.suppress(OutOfReach):
                self._desk.drive(self._request.deploy, socket.gethostname())
                if self._begin():
                    return None
                self._ask_way_back()
            ended = None if held else self.interruption(is_replaceable=True)
            if ended is not None:
                return ended
            waits()
            time.sleep(POLL_S)  # noqa: TID251 - nothing tells when another host's deploy ends

    def interruption(self, *, is_replaceable: bool) -> Ended | None:
        """See `Across.interruption`."""
        mine = self._request
        try:
            self._desk.drive(mine.deploy, socket.gethostname())
            found = self._desk.open()
        except OutOfReach:
            return None  # whoever wants something can say so no more than this one can hear it
        for each in found:
            if each.request == mine.deploy and each.aborted_by:
                return AbortAsked(each.aborted_by)
        if not is_replaceable:
            return None
        later = [each for each in found if (each.asked_ns, each.request) > self._order()]
        return Superseded(later[-1].request) if later else None

    def moved(self, phase: str) -> None:
        """See `Across.moved`; where its lease went meanwhile, it is begun again."""
        self._phase = phase
        with contextlib.suppress(StateError):
            held = self._desk.change(
                self._request.deploy, lambda value: replace(value, phase=phase)
            )
            if held is None and phase in ("ready", "baking"):
                self._begin()

    def approve(self, deploy: Deploy) -> int:
        """See `Across.approve`."""
        deadline_s = time.monotonic() + APPROVE_S_MAX
        while True:
            try:
                created = self._approved(deploy)
            except DeployClosed as closed:
                raise RequestRefused(str(closed)) from closed
            except OutOfReach as away:
                if time.monotonic() > deadline_s:
                    raise RequestRefused(str(away)) from away
                created = None
            if created is not None:
                return created
            if time.monotonic() > deadline_s:
                message = "another host's deploy is under way"
                raise RequestRefused(message)
            time.sleep(POLL_S)  # noqa: TID251 - nothing tells when an etcd is back

    def give_back(self, deploy: Deploy) -> None:
        """See `Across.give_back`."""
        from state.etcd import deploys  # noqa: PLC0415 - where a record is shared

        epoch = self._epoch()
        with contextlib.suppress(StateError):
            held = self._desk.change(
                self._request.deploy, lambda value: deploys.asked_back(value, epoch=epoch)
            )
            if held is None:
                self._begin()
        self._phase = deploy.phase.value

    def write_down(self, entry: history.Entry, *, is_last: bool) -> None:
        """See `Across.write_down`.

        Raises:
            OutOfReach: Etcd is away for long; the request stays open.
            WriteFailed: Other hosts changed the deploy for as long; likewise.
        """
        deadline_s = time.monotonic() + WRITE_S_MAX
        trouble: WriteFailed | None = None
        while trouble is None or time.monotonic() < deadline_s:
            try:
                if self._write_down(entry, is_last=is_last):
                    return
            except DeployClosed:
                return  # it is written down, by whoever took this host for gone
            except OutOfReach as away:
                trouble = away
            else:
                busy = OSError(errno.EBUSY, "other hosts change the deploy without a pause")
                trouble = WriteFailed(f"the end of deploy {self._request.deploy}", busy)
            time.sleep(POLL_S)  # noqa: TID251 - nothing tells when an etcd is back
        raise trouble

    def settled(self, attempt: str) -> history.Entry | None:
        """See `Across.settled`."""
        for each in reversed(newest_entries(self._desk)):
            if each.deploy == attempt:
                return each
        return None

    def without_standby(self) -> tuple[str, ...]:
        """See `Across.without_standby`."""
        try:
            found = self._desk.builds()
        except StateError:
            return ()
        return tuple(f"host {each.host} is no standby: {each.words}" for each in found)

    def close(self) -> None:
        """See `Across.close`."""
        self._desk.close()

    def _begin(self) -> bool:
        from state.etcd.deploys import UnderWay  # noqa: PLC0415 - where a record is shared

        mine = self._request
        return self._desk.begin(
            UnderWay(
                request=mine.deploy,
                attempt=mine.attempt,
                host=socket.gethostname(),
                phase=self._phase,
            )
        )

    def _approved(self, deploy: Deploy) -> int | None:
        from state.etcd import deploys  # noqa: PLC0415 - where a record is shared

        epoch, attempt = self._epoch(), self._request.attempt
        entry = history.read_current(self._home)

        def noted(asked: deploys.Asked) -> deploys.Asked:
            known = asked.entry if entry is None else msgspec.Raw(msgspec.json.encode(entry))
            before = asked.epoch if asked.attempt == attempt else epoch
            return replace(
                asked, attempt=attempt, candidate=deploy.release, epoch=before, entry=known
            )

        def step(value: deploys.UnderWay) -> deploys.UnderWay:
            return deploys.approved(value, epoch=epoch, candidate=deploy.release)

        held = self._desk.change(self._request.deploy, step, noted=noted)
        if held is None and self._begin():
            held = self._desk.change(self._request.deploy, step, noted=noted)
        return None if held is None else held.created

    def _write_down(self, entry: history.Entry, *, is_last: bool) -> bool:
        held = self._desk.under_way()
        is_mine = held is not None and held.value.attempt == self._request.attempt
        return self._desk.write_down(
            self._desk.asked(self._request.deploy),
            history.entry_line(entry).rstrip(b"\n"),
            following=None if is_last else self._following,
            created=held.created if is_mine and held is not None else 0,
        )

    def _following(self, asked: Asked) -> Asked:
        """Return the request for the try after this one, which nobody has approved."""
        mine = replace(self._request, tries=self._request.tries + 1)
        entry = msgspec.Raw(msgspec.json.encode(_entry(mine)))
        return replace(asked, attempt="", candidate="", epoch=0, entry=entry)

    def _ask_way_back(self) -> None:
        """Ask whoever drives a bake to end it, where this deploy is the way back from that."""
        with contextlib.suppress(StateError):
            baking = way_back.bake_to_return_from(self._home, self._request.release)
            if baking:
                self._desk.ask_abort(requests.deploy_of(baking), self._request.by)

    def _order(self) -> tuple[int, str]:
        return self._request.requested_ns, self._request.deploy

    def _epoch(self) -> int:
        return read_only_snapshot(self._home / "state").ownership.epoch


def of_request(home: Path, request: requests.Request) -> Across:
    """Return what a request's deployer asks of other hosts."""
    desk = desk_of(home, lease_s=LEASE_S)
    return Alone() if desk is None else AmongHosts(home, request, desk)


def desk_of(home: Path, *, lease_s: int = 0) -> DeployDesk | None:
    """Return the deploys of all hosts; None where the record is this home's alone.

    Raises:
        ClusterUnusable: The etcd's address or its credentials cannot be used.
    """
    try:
        told = dict(read_engine_config(home).environment)
    except EngineConfigInvalid:
        return None  # nothing was ever started here
    if not is_shared(told):
        return None
    from state.etcd.deploy_desk import DeployDesk  # noqa: PLC0415 - where a record is shared

    return DeployDesk(cluster_in(told), lease_s=lease_s)


def file(home: Path, request: requests.Request) -> requests.Request | str:
    """File a request for all hosts; return it as it is to be kept here.

    Returns:
        The request, the newest of all; or the id of one that is open and wants the same.

    Raises:
        OutOfReach: Etcd did not answer: nothing is asked for.
    """
    desk = desk_of(home)
    if desk is None:
        return request
    from state.etcd.deploys import Asked  # noqa: PLC0415 - where a record is shared

    try:
        newest_ns = max((each.asked_ns for each in desk.open()), default=0)
        request = replace(request, requested_ns=max(request.requested_ns, newest_ns + MS_NS))
        asked = Asked(
            request=request.deploy,
            wants=request.commit or request.release,
            host=socket.gethostname(),
            asked_ns=request.requested_ns,
            by=request.by,
            entry=msgspec.Raw(msgspec.json.encode(_entry(request))),
        )
        found = desk.file(asked).request
    finally:
        desk.close()
    return request if found == request.deploy else found


def ask_aborts(home: Path, by: str, *, only: str = "") -> list[str]:
    """Ask for the end of every open deploy, whichever host drives it; return which.

    Args:
        home: The state directory.
        by: Who asks.
        only: Of this one alone, if it is open; empty for all.
    """
    desk = desk_of(home)
    if desk is None:
        return []
    asked: list[str] = []
    try:
        for each in desk.open():
            if each.request == (only or each.request):
                with contextlib.suppress(DeployClosed):
                    desk.ask_abort(each.request, by)
                    asked.append(each.request)
    finally:
        desk.close()
    return asked


def newest_entries(desk: DeployDesk, after: int = 0) -> list[history.Entry]:
    """Return the deploys that ended, as the hosts wrote them down, oldest first."""
    from state.etcd.deploys import ENDED_KEPT  # noqa: PLC0415 - where a record is shared

    at, found = max(after, desk.count() - ENDED_KEPT), list[history.Entry]()
    while lines := desk.lines_after(at):
        found += history.history_of(b"\n".join(line for _, line in lines)).entries
        at = lines[-1][0]
    return found


def _entry(request: requests.Request) -> history.Entry:
    entry = history.requested(
        request.attempt,
        now_ns=request.requested_ns,
        by=request.by,
        ref=request.ref or request.release,
        from_release="",
    )
    return replace(entry, commit=request.commit, release=request.release)
