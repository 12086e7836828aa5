"""Deploys of several hosts in a real etcd: filed, begun, changed, written down.

Owns how a step is tried: again where somebody else came between, within a bound, and as settled
where its answer was lost, for each step finds itself. What the steps are is in `deploys`.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from state.errors import DeployClosed, LeaseGone
from state.etcd import deploys as plans
from state.etcd import wire
from state.etcd.client import Client, EtcdError
from state.etcd.keeper import Keeper, boot_clock_ns
from state.etcd.session import Session
from state.etcd.watch import Watch
from state.open_struct import decode_open, encode_open

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.etcd.address import Cluster

TRIES_MAX: Final = 32  # losses in a row; of one deploy three write at a time
LINES_AT_ONCE: Final = 100
FILED_S: Final = 60  # a request without a deployer; a busy host starts one within some seconds
LATELY: Final = 16  # lines among which one's own is looked for


def watch_deploy(cluster: Cluster) -> Watch:
    """Return a watch of the deploy under way."""
    return Watch(Client(cluster, first=1), plans.Keys(cluster.prefix).deploy)


class DeployDesk:
    """The deploys of one application.

    Args:
        cluster: Where they are.
        lease_s: How long the deploy under way outlasts its deployer, seconds; 0 for who drives
            none.
        patience_s: How long one step is tried; None for as long as a change of leader takes.
        boot_ns: Reads nanoseconds since boot.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        lease_s: int = 0,
        patience_s: float | None = None,
        boot_ns: Callable[[], int] = boot_clock_ns,
    ) -> None:
        """Keep the parts; nothing is connected yet."""
        self._keys = plans.Keys(cluster.prefix)
        self._session = Session(cluster, patience_s=patience_s)
        self._driven = ("", 0)  # the request, and the lease that says so
        self._keeper: Keeper | None = None
        if lease_s:
            self._keeper = Keeper(Client(cluster), Client(cluster), ttl_s=lease_s, boot_ns=boot_ns)

    def file(self, asked: plans.Asked) -> plans.Asked:
        """File a request, unless an open one wants the same; return the one that is open.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        lease = self._session.grant(FILED_S)
        for _ in range(TRIES_MAX):
            answer = self._settle(plans.filing(self._keys, asked, lease=lease))
            if answer.succeeded:
                return asked
            found = answer.found()
            wanted = found.pop(self._keys.wanted(asked.wants), None)
            named = wanted.value.decode() if wanted is not None else ""
            for each in plans.asked_in(found):
                if each.request == named:
                    return each
        raise self._session.failed(errno.ETIMEDOUT, "others file and close without a pause")

    def open(self) -> tuple[plans.Asked, ...]:
        """Return the requests whose deploys have not ended, oldest first.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        return plans.asked_in(self._session.read(wire.get(*self._keys.requests)))

    def asked(self, request: str) -> plans.Asked:
        """Return a request.

        Raises:
            DeployClosed: Its deploy has ended.
            OutOfReach: Etcd did not answer.
        """
        return decode_open(self._request(request).value, plans.Asked)

    def under_way(self) -> plans.Held | None:
        """Return the deploy under way, or None where none is.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        return plans.held_in(self._session.read(wire.get(self._keys.deploy)).get(self._keys.deploy))

    def begin(self, value: plans.UnderWay) -> bool:
        """Make a deploy the one under way, or find that it is; tell whether it is.

        Raises:
            DeployClosed: Somebody has written down how it ended.
            OutOfReach: Etcd did not answer.
        """
        lease = self._lease()
        answer = self._settle(plans.beginning(self._keys, value, lease=lease))
        if answer.succeeded:
            return True
        found = answer.found()
        if self._keys.request(value.request) not in found:
            raise DeployClosed(value.request)
        held = plans.held_in(found.get(self._keys.deploy))
        if held is None or (held.value.attempt, held.value.host) != (value.attempt, value.host):
            return False
        if held.lease == lease:
            return True
        return self._settle(plans.changing(self._keys, held, held.value, lease=lease)).succeeded

    def change(
        self,
        request: str,
        step: Callable[[plans.UnderWay], plans.UnderWay],
        *,
        noted: Callable[[plans.Asked], plans.Asked] | None = None,
    ) -> plans.Held | None:
        """Change the deploy under way, and its request with it; None where it is another one.

        Args:
            request: Which one is meant.
            step: From what it is to what it becomes.
            noted: Likewise of its request.

        Raises:
            DeployClosed: Its request is closed.
            OutOfReach: Etcd did not answer.
        """
        for _ in range(TRIES_MAX):
            held = self.under_way()
            if held is None or held.value.request != request:
                return None
            before, asked, revision = None, None, 0
            if noted is not None:
                there = self._request(request)
                before, revision = decode_open(there.value, plans.Asked), there.mod_revision
                asked = noted(before)
            value = step(held.value)
            if (value, asked) == (held.value, before):
                return held
            changing = plans.changing(self._keys, held, value, asked=asked, revision=revision)
            try:
                answer = self._settle(changing)
            except LeaseGone:
                return None
            if answer.succeeded:
                return plans.Held(
                    value=value,
                    revision=answer.header.revision,
                    created=held.created,
                    lease=held.lease,
                )
        raise self._session.failed(errno.ETIMEDOUT, "others change the deploy without a pause")

    def ask_abort(self, request: str, by: str) -> None:
        """Ask for the end of a request's deploy, whether it is under way or waits.

        Raises:
            DeployClosed: It has ended.
            OutOfReach: Etcd did not answer.
        """
        for _ in range(TRIES_MAX):
            if self._settle(plans.abort_asked(self._request(request), by)).succeeded:
                break
        self.change(request, lambda value: plans.aborted(value, by))

    def write_down(
        self,
        asked: plans.Asked,
        line: bytes,
        *,
        following: Callable[[plans.Asked], plans.Asked] | None = None,
        created: int = 0,
        is_left: bool = False,
    ) -> bool:
        """Write down how a try ended; tell whether this did, or had done it.

        Args:
            asked: Its request.
            line: Its line of history.
            following: Returns what the request becomes for the try that follows; None where none
                does, and the request is closed.
            created: As for `deploys.ending`.
            is_left: Somebody else concludes, for its deployer is gone.

        Returns:
            False where its deploy is not what `created` says, or its deployer lives after all, or
            did since the request was read.

        Raises:
            DeployClosed: Its end is written down already, by another line.
            OutOfReach: Etcd did not answer.
        """
        for _ in range(TRIES_MAX):
            count = self.count()
            if line in (each for _, each in self.lines_after(max(0, count - LATELY))):
                return True
            there = self._request(asked.request) if is_left or following else None
            before = decode_open(there.value, plans.Asked) if there is not None else asked
            if is_left and before != asked:
                return False
            ending = plans.ending(
                self._keys,
                asked,
                line,
                number=count + 1,
                following=following(before) if following is not None else None,
                created=created,
                read_at=there.mod_revision if there is not None else 0,
                is_left=is_left,
            )
            answer = self._settle(ending)
            if answer.succeeded:
                return True
            found = answer.found()
            if self._keys.request(asked.request) not in found:
                raise DeployClosed(asked.request)
            if self.count() == count:
                return False
        raise self._session.failed(errno.ETIMEDOUT, "others end deploys without a pause")

    def drive(self, request: str, host: str) -> None:
        """Say that the deployer of an open request lives, for as long as its lease does.

        Raises:
            DeployClosed: Its end is written down.
            OutOfReach: Etcd did not answer.
        """
        lease = self._lease()
        if (request, lease) == self._driven:
            return
        answer = self._settle(plans.driving(self._keys, request, host, lease=lease))
        if not answer.succeeded:
            raise DeployClosed(request)
        self._driven = (request, lease)

    def is_driven(self, request: str) -> bool:
        """Tell whether the deployer of a request lives.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        key = self._keys.driven(request)
        return key in self._session.read(wire.get(key))

    def tell_made(self, host: str, release: str, words: str) -> None:
        """Say why a host has no standby of a release; without words that there is nothing to say.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        key = self._keys.build(host)
        said = encode_open(plans.Build(host=host, release=release, words=words))
        step = wire.put(key, said) if words else wire.delete(key)
        self._settle(wire.Transaction(success=(step,)))

    def builds(self) -> tuple[plans.Build, ...]:
        """Return which hosts have no standby, and why.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        found = self._session.read(wire.get(*self._keys.builds))
        return tuple(decode_open(each.value, plans.Build) for each in found.values())

    def count(self) -> int:
        """Return how many deploys have ended.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        found = self._session.read(wire.get(self._keys.ended)).get(self._keys.ended)
        return int(found.value) if found is not None else 0

    def lines_after(self, number: int) -> list[tuple[int, bytes]]:
        """Return some lines of history after one that is known, with their numbers, in order.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        range_ = self._keys.lines(number + 1)
        last = self._keys.line(number + 1 + LINES_AT_ONCE)
        found = self._session.read(wire.get(range_[0], min(range_[1], last)))
        return [(int(key.rpartition(b"/")[2]), kv.value) for key, kv in sorted(found.items())]

    def close(self) -> None:
        """Give back the lease, and with it the deploy that is under way by it."""
        for each in (self._keeper, self._session):
            if each is not None:
                each.close()

    def _request(self, request: str) -> wire.KeyValue:
        key = self._keys.request(request)
        found = self._session.read(wire.get(key)).get(key)
        if found is None:
            raise DeployClosed(request)
        return found

    def _settle(self, transaction: wire.Transaction) -> wire.TransactionAnswer:
        return self._session.settle(transaction, self._session.patience_s)

    def _lease(self) -> int:
        assert self._keeper is not None, "who drives a deploy says how long its lease is"
        held = self._keeper.standing()
        if held.is_held:
            return held.lease
        try:
            return self._keeper.grant().lease
        except EtcdError as error:
            raise self._session.failed(errno.ETIMEDOUT, str(error)) from error
