"""What a deploy on another host wants of this worker, in the words of its own launcher.

Owns a line that speaks for both: what the launcher says, and what the deploy under way in the etcd
says to whoever owns in the epoch that it names. What is told by a watch is believed, for it is
manners alone: who may own is asked of the record. Where a busy owner steps aside it says so there.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from handoff.wire import Kind
from state.errors import StateError
from state.etcd import deploys

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.wire import Message
    from handoff.worker.ports import Channel
    from state.etcd.deploys import Held, UnderWay
    from state.etcd.wire import KeyValue


class Told(Protocol):
    """What a watch has heard of the deploy under way."""

    @property
    def revision(self) -> int | None:
        """At which it was last written; None until something was heard."""
        ...

    @property
    def told(self) -> KeyValue | None:
        """The deploy as it was told last; None where none is under way."""
        ...


class Desk(Protocol):
    """Where an owner says that it steps aside."""

    def change(self, request: str, step: Callable[[UnderWay], UnderWay]) -> Held | None:
        """Change the deploy under way, if it is that request's."""
        ...


def messages_of(held: Held | None, *, epoch: int) -> list[Message]:
    """Return what a deploy under way says to the workers of an epoch, as a launcher says it."""
    if held is None:
        return []
    value, said = held.value, list[dict[str, object]]()
    if deploys.waits(value, epoch=epoch):
        said.append({"kind": Kind.WAITING.value})
    if deploys.is_asked_back(value, epoch=epoch):
        said.append({"kind": Kind.RETURN.value, "deploy": value.attempt})
    until_ns = deploys.gap_until_ns(value, epoch=epoch)
    if until_ns:
        said.append({"kind": Kind.YIELDING.value, "until_ns": until_ns})
    return said


class LineBeyond:
    """A worker's line to its launcher and to the deploys of other hosts.

    Args:
        line: That to the launcher.
        watch: What is told of the deploy under way.
        desk: Where a word for it is left.
        epoch: Returns the epoch of the record as this worker knows it.
    """

    def __init__(self, line: Channel, watch: Told, desk: Desk, *, epoch: Callable[[], int]) -> None:
        """Start without having heard anything."""
        self._line = line
        self._watch = watch
        self._desk = desk
        self._epoch = epoch
        self._heard: object = None
        self._approval = 0  # the deploy that approved this candidate, by when it began

    def tell(self, kind: Kind, **members: object) -> None:
        """Tell the launcher; that an owner steps aside is told to other hosts as well."""
        self._line.tell(kind, **members)
        held = deploys.held_in(self._watch.told)
        if kind is not Kind.YIELDING or held is None:
            return
        epoch, until_ns = self._epoch(), members["until_ns"]
        assert isinstance(until_ns, int), "a moment"
        with contextlib.suppress(StateError):  # manners: the candidate finds another gap
            self._desk.change(
                held.value.request,
                lambda value: deploys.yielding(value, epoch=epoch, until_ns=until_ns),
            )

    def received_nowait(self) -> list[Message]:
        """Return what either has said since the last call."""
        said = self._line.received_nowait()
        for message in said:
            if message.get("kind") == Kind.GO.value:
                self._approval = int(message.get("approval", 0))
        revision, epoch = self._watch.revision, self._epoch()
        if revision is None or (revision, epoch) == self._heard:
            return [*said, *self._voided()]
        self._heard = (revision, epoch)
        held = deploys.held_in(self._watch.told)
        return [*said, *messages_of(held, epoch=epoch), *self._voided()]

    def _voided(self) -> list[Message]:
        """Say once that the deploy which approved this candidate is over."""
        held, revision = deploys.held_in(self._watch.told), self._watch.revision
        known = revision is not None and revision >= self._approval > 0
        if not known or (held is not None and held.created == self._approval):
            return []
        self._approval = 0
        return [{"kind": Kind.VOID.value}]
