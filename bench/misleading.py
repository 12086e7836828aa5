"""What misleads an installation and ends nothing: a copy of its home, a record put back.

Owns doing it and what came of it, as a blow. Whether that holds is `deployed`'s matter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Final

from bench.deployed import COPY, REFUSED
from bench.installation import UNDER_NAME
from bench.struck import Struck
from foresight.evidence.processes import end, workers_of
from handoff.exit_codes import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from bench.installation import Installation

KEPT_NAME: Final = "kept its host name"
COPY_S_MAX: Final = 20.0  # within that a launcher that is refused has said so
_RECORD: Final = "record.json"
_PREVIOUS: Final = "record.prev.json"


def can_rename() -> bool:
    """Tell whether a command can be run under another host name here."""
    try:
        probe = subprocess.run([*UNDER_NAME, "probe", "true"], check=False, capture_output=True)
    except FileNotFoundError:
        return False
    return probe.returncode == 0


def start_copy(installation: Installation) -> list[Struck]:
    """Copy a home as it runs, and start a launcher in the copy; it is gone afterwards."""
    at_ns = time.time_ns()
    copy = installation.directory / f"copy-{at_ns}"
    # A socket is not copied, and a log may shrink meanwhile: neither is a reason.
    words = ["/bin/cp", "-a", str(installation.home), str(copy)]
    subprocess.run(words, check=False, capture_output=True)
    try:
        said = _started_in(installation, copy)
    finally:
        for worker in workers_of(copy):
            end(worker)
        shutil.rmtree(copy, ignore_errors=True)
    return [Struck(COPY, said, 0, 0, at_ns)]


def _started_in(installation: Installation, copy: Path) -> str:
    try:
        done = installation.call("launcher", home=copy, timeout_s=COPY_S_MAX)
    except subprocess.TimeoutExpired:
        return "not refused: it runs"
    named = str(installation.home) in done.stderr and str(copy) in done.stderr
    if done.returncode == ExitCode.FAILED and named:
        return REFUSED
    return f"ended with {done.returncode}: {done.stderr.strip()[-200:]}"


def put_back(home: Path) -> list[Struck]:
    """Put the record before the newest in its place, as a restored backup does."""
    state = home / "state"
    aside = state / "put-back"
    try:
        shutil.copyfile(state / _PREVIOUS, aside)
    except FileNotFoundError:
        return []  # there is none before it
    os.replace(aside, state / _RECORD)  # noqa: PTH105 - the call that an operator's `mv` makes
    return [Struck("record", "put back", 0, 0, time.time_ns())]
