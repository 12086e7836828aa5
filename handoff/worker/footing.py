"""What an owner stands on besides the record: nothing on one host, a lease where hosts share it.

Owns the questions that a worker asks before it acts as an owner, or against one, and the answers
of a record that has its home to itself. What a lease answers is in `leased`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from state.hosts_seen import Role


class Footing(Protocol):
    """What a worker asks before it acts as an owner, or against one."""

    @property
    def is_shared(self) -> bool:
        """Whether workers of other hosts may own."""
        ...

    def get_ready(self) -> None:
        """Get what an owner needs, before this worker says that it is ready or takes.

        Raises:
            OutOfReach: The record is out of reach.
            StateError: The home cannot follow the record.
        """
        ...

    def may_begin(self) -> bool:
        """Tell whether an owner may begin a cycle now."""
        ...

    def seconds_to_send(self, wanted_s: float) -> float:
        """Return how long a request may take that is sent now; 0 where it must not be sent."""
        ...

    def is_lost(self) -> bool:
        """Tell whether this owner has to stand anew before it may send: see `regain`."""
        ...

    def regain(self, epoch: int) -> bool:
        """Stand anew as the owner of an epoch; tell whether it does, or has to look again.

        Raises:
            OutOfReach: The record is out of reach.
        """
        ...

    def time_counts(self) -> bool:
        """Tell whether the record could be written just now: only then time counts against others.

        May ask, and wait for the answer as long as one request may take.
        """
        ...

    def has_lapsed(self) -> bool:
        """Tell whether the owner, as the record was read last, stands on nothing any more."""
        ...

    def stand(self, role: Role, why: str = "") -> None:
        """Say to all hosts what this worker is from now on; nothing is waited for.

        Args:
            role: What it is.
            why: Why it is no standby, or leaves.
        """
        ...


class Alone:
    """The footing of a record in its own home: the lock says who writes, and nobody is away."""

    is_shared = False

    def get_ready(self) -> None:
        """See `Footing.get_ready`."""

    def may_begin(self) -> bool:
        """See `Footing.may_begin`."""
        return True

    def seconds_to_send(self, wanted_s: float) -> float:
        """See `Footing.seconds_to_send`."""
        return wanted_s

    def is_lost(self) -> bool:
        """See `Footing.is_lost`."""
        return False

    def regain(self, epoch: int) -> bool:
        """See `Footing.regain`."""
        return bool(epoch)

    def time_counts(self) -> bool:
        """See `Footing.time_counts`."""
        return True

    def has_lapsed(self) -> bool:
        """See `Footing.has_lapsed`."""
        return False

    def stand(self, role: Role, why: str = "") -> None:
        """See `Footing.stand`; there is no other host."""
