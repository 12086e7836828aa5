"""What can go wrong in a handoff, split by who is at fault.

Owns every exception of this package; standard library only, so that the launcher can
load it. Leaves carry facts; the text is derived.
"""

from __future__ import annotations

from handoff.plain_text import storable


class HandoffError(Exception):
    """Base of every error of this package; `hint` says what to do next."""

    hint = ""


class NotRunning(HandoffError):
    """No launcher answers under this home directory."""

    hint = "start it with `up`"


class StoppedHalf(HandoffError):
    """A launcher ended before what it was asked to stop."""

    hint = "`up` takes it over, then `down`"

    def __init__(self, pid: int) -> None:
        """Keep who goes on."""
        super().__init__(f"the launcher ended, and pid {pid} goes on without one")


class AnotherInCharge(HandoffError):
    """A living launcher holds this home directory already."""

    hint = "use `status` to see it, `down` to stop it"


class HomeCopied(HandoffError):
    """This home is a copy of one whose owner lives."""

    hint = "stop the other one first (`down` there), or go on with it and remove this copy"


class OwnerUnproven(HandoffError):
    """Nothing proves that the owner that the record names is dead."""

    hint = (
        "if it is: `up --moved` says so for this one owner; "
        '`[engine] volume = "exclusive"` says that one machine at a time has this home'
    )


class LifeLockUnusable(HandoffError):
    """A worker cannot take the lock that proves its life; without it, it must not own."""

    hint = "make room on the disk of the home directory"


class WireBroken(HandoffError):
    """A peer said something that is not a message of this protocol."""


class ReleaseUnusable(HandoffError):
    """A release directory lacks what is needed to start it."""

    hint = "deploy it again; its directory is rebuilt from the source"


class EntryMissing(HandoffError):
    """A release's module is there, and has nothing of the name that its entry says.

    Attributes:
        entry: `module:name`, as it was said.
    """

    hint = "say module:name, as news:look for `look` in news.py"

    def __init__(self, entry: str, *, near: str) -> None:
        """Keep the entry, beside the name in that module that may be meant, or an empty string."""
        module, _, name = entry.partition(":")
        ask = f"; did you mean {module}:{near}?" if near else ""
        super().__init__(f"module {module} has nothing called {name}{ask}")
        self.entry = entry


class WorkloadFaulty(HandoffError):
    """The application broke a rule of the engine: its own fault, not the world's.

    Attributes:
        reason: What it did, in words for the deploy history.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        self.reason = storable(reason)  # it may quote a name that the release made up
        super().__init__(self.reason)


class NotComparable(WorkloadFaulty):
    """A recorded cycle lacks what other code needs to decide it: nothing speaks against it."""


class InvalidTransition(HandoffError):
    """An event came in a phase that has no rule for it; nothing changed."""


class OpenFilesLacking(HandoffError):
    """This process may have too few files open, and may not raise that limit itself.

    Attributes:
        allowed: How many it may have open.
    """

    hint = (
        "raise the hard limit where it is started: `ulimit -n` of a shell (root's, or "
        "limits.conf), LimitNOFILE= of a unit, --ulimit nofile= of a container"
    )

    def __init__(self, allowed: int, *, needed: int) -> None:
        """Keep how many are allowed, beside how many are needed."""
        super().__init__(f"at most {allowed} open files are permitted here, {needed} are needed")
        self.allowed = allowed


class PathTooLong(HandoffError):
    """A path does not fit where the operating system wants it."""

    hint = "choose a shorter home directory"
