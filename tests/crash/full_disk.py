"""A small disk of its own, an installation on it, and the disk running full.

`python -m tests.crash.full_disk DISK OUTSIDE [CATCH_UP_S]`, inside a user and mount namespace:
mounts a tmpfs on DISK, runs the engine there, fills it while an effect is under way, frees it
again, and prints what was seen as JSON. OUTSIDE is on another disk: trees, the witness and the
launcher's output.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from bench.installation import is_alive
from handoff.exit_codes import ExitCode
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines, verify_chain
from state.record import Phase
from state.record_file import RECORD, SPARE, read_generation
from tests.process.hurt import ENTRY, PERIOD_NS, Hurt

DISK_BYTES: Final = 8 << 20
BLOCK: Final = bytes(4096)
FULL_S: Final = 3.0  # six cycles


def mount(disk: Path) -> None:
    """Put a small tmpfs on a directory."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    subprocess.run(words, check=True, timeout=30)


class Filler:
    """A file that takes all the room there is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self) -> None:
        with self._path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(BLOCK)

    def free(self) -> None:
        self._path.unlink()


def run(disk: Path, outside: Path, catch_up_s: float | None) -> dict[str, Any]:
    """Run the story; return what was seen."""
    filler = Filler(disk / "filler")
    with Hurt(outside, home=disk / "home") as hurt:
        # It works on after its effect, so that there is a moment to fill the disk in.
        tree = hurt.release("v0", place="performed", fault="slow", catch_up_s=catch_up_s)
        hurt.start(tree, ENTRY, "--force-filesystem")
        seen = fill_and_wait(hurt, filler)
        filler.free()
        resumed = hurt.wait_cycles(3)
        hurt.wait(lambda: punctual(hurt), "a punctual cycle")
        seen |= {
            "owners": len({each.pid for each in hurt.reports()}),
            "spare_back": (hurt.home / "state" / SPARE).exists(),
        }
        seen |= {"down": hurt.down() == ExitCode.DONE, "logged": logged(hurt)}
        report = whole(hurt)
        done = Counter(each.cycle for each in hurt.reports() if each.kind == "perform")
        seen |= {"resumed_after": resumed - seen["cycle"], "decided": report.decided}
        seen |= {"missed": [each.reason for each in report.missed], "performed": len(done)}
        return seen | {"twice": sum(count > 1 for count in done.values())}


def fill_and_wait(hurt: Hurt, filler: Filler) -> dict[str, Any]:
    """Fill the disk while an effect is under way; return what happens on a full disk."""
    hurt.wait_cycles(2)
    owner = hurt.the_owner()
    had_spare = (hurt.home / "state" / SPARE).exists()
    cycle = hurt.wait_cycles(1)
    filler.fill()
    hurt.wait(lambda: settled(hurt, cycle), "the fate of what was planned")
    spent = not (hurt.home / "state" / SPARE).exists()
    filler.fill()  # what the spare left over goes too
    stood = hurt.record()
    time.sleep(FULL_S)
    whole(hurt)
    return {
        "cycle": cycle,
        "spent": had_spare and spent,
        "stood_still": hurt.record() == stood,
        "alive": is_alive(owner) and hurt.owner() == owner,
        "performed_while_full": hurt.progress() - cycle,
    }


def punctual(hurt: Hurt) -> bool:
    """Tell whether the newest cycle began within its own period."""
    newest = [each for each in hurt.reports() if each.kind == "observe"][-1]
    return newest.at_ns - newest.cycle * PERIOD_NS < PERIOD_NS


def settled(hurt: Hurt, cycle: int) -> bool:
    record = hurt.record()
    assert record is not None, "it runs"
    return record.progress.cycle == cycle and record.progress.phase is Phase.SETTLED


def whole(hurt: Hurt) -> Any:  # noqa: ANN401 - a CycleReport
    """Prove record and journal; return the count of cycles."""
    found = read_generation(hurt.home / "state" / RECORD)
    verify_chain(hurt.home / "journal", digest=found.digest, cycle=found.record.progress.cycle)
    report = audit_cycles(effective(read_lines(hurt.home / "journal")))
    assert report.is_complete, report
    return report


def logged(hurt: Hurt) -> list[str]:
    """Return the reasons of all commits that failed, as the logs have them."""
    reasons = []
    for path in (hurt.home / "logs").glob("*.log"):
        for line in path.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if event.get("event") == "commit_failed":
                    reasons.append(event["reason"])
    return reasons


def main(disk: Path, outside: Path, catch_up_s: str = "") -> None:
    mount(disk)
    seen = run(disk, outside, float(catch_up_s) if catch_up_s else None)
    sys.stdout.write(json.dumps(seen) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.umask(0o077)
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
