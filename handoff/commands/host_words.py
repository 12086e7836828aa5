"""All hosts of a record in words: who owns, who stands by, who does not, whose clock is off.

Owns the sentences for people and the members for programs. What is said of a host is what was heard
of it last; where the etcd is out of reach, or nobody here listens, that is said before anything
else, and nobody is called dead. No file, clock or process enters here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from handoff.limits import MS, SHARED_SKEW_WARNED_MS
from handoff.plurals import counted
from state.hosts_seen import Role
from state.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from state.hosts_seen import HostSeen, HostsSeen

CLOCK_REMEDY: Final = "let a time service set the clocks of all hosts (chrony, systemd-timesyncd)"
_OF_ROLE: Final = {
    Role.OWNER: "owner",
    Role.CANDIDATE: "candidate of a deploy",
    Role.STANDBY: "standby",
}


def host_lines(seen: HostsSeen, now_ms: float) -> list[str]:
    """Return one line for each host, and before them what keeps that from being news.

    Args:
        seen: What was heard.
        now_ms: Wall-clock time, milliseconds UTC.
    """
    return [*_stale(seen, now_ms), *(host_line(each) for each in seen.hosts)]


def host_line(host: HostSeen) -> str:
    """Return what is known of a host, in one line."""
    here = " (this one)" if host.is_here else ""
    return f"{host.name}{here}: {host_state(host)}{_clock(host)}"


def host_state(host: HostSeen) -> str:
    """Return what a host is, in a few words."""
    if host.is_silent:
        return why_not(host)
    if not host.counts_as_standby:
        return f"not standby: {why_not(host)}"
    beside = f", {counted(host.standbys, 'standby', 'standbys')} beside it" if host.standbys else ""
    return f"{_OF_ROLE[host.role]}{beside}"


def why_not(host: HostSeen) -> str:
    """Return why a host could not go on if the owner's host were gone."""
    because = f": {host.why}" if host.why else ""
    if host.is_silent:
        was = _OF_ROLE.get(host.role, "not standby")
        return f"silent since {instant(host.silent_since_ms)}, {was} when heard last{because}"
    if host.role is Role.LEFT:
        return f"its worker left at {instant(host.heard_ms)}{because}"
    return host.why or "it does not say why"


def warnings_of(seen: HostsSeen) -> list[str]:
    """Return what an operator has to mend: clocks that are further apart than hosts may be."""
    return [
        clock_warning(host)
        for host in seen.hosts
        if host.clock is not None and host.clock.apart_ms > SHARED_SKEW_WARNED_MS
    ]


def clock_warning(host: HostSeen) -> str:
    """Return the sentence about a clock that is too far off."""
    assert host.clock is not None, "it was measured"
    ahead_ms = host.clock.ahead_ms
    side = "ahead of" if ahead_ms > 0 else "behind"
    return (
        f"The clock of {host.name} is {abs(ahead_ms) / 1e3:.2f} s {side} this host's "
        f"(within {host.clock.uncertain_ms / 1e3:.2f} s); "
        f"more than {SHARED_SKEW_WARNED_MS / 1e3:g} s costs punctuality."
    )


def not_standby(seen: HostsSeen, now_ms: float) -> list[str]:
    """Return a sentence for each host that could not go on if the owner's host were gone.

    Args:
        seen: What was heard.
        now_ms: Wall-clock time, milliseconds UTC.
    """
    if seen.away_since_ms or not seen.is_fresh(now_ms):
        return []  # what is old says nothing of now
    return [
        f"{host.name} does not count as standby: {why_not(host)}."
        for host in seen.hosts
        if not host.counts_as_standby
    ]


def hosts_as_json(seen: HostsSeen, now_ms: float) -> dict[str, Any]:
    """Return all hosts as JSON builtins.

    Args:
        seen: What was heard.
        now_ms: Wall-clock time, milliseconds UTC.
    """
    return {
        "is_fresh": seen.is_fresh(now_ms),
        "heard_ms": seen.heard_ms,
        "away_since_ms": seen.away_since_ms,
        "says": host_lines(seen, now_ms),
        "warnings": warnings_of(seen),
        "all": [_as_json(host) for host in seen.hosts],
    }


def titled(told: Mapping[str, Any] | None, *, title: str, warned: str, width: int) -> Iterator[str]:
    """Yield what `hosts_as_json` returned as lines of a summary, under their titles.

    Args:
        told: What it returned; None where there is one host.
        title: Before the first host.
        warned: Before the first warning.
        width: Of the column of titles.
    """
    if told is None:
        return
    for words, lines in ((title, told["says"]), (warned, told["warnings"])):
        for number, line in enumerate(lines):
            yield f"{'' if number else words:<{width}}{line}"


def instant(milliseconds: float) -> str:
    """Return a moment as people read it: to the second, UTC."""
    return rfc3339(round(milliseconds * MS))[:19] + "Z"


def _stale(seen: HostsSeen, now_ms: float) -> Iterator[str]:
    heard = instant(seen.heard_ms) if seen.heard_ms else ""
    known = f"as known at {heard}" if heard else "nothing is known of any host"
    if not seen.is_fresh(now_ms):
        yield f"no worker here listens: {known}"
    elif seen.away_since_ms:
        yield f"etcd out of reach since {instant(seen.away_since_ms)}: {known}"


def _clock(host: HostSeen) -> str:
    if host.clock is None or host.is_silent:
        return ""
    ahead_ms, uncertain_ms = host.clock.ahead_ms, host.clock.uncertain_ms
    if abs(ahead_ms) <= uncertain_ms:
        return f", its clock within {(abs(ahead_ms) + uncertain_ms) / 1e3:.2f} s of this one"
    side = "ahead" if ahead_ms > 0 else "behind"
    return f", its clock {abs(ahead_ms) / 1e3:.2f} s {side} (within {uncertain_ms / 1e3:.2f} s)"


def _as_json(host: HostSeen) -> dict[str, Any]:
    clock = host.clock
    return {
        "host": host.name,
        "here": host.is_here,
        "role": host.role.value,
        "standbys": host.standbys,
        "counts_as_standby": host.counts_as_standby,
        "why": host.why,
        "release": host.release,
        "line": host.line,
        "heard_ms": host.heard_ms,
        "silent_since_ms": host.silent_since_ms,
        "clock_ahead_ms": None if clock is None else round(clock.ahead_ms, 3),
        "clock_uncertain_ms": None if clock is None else round(clock.uncertain_ms, 3),
    }
