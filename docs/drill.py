"""Runs a whole drill and writes its table into docs/drill.md.

Owns the page. The drill runs against a demonstration in a clone with a home of its own, so that
nothing of an installation is touched. `python docs/drill.py` rewrites the page; it takes about
two minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "drill.md"
COMMAND_S_MAX: Final = 900
FORESIGHT: Final = (sys.executable, "-I", "-m", "foresight")
INTRODUCTION: Final = """# What a drill shows

`foresight drill` (or `make drill`) does every fault below to the demonstration that runs on this
machine: it kills, stops and restarts its processes, deploys releases of the same code, and puts the
one that ran back. It refuses real money. `--dry-run` lists the faults and how long they take,
`--only NAME` chooses, `--json` prints one object; the exit code is 0 only if every row holds.

A row holds if, from a settled cycle before the fault to two cycles after everything is well again,
the journal shows no cycle missed and none doubled, epochs that rise one by one, one worker for each
epoch and as many changes of owner as the fault has to cost; if no position was altered; and if each
order on the local exchange's own ledger was executed once and is in the book. Where the owner was
not touched, no cycle may begin later than its budget. Record and journal are damaged on a copy.
"""


def main() -> int:
    """Run the drill; write the page. Return 1 if something does not hold."""
    found = run_drill()
    PAGE.write_text(page_of(found), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0 if found["ok"] else 1


def run_drill() -> dict[str, Any]:
    """Start a demonstration, drill it, stop it; return what the drill found."""
    with tempfile.TemporaryDirectory(prefix="foresight drill ", dir="/var/tmp") as place:
        clone = Path(place) / "project"
        clone_it = ["git", "clone", "-q", str(ROOT), str(clone)]
        subprocess.run(clone_it, check=True)  # noqa: S603 - no text of a stranger in it
        _foresight(Path(place), "up", "--detach")
        try:
            found: dict[str, Any] = json.loads(_foresight(Path(place), "drill", "--yes", "--json"))
        finally:
            _foresight(Path(place), "down")
    return found


def _foresight(place: Path, *words: str) -> str:
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(place / "state"),
        "FORESIGHT_ENGINE_PAGE": "127.0.0.1:0",  # no other installation's port is taken
    }
    done = subprocess.run(  # noqa: S603 - our own command
        [*FORESIGHT, *words],
        cwd=place / "project",
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=COMMAND_S_MAX,
    )
    return done.stdout


def page_of(found: dict[str, Any]) -> str:
    """Return the page of a drill's result."""
    cells, elsewhere = found["cells"], found["elsewhere"]
    rows = [
        (each["fault"], each["step"], each["seen"], each["evidence"], "✓" if each["holds"] else "✗")
        for each in cells
    ]
    command = "foresight up --detach && foresight drill --yes --json"
    said = (
        f"Written by `python docs/drill.py` from a run of `{command}` on {found['at'][:10]}: "
        f"release {found['release']}, period {found['period_s']:g} s, {found['seconds']:.0f} s."
    )
    table = _table(("fault", "step", "seen", "evidence", ""), rows)
    proofs = [(each["fault"], each["proof"]) for each in elsewhere]
    parts = [
        INTRODUCTION,
        textwrap.fill(said, 100, break_long_words=False, break_on_hyphens=False),
        table,
        "Not drilled, because it cannot be done to a running installation from outside:",
        _table(("fault", "proven by"), proofs),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


if __name__ == "__main__":
    raise SystemExit(main())
