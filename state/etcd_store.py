"""The record in etcd: the same port as on a disk, a commit by compare-and-swap.

Owns when a change is applied again, and whose a commit was. One that was refused because somebody
wrote is applied to the newer record. One without an answer is sent again as it is: its comparisons
let it happen once, and the line at its number tells whose commit won. So an unknown outcome leaves
here only where etcd is out of reach. What a transaction says is in `etcd.keys`, how long it is
tried in `etcd.session`.

An etcd that knows less than this store has seen, or its home before it, was put back from a copy:
nothing is read from it and nothing written until it is repaired (`etcd_repair`).
"""

from __future__ import annotations

import errno
import secrets
import time
from typing import TYPE_CHECKING, Final

from state.commit import Generation, plan_commit, plan_genesis
from state.errors import (
    EtcdOlder,
    LeaseGone,
    LockTimeout,
    OutcomeUnknown,
    OutOfReach,
    RecordMissing,
    StateError,
    WriteFailed,
)
from state.etcd import commits, deploys, wire
from state.etcd import keys as plans
from state.etcd.account import Account
from state.etcd.client import Client, EtcdError
from state.etcd.herald import Herald, system_moment
from state.etcd.journals import Journals
from state.etcd.keeper import Keeper, boot_clock_ns
from state.etcd.lines import READINGS_MAX, Lines
from state.etcd.presence import encode_present
from state.etcd.reruns import applied, require_another_try, require_same_epoch
from state.etcd.session import CHUNK_LEASE_S, TAKE_S_MAX, Session
from state.etcd.survey import require_one
from state.etcd.watch import SILENCE_S_MAX, Watch
from state.host_journal import Newest
from state.journal import AppendInDoubt
from state.record import check_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from state.commit import Commit
    from state.etcd.address import Cluster
    from state.etcd.herald import Listener
    from state.etcd.lease import Standing
    from state.etcd.presence import Present
    from state.etcd.put_back import Kept
    from state.host_journal import HostJournal
    from state.journal_frames import Line
    from state.record import Record, Timeline
    from state.store import Change, Note

RERUNS_MAX: Final = 64  # losses in a row; of two who write without a pause one lost 16


class EtcdStore:
    """A `Store` in etcd.

    Args:
        cluster: Where it is.
        app: Name of the application; another one's record is refused.
        timeline: Likewise; None for who only looks at what is there.
        account: Names the account that this host acts for, perhaps empty: a record of another
            one is refused. None for who never owns.
        now_ns: Reads the wall clock, nanoseconds UTC; for the lines' times only.
        lease_s: How long ownership outlasts the last renewal, seconds; 0 for who never owns.
        boot_ns: Reads nanoseconds since boot.
        silence_s: A watch that is silent for so long is opened anew, seconds.
        patience_s: How long a read or a commit is tried, seconds; None for as long as a change of
            leader takes at most.
        home: Where this host keeps its journal and its mirror; None for who only looks.
        on_trouble: Told why home could not follow a commit: the commit stands all the same.
        listener: Who hears what all hosts say; None for who says nothing of itself.
    """

    def __init__(  # noqa: PLR0913 - the last seven are for the caller who needs another one
        self,
        cluster: Cluster,
        *,
        app: str,
        timeline: Timeline | None,
        now_ns: Callable[[], int],
        account: str | None = None,
        lease_s: int = 0,
        boot_ns: Callable[[], int] = boot_clock_ns,
        silence_s: float = SILENCE_S_MAX,
        patience_s: float | None = None,
        home: HostJournal | None = None,
        on_trouble: Callable[[str], None] | None = None,
        listener: Listener | None = None,
    ) -> None:
        """Keep the parts; nothing is connected yet."""
        self._listener = listener
        self._herald: Herald | None = None
        self._home = home
        self._on_trouble = on_trouble
        self._cluster = cluster
        self._app = app
        self._timeline = timeline
        self._now_ns = now_ns
        self._silence_s = silence_s
        self._keys = plans.Keys(cluster.prefix)
        seen = home.sighting() if home is not None else None
        self._deploys = deploys.Keys(cluster.prefix)
        self._account = Account(self._keys.account, account)
        self._session = Session(cluster, patience_s=patience_s, seen=seen)
        self._lines = Lines(self._session, self._keys)
        self._journals = Journals(self._session, self._keys, home)
        self._watches: tuple[Watch, ...] = ()
        self._keeper: Keeper | None = None
        if lease_s:
            self._keeper = Keeper(Client(cluster), Client(cluster), ttl_s=lease_s, boot_ns=boot_ns)
        self._seen: plans.Seen | None = None  # the newest that this store knows
        self._kept = ""  # digest of the newest record that the home followed
        self._kept_number = 0  # of that record's line
        self._trouble: StateError | None = None  # why it could not follow the newest

    def read(self) -> Record:
        """See `Store.read`."""
        return self._look().record

    def create(self, record: Record) -> Record:
        """See `Store.create`."""
        try:
            return self.read()
        except RecordMissing:
            self._check(record)
            require_one(self._cluster)
        new = self._sent_ahead(plan_genesis(record, now_ns=self._now_ns()), number=1)
        found = self._session.read(wire.get(self._keys.account)).get(self._keys.account)
        held = None if found is None else found.value
        self._account.check(held)
        transaction = commits.genesis_transaction(self._keys, new, self._account.claim(held))
        self._session.settle(transaction, self._session.patience_s, attempt=record.attempt)
        return self.read()  # it is there now, whoever was faster

    def transact(self, change: Change, note: Note) -> Record:
        """See `Store.transact`; `change` may be applied several times."""
        seen = self._seen or self._look()
        record = applied(change, seen)
        if record is None:  # it says no, perhaps only to what is old by now
            seen = self._look()
            record = change(seen.record)
        was_unbound = False
        for _ in range(RERUNS_MAX):
            if record is seen.record:
                return record
            if was_unbound and seen.is_owner_bound:
                require_same_epoch(seen.record, record)
            newer = self._commit(seen, record, note, change)
            if newer is None:
                return record
            require_another_try(note)
            was_unbound = not seen.is_owner_bound
            seen, record = newer, change(newer.record)
        raise LockTimeout  # others write between every reading and its commit

    def token(self) -> tuple[int | None, ...] | None:
        """Return at which revision the record was last written, as far as etcd has told.

        For who may own also that of the owner's key, which goes without a write of the record.
        """
        if not self._watches:
            # Every commit writes the head, and it is small: a watch sends what was written.
            keys = [self._keys.head] + ([self._keys.owner] if self._keeper else [])
            self._watches = tuple(
                Watch(Client(self._cluster, first=1), key, silence_s=self._silence_s)
                for key in keys
            )
        found = tuple(each.revision for each in self._watches)
        return None if None in found else found

    def close(self) -> None:
        """See `Store.close`; a lease is given back."""
        for each in (*self._watches, self._herald, self._keeper, self._session, self._home):
            if each is not None:
                each.close()
        self._watches, self._seen = (), None

    def hold_lease(self) -> Standing:
        """Get a lease where none is held; return it.

        Raises:
            OutOfReach: Etcd gave none.
        """
        assert self._keeper is not None, "who may own says how long its lease is"
        held = self._keeper.standing()
        if held.is_held:
            return held
        try:
            return self._keeper.grant()
        except EtcdError as error:
            raise self._session.failed(errno.ETIMEDOUT, str(error)) from error

    def standing(self) -> Standing:
        """Return the lease as it is known now; nothing is asked."""
        assert self._keeper is not None, "who may own says how long its lease is"
        return self._keeper.standing()

    def bind_anew(self, *, epoch: int) -> bool:
        """Bind the key of an owner whose lease is gone to a new lease of this store.

        Epoch and effects stay; until this says that it is done the owner, who calls, sends nothing.

        Args:
            epoch: The caller's.

        Returns:
            Whether it is bound; False where somebody wrote or bound it first: look again.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        assert self._keeper is not None, "who may own says how long its lease is"
        seen = self._look()
        ownership = seen.record.ownership
        if ownership.owner is None or ownership.epoch != epoch or seen.is_owner_bound:
            return False
        lease = self.hold_lease().lease
        owner = plans.Owner(epoch=epoch, worker=ownership.owner.worker)
        claim = self._account.claim(seen.account)
        transaction = commits.binding_transaction(self._keys, seen, owner, lease=lease, claim=claim)
        try:
            answer = self._session.settle(transaction, self._session.patience_s)
        except LeaseGone:
            self._keeper.lost(lease)
            return False
        bound = commits.bound_anew(self._keys, seen, answer, lease=lease)
        self._seen = bound or seen
        return bound is not None

    def bound_lease(self) -> int:
        """Return which lease the owner's key went with when this store last looked; 0 for none."""
        return 0 if self._seen is None else self._seen.owner_lease

    def epoch(self) -> int:
        """Return the epoch of the newest record that this store knows; -1 for none."""
        return -1 if self._seen is None else self._seen.record.ownership.epoch

    def say_present(self, present: Present) -> bool:
        """Write that a worker is there; tell whether etcd took it within one request's time.

        That is how it is known that etcd writes: who counts time against somebody counts it only
        while this succeeds.

        Raises:
            EtcdOlder: It was put back.
        """
        try:
            lease = self.hold_lease().lease
        except OutOfReach:
            return False
        step = wire.put(self._keys.writes(present.worker), encode_present(present), lease=lease)
        return self._session.once(wire.Transaction(success=(step,)))

    def introduce(self, present: Present) -> None:
        """Say to all hosts what this worker is, from now on about once a second, and hear them."""
        if self._herald is None and self._listener is not None:
            self._herald = Herald(
                Client(self._cluster),
                self._keys,
                mark=self._listener.mark,
                now=system_moment,
                line=lambda: self._kept_number,
                hand=self._listener.hand,
            )
        if self._herald is not None:
            self._herald.say(present)

    def keep_up(self) -> None:
        """Let the home follow up to the newest record, or say why it cannot.

        Raises:
            WriteFailed: Its disk failed.
            StateError: What lies in it does not fit, or etcd could not be read.
        """
        self._look()
        if self._trouble is not None:
            raise self._trouble
        self._journals.say()

    def journals(self) -> tuple[Kept, ...]:
        """Return which homes keep a journal, as they said last.

        Raises:
            OutOfReach: Etcd did not answer.
        """
        return self._journals.known()

    def newest_line(self) -> int:
        """Return the number of the newest line."""
        return self._lines.newest()

    def line(self, number: int) -> Line:
        """Return a journal line by its number.

        Raises:
            RecordMissing: There is none, or none any more.
        """
        return self._lines.line(number)

    def _look(self) -> plans.Seen:
        known = () if self._seen is None else (self._seen.number,)
        for _ in range(READINGS_MAX):
            seen = self._seen_in(self._session.read(*self._keys.reading(*known)))
            if seen is not None:
                return seen
        raise LockTimeout  # others write faster than it can be read

    def _seen_in(self, found: Mapping[bytes, wire.KeyValue]) -> plans.Seen | None:
        """Return what was read; None where its chunks are gone: it is old by now."""
        self._session.note_repairs(plans.repairs_in(found, self._keys))
        self._require_history(found)
        stored = found.get(self._keys.record)
        if stored is None and self._home is not None:
            self._home.require_nothing_followed(self._lines)
        data = None if stored is None else self._lines.whole(stored.value)
        if stored is not None and data is None:
            return None
        seen = plans.seen_of(self._keys, found, data)
        self._check(seen.record)
        self._account.check(seen.account)
        self._seen = seen
        assert data is not None, "there is a record"
        self._keep(seen, data)
        return seen

    def _commit(
        self, seen: plans.Seen, record: Record, note: Note, change: Change
    ) -> plans.Seen | None:
        """Commit; return None if it happened, otherwise what there is instead."""
        before = Generation(seen.record, seen.digest)
        commit = plan_commit(before, record, note, now_ns=self._now_ns())
        new = self._sent_ahead(commit, number=seen.number + 1)
        if new.chunks and note.kind == "take":
            change(seen.record)  # they took their time: by now it may refuse
        binding, answer = self._sent(seen, new, note)
        if answer.succeeded:
            self._seen = commits.landed(
                seen,
                new,
                binding,
                revision=answer.header.revision,
                account=self._account.mine if commits.comes_to_own(new, binding) else None,
            )
            self._keep(self._seen, commit.data, written=commit.line)
            return None
        found = answer.found()
        if commits.is_commit(found.get(self._keys.line(new.number)), new):
            self._seen_in(found)  # an earlier delivery of it; somebody may have written on top
            return None
        return self._seen_in(found) or self._look()

    def _sent(
        self, seen: plans.Seen, new: commits.Written, note: Note
    ) -> tuple[commits.Binding | None, wire.TransactionAnswer]:
        """Send a commit, once more where its lease is found gone, all within the time of one."""
        record = new.commit.generation.record
        limit_s = TAKE_S_MAX if note.kind == "take" else self._session.patience_s
        until_s = time.monotonic() + limit_s
        spare = self._session.grant(CHUNK_LEASE_S) if seen.chunks else 0
        binding = self._binding(seen.record, record)
        claim = commits.NO_CLAIM
        if commits.comes_to_own(new, binding):
            approved = deploys.approval(self._deploys, note.approval)
            claim = commits.claimed(self._account.claim(seen.account), approved)

        def settle(binding: commits.Binding | None) -> wire.TransactionAnswer:
            transaction = commits.commit_transaction(
                self._keys, seen, new, binding=binding, claim=claim, lease=spare
            )
            left_s = until_s - time.monotonic()
            return self._session.settle(transaction, left_s, attempt=record.attempt)

        try:
            return binding, settle(binding)
        except LeaseGone:
            if binding is None or self._keeper is None:
                raise
            self._keeper.lost(binding.lease)
        binding = self._binding(seen.record, record)
        return binding, settle(binding)

    def _binding(self, before: Record, after: Record) -> commits.Binding | None:
        owner = after.ownership.owner
        if (before.ownership.epoch, before.ownership.owner) == (after.ownership.epoch, owner):
            return None
        if owner is None or self._keeper is None:
            return commits.Binding()
        named = plans.Owner(epoch=after.ownership.epoch, worker=owner.worker)
        return commits.Binding(lease=self.hold_lease().lease, owner=named)

    def _sent_ahead(self, commit: Commit, *, number: int) -> commits.Written:
        new = commits.written(self._keys, commit, number=number, writing=secrets.token_hex(4))
        if len(new.chunks) > commits.CHUNKS_MAX:
            reason = f"record and line have {len(new.chunks)} MiB, {commits.CHUNKS_MAX} at most"
            raise self._session.failed(errno.EFBIG, reason)
        self._session.send_ahead(new.chunks)
        return new

    def _keep(self, seen: plans.Seen, data: bytes, *, written: Line | None = None) -> None:
        """Let the home follow; a commit stands whatever happens there."""
        if self._home is None or self._kept == seen.digest:
            return
        of, sighting = Generation(seen.record, seen.digest), self._session.sighting()
        try:
            self._home.follow(Newest(of, data, seen.number, sighting), self._lines, written=written)
        except EtcdOlder:
            raise
        except OSError as error:
            self._trouble = WriteFailed("the home's journal", error)
        except AppendInDoubt:
            self._trouble = OutcomeUnknown(seen.record.attempt)
        except StateError as error:
            self._trouble = error
        else:
            self._kept, self._trouble = seen.digest, None
            self._kept_number = seen.number
            self._journals.say_now_and_then(seen.record.progress)
            return
        if self._on_trouble is not None:
            self._on_trouble(str(self._trouble))

    def _require_history(self, found: Mapping[bytes, wire.KeyValue]) -> None:
        """Refuse an etcd in which a line that was read says something else, or is gone.

        Revisions alone do not tell: once others have written to it, they are as high as before.
        """
        seen, counter = self._seen, found.get(self._keys.counter)
        newest = int(counter.value) if counter is not None else 0
        if seen is None or newest - seen.number >= plans.LINES_KEPT:
            return  # nothing was read, or it went with the old ones
        stored = found.get(self._keys.line(seen.number))
        if stored is None or plans.mark_of(stored.value).result != seen.digest:
            fact = f"line {seen.number} is not the one that was read there"
            raise self._session.older(fact)

    def _check(self, record: Record) -> None:
        check_identity(record, app=self._app, timeline=self._timeline or record.timeline)
