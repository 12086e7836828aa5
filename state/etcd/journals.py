"""Which homes keep a journal of a record in etcd, and of which cycles: each says so itself.

Owns when it is said: before a worker is ready and before a takeover, and at each checkpoint in one
try for which nobody waits. It is said for good: a repair asks all of these homes, and what one has
no lines of another may prove.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from state.etcd import wire
from state.etcd.put_back import Kept
from state.journal_frames import crosses_checkpoint
from state.record import Phase

if TYPE_CHECKING:
    from state.etcd.keys import Keys
    from state.etcd.session import Session
    from state.host_journal import HostJournal
    from state.record import Progress


class Journals:
    """The homes of one application.

    Args:
        session: Who asks and says.
        keys: The application's.
        home: The one that is spoken for; None where nobody follows.
    """

    def __init__(self, session: Session, keys: Keys, home: HostJournal | None) -> None:
        """Keep the parts; nothing was said yet."""
        self._session = session
        self._keys = keys
        self._home = home
        self._cycle = -1  # the newest settled one that the home has followed

    def known(self) -> tuple[Kept, ...]:
        """Return which homes keep a journal, as they said last.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        found = self._session.read(wire.get(*self._keys.journals))
        return tuple(msgspec.json.decode(each.value, type=Kept) for each in found.values())

    def say(self) -> None:
        """Say which cycles this home has a journal of.

        Raises:
            OutOfReach: Etcd did not answer.
            StateError: The journal cannot be read.
        """
        transaction = self._saying()
        if transaction is not None:
            self._session.settle(transaction, self._session.patience_s)

    def say_now_and_then(self, progress: Progress) -> None:
        """Say it again once the cycle of a checkpoint is settled.

        Raises:
            EtcdOlder: Etcd was put back.
        """
        before = self._cycle
        self._cycle = progress.cycle - (progress.phase is not Phase.SETTLED)
        if before < 0 or not crosses_checkpoint(before, self._cycle):
            return
        transaction = self._saying()
        if transaction is not None:
            self._session.once(transaction)

    def _saying(self) -> wire.Transaction | None:
        """Return what says it, where it was not said already."""
        seen = self._home.seen() if self._home is not None else None
        if self._home is None or seen is None:
            return None
        place, covered = self._home.place, self._home.covered()
        kept = Kept(
            home=seen.home,
            host=place.host,
            machine=place.machine,
            last=covered.last,
            holes=tuple(covered.holes),
        )
        key, value = self._keys.journal(seen.home), msgspec.json.encode(kept)
        compare = (wire.of_value(key, value),)
        return wire.Transaction(compare=compare, failure=(wire.put(key, value),))
