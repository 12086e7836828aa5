"""Which hosts there are, from what their workers say: who owns, who stands by, who is silent.

Owns how what was read becomes hosts, and when one counts as silent. No clock is read and nothing
is sent here. Silence is counted on the clock of who listens, and only up to the last answer: while
nothing is heard at all nobody grows silent. It proves nothing of a host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from state.etcd.clock_gap import Gap, Moment, Told, together
from state.etcd.presence import Present, decode_present
from state.hosts_seen import HostSeen, HostsSeen, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from state.etcd.wire import KeyValue

SILENT_MS: Final = 4_000.0  # everybody says something about once a second
FORGOTTEN_MS: Final = 60_000.0  # so long a worker's last word stays beside another one's
ENTRIES_MAX: Final = 64  # of all hosts; the newest ones
_RANK: Final = (Role.OWNER, Role.CANDIDATE, Role.STANDBY, Role.NOT_STANDBY, Role.LEFT)


class Entry(msgspec.Struct, kw_only=True):
    """One worker as it was heard last.

    Attributes:
        said: Its words.
        revision: At which they were written.
        changed: When they were first heard here.
        gap: Of its host's clock.
    """

    said: Present
    revision: int
    changed: Moment
    gap: Gap

    @property
    def role(self) -> Role:
        """What it is."""
        return Role(self.said.role)


class Roll:
    """What one listener knows of all hosts.

    Args:
        mark: Of the listener's own host; empty for who has none.
    """

    def __init__(self, mark: str = "") -> None:
        """Have heard of nobody."""
        self._mark = mark
        self._entries: dict[bytes, Entry] = {}
        self._asked: Moment | None = None  # the newest reading that was answered
        self._answered = Moment(0.0, 0.0)

    def hear(self, found: Iterable[KeyValue], *, asked: Moment, answered: Moment) -> None:
        """Take in what one reading found.

        Args:
            found: What the workers of all hosts said last.
            asked: When it was sent.
            answered: When its answer was there.
        """
        newest = sorted(found, key=lambda each: each.mod_revision)[-ENTRIES_MAX:]
        heard: dict[bytes, Entry] = {}
        for each in newest:
            said = decode_present(each.value)
            if said is not None:
                heard[each.key] = self._heard(each, said, answered)
        self._entries, self._asked, self._answered = heard, asked, answered

    def stale(self) -> tuple[bytes, ...]:
        """Return the keys of this host's workers that are long gone beside one that is not."""
        mine = {key: each for key, each in self._entries.items() if each.said.mark == self._mark}
        if not self._mark or not any(self._is_heard(each) for each in mine.values()):
            return ()
        return tuple(key for key, each in mine.items() if self._age_ms(each) > FORGOTTEN_MS)

    def seen(self, *, written_ms: float, away_since_ms: float = 0.0) -> HostsSeen:
        """Return all hosts.

        Args:
            written_ms: The time now, by the wall clock.
            away_since_ms: Since when etcd does not answer; 0 while it does.
        """
        groups: dict[tuple[str, str], list[Entry]] = {}
        for each in self._entries.values():
            groups.setdefault((each.said.host, each.said.mark), []).append(each)
        names = [host for host, _ in groups]
        hosts = [
            self._host(
                entries,
                name=f"{host or '?'} ({mark})" if names.count(host) > 1 else host or "?",
                is_here=bool(mark) and mark == self._mark,
            )
            for (host, mark), entries in groups.items()
        ]
        return HostsSeen(
            hosts=tuple(sorted(hosts, key=lambda each: (not each.is_here, each.name))),
            heard_ms=self._answered.wall_ms,
            away_since_ms=away_since_ms,
            written_ms=written_ms,
        )

    def _heard(self, found: KeyValue, said: Present, answered: Moment) -> Entry:
        known = self._entries.get(found.key)
        if known is not None and known.revision == found.mod_revision:
            return known
        entry = Entry(said=said, revision=found.mod_revision, changed=answered, gap=Gap())
        if known is not None:
            entry.gap = known.gap
        if self._asked is None:
            # Nobody saw how long it stands there: its own clock says so, until it changes.
            age_ms = max(0.0, answered.wall_ms - said.at_ms)
            entry.changed = Moment(answered.wall_ms - age_ms, answered.boot_ms - age_ms)
        elif said.mark != self._mark:
            told = Told(said.at_ms, said.before_ms, said.took_ms)
            entry.gap.hear(told, missed_ms=self._asked.wall_ms, found_ms=answered.wall_ms)
        return entry

    def _age_ms(self, entry: Entry) -> float:
        return self._answered.boot_ms - entry.changed.boot_ms

    def _is_heard(self, entry: Entry) -> bool:
        return entry.role is not Role.LEFT and self._age_ms(entry) <= SILENT_MS

    def _host(self, entries: Sequence[Entry], *, name: str, is_here: bool) -> HostSeen:
        heard = [each for each in entries if self._is_heard(each)]
        newest = max(entries, key=lambda each: each.changed.boot_ms)
        first = min(heard, key=lambda each: _RANK.index(each.role)) if heard else newest
        is_silent = not heard and newest.role is not Role.LEFT
        clocks = [clock for each in entries if (clock := each.gap.clock()) is not None]
        return HostSeen(
            name=name,
            is_here=is_here,
            role=first.role,
            standbys=sum(each.role is Role.STANDBY for each in heard if each is not first),
            why=first.said.why,
            release=first.said.release,
            line=max(each.said.line for each in entries),
            heard_ms=newest.changed.wall_ms,
            silent_since_ms=newest.changed.wall_ms if is_silent else 0.0,
            clock=together(clocks),
        )
