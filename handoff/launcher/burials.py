"""Ending what a worker left behind: TERM, and KILL a while later, before its leader is reaped.

Owns the workers that are gone and whose helpers are not. A helper that was forked goes on with a
copy of all that its worker had: it answers, sends, holds files. As long as the leader is not
reaped, the number of its session is nobody else's. Standard library only.
"""

from __future__ import annotations

from handoff.light_typing import TYPE_CHECKING, Final
from handoff.limits import HELPERS_KILL_S, HELPERS_LOOK_S
from handoff.processes import KILL, TERM
from handoff.sessions import command_of, members_left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handoff.processes import Identity, Watched

KILLS_MAX: Final = 3  # what survives so many cannot be ended by anybody
_KILL_AGAIN_S: Final = 1.0


class _Burial:
    """One worker that is gone, and those of its session that are not."""

    def __init__(
        self,
        leader: Identity,
        now_s: float,
        *,
        unreaped: Watched | None,
        command: Sequence[str],
    ) -> None:
        self.leader = leader
        self._unreaped = unreaped
        self._command = list(command)
        self.members: list[Watched] = []
        self.kill_s = now_s + HELPERS_KILL_S
        self.kills = 0

    def is_over(self, now_s: float) -> bool:
        """Signal whoever is left; tell whether nobody is, or nothing helps."""
        if now_s < self.kill_s and any(not each.gone() for each in self.members):
            return False
        known = {each.identity for each in self.members}
        self.close_members()
        self.members = self._left()
        if not self.members or self.kills == KILLS_MAX:
            return True
        if now_s >= self.kill_s:
            self.kills, self.kill_s = self.kills + 1, now_s + _KILL_AGAIN_S
            known = set()
        number = KILL if self.kills else TERM
        for each in self.members:
            if each.identity not in known:
                each.send(number)
        return False

    def holds(self, pid: int) -> bool:
        """Tell whether a pid is that of its leader, who is not reaped."""
        return self._unreaped is not None and self.leader.pid == pid

    def end(self) -> None:
        """Let go of everybody; the leader's number may be a stranger's from now on."""
        self.close_members()
        if self._unreaped is not None:
            self._unreaped.reap()
            self._unreaped.close()

    def _left(self) -> list[Watched]:
        found = members_left(self.leader)
        if self._unreaped is not None:
            return found
        ours = [each for each in found if command_of(each.identity.pid) == self._command]
        for each in found:
            if each not in ours:
                each.close()
        return ours

    def close_members(self) -> None:
        for each in self.members:
            each.close()
        self.members = []


class Burials:
    """The burials that go on."""

    def __init__(self) -> None:
        """Start without any."""
        self._open: list[_Burial] = []

    def begin(self, leader: Watched, now_s: float) -> None:
        """Take a worker that is gone; it is reaped and closed when its session is empty.

        Args:
            leader: Not reaped yet, if it is a child of this process.
            now_s: Monotonic time.
        """
        self._open.append(_Burial(leader.identity, now_s, unreaped=leader, command=()))
        self.go_on(now_s)

    def begin_unseen(self, leader: Identity, command: Sequence[str], now_s: float) -> None:
        """Take a worker that ended while nobody watched, and may be reaped for long.

        The number of its session may be a stranger's by now: only what has the worker's own
        command, as whatever it forked has, is ended. What it executed is left.

        Args:
            leader: Proven dead, of this boot and pid namespace.
            command: The words it was started with.
            now_s: Monotonic time.
        """
        self._open.append(_Burial(leader, now_s, unreaped=None, command=command))
        self.go_on(now_s)

    def go_on(self, now_s: float) -> None:
        """Look after each of them."""
        for burial in list(self._open):
            if burial.is_over(now_s):
                burial.end()
                self._open.remove(burial)

    def is_leader(self, pid: int) -> bool:
        """Tell whether a pid is that of a leader that is not reaped yet."""
        return any(each.holds(pid) for each in self._open)

    def next_look_s(self, now_s: float) -> float | None:
        """Return when to look again; None where nothing is left to do."""
        return now_s + HELPERS_LOOK_S if self._open else None

    def wait(self) -> None:
        """Wait for a member to end, at most until the next look; return at once without one."""
        for burial in self._open:
            for member in burial.members:
                if not member.wait(HELPERS_LOOK_S):
                    return
