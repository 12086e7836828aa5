"""Merges of every kind into a branch that goes live by itself: good, refused, returned.

The owner's cycles go on throughout, by a witness outside the engine: each effect was told once.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from handoff.processes import KILL, identity_of, watch
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines
from tests.process.teller import Teller

if TYPE_CHECKING:
    from deploy import history

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(300)]

MIB: Final = 1 << 20
LEAK_BYTES: Final = 48 * MIB  # a cycle
ROOM_BYTES: Final = 300 * MIB  # what this host has to give away
LEAKS: Final = f"""\
globals().setdefault("LEAKED", []).append(bytearray({LEAK_BYTES}))
for leaked in LEAKED:
    leaked[::4096] = bytes(len(leaked) // 4096)
"""
SEEN: Final = "seen: list[int] = []"
NOTES: Final = "notes: list[int] = []"
UP: Final = '{1: lambda plain: {"cycles": plain["cycles"], "notes": plain["seen"]}}'
DOWN: Final = '{2: lambda plain: {"cycles": plain["cycles"], "seen": plain["notes"]}}'


class Merging(Teller):
    """A bot whose branch goes live; each version is merged from a branch of its own."""

    def merged(self, subject: str, **version: str | int) -> history.Entry:
        """Merge a version; return how its deploy ended."""
        git = self.project.git
        git("checkout", "--quiet", "-b", subject.replace(" ", "-"))
        self.version(subject, **version)  # type: ignore[arg-type]
        return self._merged_branch(subject)

    def merged_file(self, subject: str, name: str, text: str) -> history.Entry:
        """Merge a change of one file; return how its deploy ended."""
        self.project.git("checkout", "--quiet", "-b", subject.replace(" ", "-"))
        self.project.write(name, text)
        self.project.commit(subject)
        return self._merged_branch(subject)

    def _merged_branch(self, subject: str) -> history.Entry:
        self.project.git("checkout", "--quiet", "main")
        head = self.project.merge(subject.replace(" ", "-"), "--no-ff")

        def ended() -> list[history.Entry]:
            return [each for each in self.deploys() if each.commit == head]

        self.wait(lambda: bool(ended()), f"the end of {subject}")
        (entry,) = ended()
        assert entry.by == "hook"
        return entry

    def take_back(self) -> None:
        """Take the newest merge back on the branch, without its own deploy."""
        self.project.git("reset", "--quiet", "--hard", "HEAD~1")


def resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0
    return pages * 4096


def end_the_largest(bot: Teller, ended: threading.Event) -> None:
    """Kill the owner once it holds more than there is to give away, as the kernel does."""
    while not ended.wait(0.02):
        record = bot.record()
        owner = record.ownership.owner if record is not None else None
        if owner is None or resident_bytes(owner.pid) < ROOM_BYTES:
            continue
        watched = watch(identity) if (identity := identity_of(owner.pid)) is not None else None
        if watched is not None:
            watched.send(KILL)
            watched.close()


def test_merges_of_all_kinds_and_no_cycle_is_lost(tmp_path: Path) -> None:
    with Merging(tmp_path) as bot:
        bot.version("first", fields=SEEN)
        bot.install_hook(bake=8)
        bot.up()
        bot.run_cycles(22)
        first = bot.cycle() - 21

        lock = bot.merged_file("another lock", "requirements.lock", "# nothing else\n")
        assert lock.outcome == "permanent", lock
        assert "environment" in lock.phases

        # With 3 of 10, the cycles at hand may begin and end so that a quarter of them differs.
        differs = bot.merged(
            "differs", fields=SEEN, decide="amount = 2 if cycle.number % 10 < 4 else 1"
        )
        assert differs.outcome == "refused", differs
        assert "recorded cycles are decided otherwise" in differs.reason
        bot.take_back()

        syntax = bot.merged_file("no syntax", "worker.py", "def (\n")
        assert syntax.outcome == "refused", syntax
        assert "SyntaxError" in syntax.reason
        bot.take_back()

        one_way = bot.merged("one way", fields=NOTES, schema=2, up=UP)
        assert one_way.outcome == "refused", one_way
        assert "there is no step down from version 2" in one_way.reason
        bot.take_back()

        both_ways = bot.merged("both ways", fields=NOTES, schema=2, up=UP, down=DOWN)
        assert both_ways.outcome == "permanent", both_ways
        sound = bot.live()

        ended = threading.Event()
        kernel = threading.Thread(target=end_the_largest, args=(bot, ended))
        kernel.start()
        leaks = bot.merged("leaks", observe=LEAKS, fields=NOTES, schema=2, up=UP, down=DOWN)
        ended.set()
        kernel.join()
        assert leaks.outcome == "returned", leaks
        assert leaks.cycle is not None
        bot.run_cycles(3)
        assert bot.live() == sound

        last = bot.cycle() - 1
        told = Counter(line.split()[0] for line in bot.told.read_text("utf-8").splitlines())
        due = [f"tell-{cycle}" for cycle in range(first, last + 1)]
        assert [each for each in due if told[each] != 1] == []
        audit = audit_cycles(list(effective(read_lines(bot.home / "journal"))))
        assert audit.is_complete
        assert not audit.missed
        assert not audit.doubled
