"""What can go wrong with fenced state, split by who has to act next.

Owns every exception of this package. Leaves carry facts as attributes; the text is
derived from them. No I/O and no decision enters here.

- `Refused`: a rule said no and nothing changed. The caller looks again.
- `StateUnusable`: what is on disk cannot be used as it is. An operator decides.
- `WriteFailed`: the medium refused a write. The old state stands; try again later.
- `OutcomeUnknown`: the write may have landed. Read before doing anything else.
"""

from __future__ import annotations

import enum


class StateError(Exception):
    """Base of every error of this package.

    Attributes:
        hint: What the operator can do, or an empty string.
    """

    hint = ""


class Refusal(enum.Enum):
    """Why a transition refused; the record is unchanged in every case."""

    NOT_OWNER = "not_owner"  # the epoch or the worker in the record is another one
    EVIDENCE_STALE = "evidence_stale"  # the record moved on since the caller looked
    NOT_SETTLED = "not_settled"  # the cycle in hand is decided, its effects are not final
    NOT_DECIDED = "not_decided"  # there is no decided cycle to settle
    OUT_OF_ORDER = "out_of_order"  # the cycle is not the next one
    EFFECT_PENDING = "effect_pending"  # an effect is planned and has no fate yet
    EFFECT_UNKNOWN = "effect_unknown"  # a fate was given for an effect nobody planned
    EFFECT_REPEATED = "effect_repeated"  # an effect id is in the outbox already
    TOO_MANY_EFFECTS = "too_many_effects"  # one decision plans more than it may
    TOO_LATE = "too_late"  # the next boundary is nearer than the take margin
    BAKING = "baking"  # another release is in its first cycles
    NOT_BAKING = "not_baking"  # there is no bake to shorten
    OWNER_ALIVE = "owner_alive"  # nothing proves that the owner is dead or overdue
    HALTED = "halted"  # the kill switch is on and the decision has effects
    ALREADY_OWNER = "already_owner"  # the caller owns the record already
    ATTEMPTS_SPENT = "attempts_spent"  # the next step cost its limit of owners: it is given up
    TOO_MANY_MARKS = "too_many_marks"  # the record holds as many words of operators as it may
    OTHER_CADENCE = "other_cadence"  # a cycle number of the owner means another moment


class Refused(StateError):
    """A transition is not allowed on this record; nothing changed.

    Attributes:
        refusal: The rule that said no.
        detail: The two facts that disagree, in words.
    """

    def __init__(self, refusal: Refusal, detail: str) -> None:
        """Keep the rule and the facts."""
        super().__init__(f"{refusal.value}: {detail}")
        self.refusal = refusal
        self.detail = detail


class StateUnusable(StateError):
    """The stored state cannot be used as it is; an operator has to decide."""


class RecordMissing(StateUnusable):
    """There is no record here, and none may be invented."""

    hint = "start with `up` to create one, or check the home directory"

    def __init__(self, where: str) -> None:
        """Keep where it was looked for."""
        super().__init__(f"there is no record at {where}")
        self.where = where


class RecordDamaged(StateUnusable):
    """The record does not match its own digest or shape."""

    hint = "run `foresight state repair`; `state restore` brings back an exported copy"

    def __init__(self, where: str, reason: str) -> None:
        """Keep where the record is and what is wrong with it."""
        super().__init__(f"{where} is damaged: {reason}")
        self.where = where
        self.reason = reason


class RecordBehind(RecordDamaged):
    """The journal has gone further than the record, and who reads cannot follow it.

    Attributes:
        release: The release that wrote the newest line: its code can.
        cycle: The cycle of that line.
    """

    hint = "start the release that is named, or run `foresight state repair`"

    def __init__(self, where: str, *, release: str, cycle: int, why: str) -> None:
        """Keep who can bring the record forward."""
        reason = f"the journal has gone on to cycle {cycle} of release {release}; {why}"
        super().__init__(where, reason)
        self.release = release
        self.cycle = cycle


class RecordForeign(StateUnusable):
    """The record belongs to another app, another timeline or a newer format."""

    hint = "choose another home directory, or run the program that owns this one"

    def __init__(self, field: str, *, found: str, expected: str) -> None:
        """Keep which field disagrees and both of its values."""
        super().__init__(f"the record's {field} is {found}, this program expects {expected}")
        self.field = field
        self.found = found
        self.expected = expected


class SchemaMismatch(StateUnusable):
    """The body cannot be brought to the schema that this code knows."""

    hint = "deploy a release that knows this schema, or add the missing migration step"

    def __init__(self, schema: str, *, found: int, known: int, reason: str) -> None:
        """Keep both versions and why no path leads from one to the other."""
        super().__init__(f"schema {schema}: stored version {found}, known {known}: {reason}")
        self.schema = schema
        self.found = found
        self.known = known
        self.reason = reason


class ValueUnstorable(StateError):
    """A value cannot be stored without changing its meaning (NaN, infinity)."""

    hint = "keep numbers finite; store a missing number as None"


class JournalBroken(StateUnusable):
    """The journal's chain does not hold: a line was removed, repeated or changed.

    Attributes:
        segment: File name of the segment.
        line: Number of the first line, counted from 1, at which the chain breaks.
        cycle: The cycle that line speaks of, or None where it cannot be read.
    """

    hint = "run `cycles --check` for the place; restore the segment from a backup"

    def __init__(self, segment: str, line: int, *, cycle: int | None, reason: str) -> None:
        """Keep the place and the reason."""
        place = f"{segment} line {line}" + ("" if cycle is None else f" (cycle {cycle})")
        super().__init__(f"journal {place}: {reason}")
        self.segment = segment
        self.line = line
        self.cycle = cycle
        self.reason = reason


class JournalOvertaken(StateError):
    """Segments were pruned while the journal was read, again and again; it is not broken."""

    hint = "try again; a retention of so few segments leaves no time to read them"

    def __init__(self) -> None:
        """Say what happened."""
        super().__init__("the journal was pruned while it was read")


class HomeUnsuitable(StateUnusable):
    """The directory cannot carry state: not writable, a network or a volatile file system."""

    def __init__(self, path: str, reason: str, hint: str) -> None:
        """Keep the path, the reason and the remedy."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.hint = hint


class LockTimeout(StateError):
    """The record's lock was not free within the bound; nothing was done."""

    hint = "another process holds the lock for too long; `doctor` names it"


class WriteFailed(StateError):
    """The medium refused a write; the old record stands, whole.

    Attributes:
        errno: The operating system's error number.
    """

    def __init__(self, path: str, cause: OSError) -> None:
        """Keep the path and the operating system's word."""
        super().__init__(f"cannot write {path}: {cause.strerror or cause}")
        self.path = path
        self.errno = cause.errno


class DiskFull(WriteFailed):
    """No room is left for the write; the old record stands, whole."""

    hint = "free disk space; the bot goes on by itself with the next cycle"


class OutOfReach(WriteFailed):
    """No member of the etcd answered in time; nothing changed."""

    hint = "look whether a majority of the etcd's members runs and can be reached from here"


class EtcdShut(OutOfReach):
    """The etcd answers and lets nobody in with these credentials; nothing changed."""

    hint = "check the user in the credentials and its password in etcd"


class EtcdMixed(StateUnusable):
    """The endpoints that are named belong to different etcds: each would have a record."""

    hint = "start its members as one cluster (`--initial-cluster`), or name those of one"

    def __init__(self, where: str) -> None:
        """Keep which endpoints."""
        super().__init__(f"{where} is more than one etcd: its members do not know each other")


class EtcdOlder(StateUnusable):
    """The etcd knows less than this program has seen: it was put back from a copy."""

    hint = "stop the launchers of all hosts, then run `state repair` on each of them"

    def __init__(self, where: str, fact: str) -> None:
        """Keep which etcd and what gives it away."""
        super().__init__(f"{where} was put back to an earlier state: {fact}")
        self.fact = fact


class AccountOther(StateUnusable):
    """The record acts for another account than this host."""

    hint = "name the same account on every host; `etcdctl del` of that key forgets the other one"

    def __init__(self, key: str) -> None:
        """Keep the key that names the account; whose it is, is nobody's to read."""
        super().__init__(f"{key} in the etcd names another account than this host acts for")
        self.key = key


class EtcdRefuses(StateUnusable):
    """Etcd does not let us do what a store needs."""

    hint = "check the user in the credentials and its role in etcd"


class DeployClosed(StateError):
    """How a deploy ended is written down already: there is nothing left to do about it."""

    hint = "`foresight deploys` shows how it ended"

    def __init__(self, request: str) -> None:
        """Keep which one."""
        super().__init__(f"deploy {request} has ended")
        self.request = request


class LeaseGone(StateError):
    """The lease that a key was to go with is gone; nothing changed."""


class OutcomeUnknown(StateError):
    """The write may have landed: read the record and compare the attempt id."""

    def __init__(self, attempt: str) -> None:
        """Keep the attempt id to look for."""
        super().__init__(f"the outcome of write {attempt} is unknown")
        self.attempt = attempt
