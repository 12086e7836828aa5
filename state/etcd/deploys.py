"""Deploys of several hosts: what is asked for, which one is under way, how those ended.

Owns the keys of an application's deploys, the values in them, and the transaction of each step:

    APP/requests/ID  what somebody asked for, until its deploy has ended
    APP/driven/ID    its deployer lives: with that one's lease, with another until it begins
    APP/wanted/W     the request that names a commit, or a kept release: of two one is filed
    APP/deploy       the deploy under way, for as long as its deployer's lease lives
    APP/builds/HOST  why a host has no standby: it builds a release, or cannot
    APP/ended        how many have ended
    APP/deploys/N    one line of history for each of the newest `ENDED_KEPT`

Who owns stands in the record, and nothing here changes that. A wish holds for the epoch that it
names and is void in any other. A candidate is approved for as long as the very key lives in which
it was approved: its take compares when that was created, so that whoever writes down that a deploy
was refused, its deployer's lease being gone, says the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
from msgspec.structs import replace

from state.etcd import wire
from state.open_struct import OpenStruct, decode_open, encode_open

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDED_KEPT: Final = 1000
NOTHING: Final = msgspec.Raw(b"null")


class Asked(OpenStruct, frozen=True, kw_only=True):
    """A request, as all hosts see it.

    Attributes:
        request: Its id.
        wants: The full commit that it wants in charge, or the kept release.
        host: Whose deployer carries it out.
        asked_ns: When it was asked for, nanoseconds UTC by that host's clock.
        by: Who asked.
        aborted_by: Who wants it undone, or an empty string.
        attempt: The try whose candidate was approved, or an empty string.
        candidate: The release of that candidate: from then on it may come to own.
        epoch: In which it was approved first.
        entry: What is known of it for the history, as the deployer wrote it last.
    """

    LATER: ClassVar = ()
    request: str
    wants: str
    host: str
    asked_ns: int
    by: str = ""
    aborted_by: str = ""
    attempt: str = ""
    candidate: str = ""
    epoch: int = 0
    entry: msgspec.Raw = NOTHING


class UnderWay(OpenStruct, frozen=True, kw_only=True):
    """The deploy under way.

    Attributes:
        request: Id of its request.
        attempt: The try under way: what workers, record and history know it by.
        host: Where its deployer and its candidate are.
        phase: How far it is.
        candidate: Release of the candidate, once there is one.
        epoch: The epoch that the wishes below are about.
        go: The candidate is approved.
        waiting: The candidate waits for a gap.
        give_back: The previous owner shall take back.
        yield_until_ns: The owner steps aside until then, nanoseconds UTC by its clock.
        abort: Who wants it undone, or an empty string.
    """

    LATER: ClassVar = ()
    request: str
    attempt: str
    host: str
    phase: str = ""
    candidate: str = ""
    epoch: int = 0
    go: bool = False
    waiting: bool = False
    give_back: bool = False
    yield_until_ns: int = 0
    abort: str = ""


class Build(OpenStruct, frozen=True, kw_only=True):
    """Why a host has no standby.

    Attributes:
        host: Its name.
        release: What it lacks.
        words: What becomes of that: it builds it, or cannot, and why.
    """

    LATER: ClassVar = ()
    host: str
    release: str
    words: str


class Keys:
    """The keys of one application's deploys.

    Args:
        prefix: What they all begin with.
    """

    def __init__(self, prefix: str) -> None:
        """Make the names."""
        self._prefix = prefix.encode() + b"/"
        self.deploy = self._prefix + b"deploy"
        self.ended = self._prefix + b"ended"
        self.requests = (self._prefix + b"requests/", self._prefix + b"requests0")
        self.builds = (self._prefix + b"builds/", self._prefix + b"builds0")

    def request(self, name: str) -> bytes:
        """Return the key of a request."""
        return b"%srequests/%s" % (self._prefix, name.encode())

    def wanted(self, name: str) -> bytes:
        """Return the key that names the request for a commit or a release."""
        return b"%swanted/%s" % (self._prefix, name.encode())

    def build(self, host: str) -> bytes:
        """Return the key that says why a host has no standby."""
        return b"%sbuilds/%s" % (self._prefix, host.encode())

    def driven(self, name: str) -> bytes:
        """Return the key that says that a request's deployer lives."""
        return b"%sdriven/%s" % (self._prefix, name.encode())

    def line(self, number: int) -> bytes:
        """Return the key of a line of history."""
        return b"%sdeploys/%012d" % (self._prefix, number)

    def lines(self, first: int) -> tuple[bytes, bytes]:
        """Return the range of all lines from one on."""
        return self.line(first), self._prefix + b"deploys0"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The deploy under way as it lies in etcd.

    Attributes:
        value: It.
        revision: At which it was last written.
        created: At which it was made: what an approval names.
        lease: What it goes with.
    """

    value: UnderWay
    revision: int
    created: int
    lease: int


def held_in(kv: wire.KeyValue | None) -> Held | None:
    """Return the deploy under way in what was read; None where there is none, or it is none."""
    if kv is None or not kv.value:
        return None
    try:
        value = decode_open(kv.value, UnderWay)
    except msgspec.MsgspecError:
        return None  # of a much newer engine: nothing that this one could take part in
    return Held(value=value, revision=kv.mod_revision, created=kv.create_revision, lease=kv.lease)


def asked_in(found: Mapping[bytes, wire.KeyValue]) -> tuple[Asked, ...]:
    """Return the requests among what was read, oldest first."""
    values = (decode_open(each.value, Asked) for each in found.values())
    return tuple(sorted(values, key=lambda asked: (asked.asked_ns, asked.request)))


# --- what becomes of the deploy under way -------------------------------------------


def approved(value: UnderWay, *, epoch: int, candidate: str) -> UnderWay:
    """Return it with its candidate approved, waiting for a gap of the owner of an epoch."""
    return replace(_in_epoch(value, epoch), go=True, waiting=True, candidate=candidate)


def asked_back(value: UnderWay, *, epoch: int) -> UnderWay:
    """Return it with the wish that the previous owner takes back in an epoch."""
    return replace(_in_epoch(value, epoch), give_back=True, waiting=False)


def yielding(value: UnderWay, *, epoch: int, until_ns: int) -> UnderWay:
    """Return it with the word of an epoch's owner that it steps aside until an instant."""
    return replace(_in_epoch(value, epoch), yield_until_ns=until_ns)


def waits(value: UnderWay, *, epoch: int) -> bool:
    """Tell whether its candidate waits for a gap of the owner of an epoch."""
    return value.waiting and value.epoch == epoch


def is_asked_back(value: UnderWay, *, epoch: int) -> bool:
    """Tell whether the previous owner shall take back in an epoch."""
    return value.give_back and value.epoch == epoch


def gap_until_ns(value: UnderWay, *, epoch: int) -> int:
    """Return until when the owner of an epoch steps aside, nanoseconds UTC; 0 if it does not."""
    return value.yield_until_ns if value.epoch == epoch else 0


def aborted(value: UnderWay, by: str) -> UnderWay:
    """Return it with the wish that it is undone; the first who wants that is named."""
    return value if value.abort else replace(value, abort=by)


def _in_epoch(value: UnderWay, epoch: int) -> UnderWay:
    if value.epoch == epoch:
        return value
    return replace(value, epoch=epoch, waiting=False, give_back=False, yield_until_ns=0)


# --- transactions -------------------------------------------------------------------


def filing(keys: Keys, asked: Asked, *, lease: int = 0) -> wire.Transaction:
    """Return the transaction that files a request, unless an open one names what it wants.

    Refused, it reads which one; that may be itself, delivered before.

    Args:
        keys: The application's.
        asked: The request.
        lease: As long as it lasts the deployer counts as living, although it has not begun yet; 0
            where nobody is to wait for it.
    """
    wanted = keys.wanted(asked.wants)
    steps = [
        wire.put(wanted, asked.request.encode()),
        wire.put(keys.request(asked.request), encode_open(asked)),
    ]
    if lease:
        steps.append(wire.put(keys.driven(asked.request), asked.host.encode(), lease=lease))
    return wire.Transaction(
        compare=(wire.at_revision(wanted, 0),),
        success=tuple(steps),
        failure=(wire.get(wanted), wire.get(*keys.requests)),
    )


def beginning(keys: Keys, value: UnderWay, *, lease: int) -> wire.Transaction:
    """Return the transaction that makes a deploy the one under way, where none is."""
    return wire.Transaction(
        compare=(wire.at_revision(keys.deploy, 0), wire.is_there(keys.request(value.request))),
        success=(
            wire.put(keys.deploy, encode_open(value), lease=lease),
            wire.put(keys.driven(value.request), value.host.encode(), lease=lease),
        ),
        failure=(wire.get(keys.deploy), wire.get(keys.request(value.request))),
    )


def driving(keys: Keys, request: str, host: str, *, lease: int) -> wire.Transaction:
    """Return the transaction that says that an open request's deployer lives."""
    key = keys.request(request)
    return wire.Transaction(
        compare=(wire.is_there(key),),
        success=(wire.put(keys.driven(request), host.encode(), lease=lease),),
    )


def changing(
    keys: Keys,
    held: Held,
    value: UnderWay,
    *,
    lease: int = 0,
    asked: Asked | None = None,
    revision: int = 0,
) -> wire.Transaction:
    """Return the transaction that changes the deploy under way, if nobody else did.

    Args:
        keys: The application's.
        held: As it was read.
        value: What it becomes.
        lease: Another one that it goes with from now on; 0 leaves it its own.
        asked: What its request becomes with it; refused once somebody else has changed that, or
            an abort that came between would be lost.
        revision: At which the request was read.
    """
    steps = [wire.put(keys.deploy, encode_open(value), lease=lease or held.lease)]
    if lease:
        steps.append(wire.put(keys.driven(value.request), value.host.encode(), lease=lease))
    if asked is not None:
        steps.append(wire.put(keys.request(asked.request), encode_open(asked)))
    compare = [wire.at_revision(keys.deploy, held.revision)]
    if asked is not None:
        compare.append(wire.at_revision(keys.request(asked.request), revision))
    return wire.Transaction(
        compare=tuple(compare), success=tuple(steps), failure=(wire.get(keys.deploy),)
    )


def ending(
    keys: Keys,
    asked: Asked,
    line: bytes,
    *,
    number: int,
    following: Asked | None = None,
    created: int = 0,
    read_at: int = 0,
    is_left: bool = False,
) -> wire.Transaction:
    """Return the transaction that writes down how a try ended, and with the last one closes it.

    Args:
        keys: The application's.
        asked: Its request; refused once that is closed.
        line: Its line of history.
        number: Of the line: one more than there are.
        following: What the request becomes for the try that follows; None where none does.
        created: When the deploy under way was made that is this one: it is over with it. 0 where
            this one is not under way.
        read_at: The revision at which the request was read: refused once it has gone further. 0
            where it is closed whatever it says.
        is_left: Somebody else concludes, for its deployer is gone: refused while that one lives.
    """
    steps = [wire.put(keys.line(number), line), wire.put(keys.ended, b"%d" % number)]
    if number > ENDED_KEPT:
        steps.append(wire.delete(keys.line(0), keys.line(number - ENDED_KEPT + 1)))
    compare = [wire.is_there(keys.request(asked.request)), _counted(keys, number - 1)]
    assert read_at or not (is_left or following), "what is concluded from it, or put in its place"
    if read_at:
        compare.append(wire.at_revision(keys.request(asked.request), read_at))
    if is_left:
        # With its lease went the deploy under way, if it was that, and its approval.
        compare.append(wire.at_revision(keys.driven(asked.request), 0))
    if created:
        compare.append(wire.created_at(keys.deploy, created))
        steps.append(wire.delete(keys.deploy))
    if following is not None:
        steps.append(wire.put(keys.request(asked.request), encode_open(following)))
    else:
        names = (keys.request(asked.request), keys.wanted(asked.wants))
        steps += [wire.delete(each) for each in names]
    return wire.Transaction(
        compare=tuple(compare),
        success=tuple(steps),
        failure=(wire.get(keys.request(asked.request)), wire.get(keys.deploy)),
    )


def abort_asked(there: wire.KeyValue, by: str) -> wire.Transaction:
    """Return the transaction that notes in an open request, as it was read, who wants it undone."""
    asked = decode_open(there.value, Asked)
    noted = replace(asked, aborted_by=asked.aborted_by or by)
    return wire.Transaction(
        compare=(wire.at_revision(there.key, there.mod_revision),),
        success=(wire.put(there.key, encode_open(noted)),),
    )


def _counted(keys: Keys, count: int) -> wire.Compare:
    return wire.of_value(keys.ended, b"%d" % count) if count else wire.at_revision(keys.ended, 0)


def approval(keys: Keys, created: int) -> wire.Transaction:
    """Return what a candidate's take compares besides: the deploy that approved it lives.

    Nothing for who comes to own by no approval: created 0.
    """
    if not created:
        return wire.Transaction()
    return wire.Transaction(compare=(wire.created_at(keys.deploy, created),))
