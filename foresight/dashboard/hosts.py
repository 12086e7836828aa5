"""The hosts that share a record, as the page shows them, and what its reader must know first.

Owns which of it is a trouble. What a host is, is said in the words of `status`. It is a pure
function of what was heard and the time; without an etcd there is nothing to show.
"""

from dataclasses import dataclass

from foresight.dashboard.snapshot import Trouble
from handoff.commands.host_words import CLOCK_REMEDY, host_state, instant, warnings_of
from state.hosts_seen import HostSeen, HostsSeen, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One host.

    Attributes:
        name: Its name.
        is_here: The page is of this one.
        owns: It owns, or did when it was heard last.
        counts: It could go on if the owner's host were gone, or is that host.
        words: What it is.
    """

    name: str
    is_here: bool
    owns: bool
    counts: bool
    words: str


def host_rows(seen: HostsSeen | None) -> tuple[HostRow, ...]:
    """Return each host, this one first."""
    return () if seen is None else tuple(map(_row, seen.hosts))


def _row(host: HostSeen) -> HostRow:
    return HostRow(
        name=host.name,
        is_here=host.is_here,
        owns=host.role is Role.OWNER,
        counts=host.counts_as_standby,
        words=host_state(host),
    )


def is_away(seen: HostsSeen | None, now_ms: float) -> bool:
    """Tell whether the record is out of this host's reach, as far as somebody here looks."""
    return seen is not None and seen.is_fresh(now_ms) and seen.away_since_ms > 0


def host_troubles(seen: HostsSeen | None, now_ms: float) -> list[Trouble]:
    """Return what of the hosts its reader must know first; nobody is called dead.

    Args:
        seen: What was heard; None without an etcd.
        now_ms: Wall-clock time, milliseconds UTC.
    """
    if seen is None:
        return []
    heard = f"as known at {instant(seen.heard_ms)}" if seen.heard_ms else "not known"
    if is_away(seen, now_ms):
        since = instant(seen.away_since_ms)
        text = f"The etcd with the record is out of reach since {since}: this host decides nothing."
        hint = f"what stands here is {heard}; see that its members run and can be reached"
        return [Trouble(level="stop", text=text, hint=hint)]
    if not seen.is_fresh(now_ms):
        text = f"No worker of this host listens to the others: they are {heard}."
        return [Trouble(level="warn", text=text, hint="foresight status")]
    found = [
        Trouble(level="warn", text=f"{host.name} is {host_state(host)}.")
        for host in seen.hosts
        if host.is_silent
    ]
    return found + [
        Trouble(level="warn", text=warning, hint=CLOCK_REMEDY) for warning in warnings_of(seen)
    ]
