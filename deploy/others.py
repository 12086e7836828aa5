"""Deploys of other hosts, seen from this one: their history is kept, what is left is ended.

Owns the companion of a home whose record other hosts share. It decides nothing about ownership: it
copies lines, and writes down how a deploy ended whose deployer is gone, as record and journal say.
A bake that goes on without its deployer is asked back for who aborted it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from deploy import history, requests, settling
from deploy.across import newest_entries
from state.atomic_file import SystemFiles, replace_file
from state.errors import DeployClosed, StateError
from state.heard import counting, newest_heard
from state.local_store import read_only_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from state.etcd.deploy_desk import DeployDesk
    from state.etcd.deploys import Asked

POLL_S: Final = 1.0
GRACE_S: Final = 5.0  # a deployer that was killed is started again; its launcher may be as well
KNOWN: Final = "deploys-known"  # in `run/`: number of the newest line of all hosts' that is here


class Others:
    """Looks at the deploys of all hosts for one home.

    Args:
        home: The state directory.
        desk: The deploys of all hosts.
        follow: Lets the home follow up to the newest record.
        give_back: Asks this host's workers to end a deploy's bake.
        say: Told what was done; the same words once.
    """

    def __init__(
        self,
        home: Path,
        desk: DeployDesk,
        *,
        follow: Callable[[], None],
        give_back: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        """Begin with nothing seen."""
        self._home = home
        self._desk = desk
        self._follow = follow
        self._give_back = give_back
        self._say = say
        self._said = ""
        self._gone_since_s: dict[str, float] = {}

    def run(self) -> None:
        """Look again and again until TERM or INT comes."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.wait(POLL_S):
            self.look(time.monotonic())

    def look(self, now_s: float) -> None:
        """Look once; what is wrong is said, and looked at again the next time."""
        try:
            self._copy()
            for each in self._gone(now_s):
                self._settle(each)
        except (StateError, OSError) as error:
            self._tell(f"error: {error}")

    def _copy(self) -> None:
        known, count = self._known(), self._desk.count()
        if known == count:
            return
        # An etcd that was put back counts anew: what is here already is not written twice.
        for entry in newest_entries(self._desk, known if known < count else 0):
            history.finish(self._home, entry)
        replace_file(SystemFiles(), self._home / "run" / KNOWN, b"%d" % count)

    def _known(self) -> int:
        try:
            return int((self._home / "run" / KNOWN).read_bytes())
        except (OSError, ValueError):
            return 0

    def _gone(self, now_s: float) -> list[Asked]:
        """Return the requests of other hosts whose deployers are gone for a while."""
        here = {each.deploy for each in requests.open_requests(self._home)}
        left = [
            each
            for each in self._desk.open()
            if each.request not in here and not self._desk.is_driven(each.request)
        ]
        since_s = {each.request: self._gone_since_s.get(each.request, now_s) for each in left}
        self._gone_since_s = since_s
        return [each for each in left if now_s - since_s[each.request] > GRACE_S]

    def _settle(self, asked: Asked) -> None:
        self._follow()
        lines = counting(newest_heard(self._home / "journal"))
        found = settling.settled(asked, read_only_snapshot(self._home / "state"), lines)
        if found is None:
            if asked.aborted_by:  # said to nobody else: who drove its bake is gone
                self._give_back(asked.attempt)
            return
        entry = replace(
            msgspec.json.decode(asked.entry, type=history.Entry),
            outcome=found.outcome.value,
            reason=found.reason,
        )
        line = history.entry_line(entry).rstrip(b"\n")
        with contextlib.suppress(DeployClosed):
            if self._desk.write_down(asked, line, is_left=True):
                self._tell(f"{asked.request} {entry.outcome}: {entry.reason or 'it owns'}")

    def _tell(self, words: str) -> None:
        if words != self._said:
            self._say(words)
        self._said = words
