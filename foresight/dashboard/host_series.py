"""Series about the hosts that share a record: which counts, how far its clock is off, lost leases.

Owns their names and what they say; a record of one host has none of them. As everything of other
hosts it is what this one heard last, and nobody is called dead.
"""

from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric

from foresight.dashboard.cycles import CycleLine, happened
from foresight.dashboard.engine_series import S_PER_MS, gauge, labelled
from foresight.dashboard.hosts import is_away
from foresight.dashboard.snapshot import Snapshot
from state.hosts_seen import HostsSeen
from state.transitions import Proof


def host_series(snapshot: Snapshot, now_ms: int) -> Iterator[Metric]:
    """Yield the series about all hosts; their names are limited in length, and their number.

    Args:
        snapshot: What was read.
        now_ms: Wall-clock time, milliseconds UTC.
    """
    seen = snapshot.hosts
    if seen is None:
        return
    yield from _reach(seen, now_ms)
    yield labelled(
        "foresight_host_counts",
        "Whether a host owns, or could go on if the owner's host were gone.",
        "host",
        {host.name: host.counts_as_standby for host in seen.hosts},
    )
    yield labelled(
        "foresight_host_heard_timestamp_seconds",
        "When a host was heard last.",
        "host",
        {host.name: host.heard_ms * S_PER_MS for host in seen.hosts},
    )
    yield from _clocks(seen)
    yield from _leases(happened(snapshot.lines))


def _reach(seen: HostsSeen, now_ms: int) -> Iterator[Metric]:
    says = "Whether the etcd with the record answers this host."
    yield gauge("foresight_record_in_reach", says, not is_away(seen, now_ms))
    says = "When it answered last."
    yield gauge("foresight_record_reached_timestamp_seconds", says, seen.heard_ms * S_PER_MS)


def _clocks(seen: HostsSeen) -> Iterator[Metric]:
    known = {host.name: host.clock for host in seen.hosts if host.clock is not None}
    yield labelled(
        "foresight_host_clock_ahead_seconds",
        "How far the clock of a host is ahead of this one's.",
        "host",
        {name: clock.ahead_ms * S_PER_MS for name, clock in known.items()},
    )
    yield labelled(
        "foresight_host_clock_apart_seconds",
        "How far the two are apart at least.",
        "host",
        {name: clock.apart_ms * S_PER_MS for name, clock in known.items()},
    )


def _leases(lines: Iterable[CycleLine]) -> Iterator[Metric]:
    """Yield when an owner was followed that nobody saw end; the newest lines say, or nothing."""
    ended = [each.at_ms for each in lines if each.evidence.get("proof") == Proof.LEASE_ENDED.value]
    if ended:
        says = "When another host followed an owner whose lease had ended."
        yield gauge("foresight_newest_lease_end_timestamp_seconds", says, max(ended) * S_PER_MS)
