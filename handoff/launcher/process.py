"""The launcher as a process: how it is started, and what its exit status says.

Owns the shortest way from an interpreter to a running launcher. It is started with `-c`: the
machinery behind `-m` and a parser of arguments would stay in its memory for years, and weigh
more than the launcher's own code. Standard library only.
"""

from __future__ import annotations

import importlib
import os
import sys

from handoff.errors import AnotherInCharge, HandoffError
from handoff.launcher import loop as launcher
from handoff.launcher.first_start import REFUSED, FirstReleaseBroken
from handoff.launcher.self_replacement import PREFLIGHT, try_out
from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from handoff.launcher_process import main; raise SystemExit(main())"
)
_SUBREAPER_MARK: Final = "FORESIGHT_LAUNCHER_SUBREAPER"  # as in `subreaper`
_FAILED: Final = 1  # `ExitCode` of the commands, which has these two as well
_ANOTHER: Final = 7


def command(home: Path) -> list[str]:
    """Return the command that starts the launcher of a home directory; absolute."""
    engine = LightPath(__file__).parent.parent.parent
    # The standard library, and behind it where this package is: installed, that holds others too,
    # and none of them may stand in for a module of the standard library.
    alone = ["-I", "-S"]
    return [sys.executable, *alone, "-c", _PROGRAM, str(engine), "launcher", str(home)]


def main() -> int:
    """Run the launcher of the home directory named on the command line, or try whether it runs."""
    *_, last = (each for each in sys.argv if each != PREFLIGHT)
    home = cast("Path", LightPath(last))
    try:
        if PREFLIGHT in sys.argv:
            return try_out(home)
        if _SUBREAPER_MARK not in os.environ:
            # Before anything is held or started: this loads what shall not stay in memory.
            importlib.import_module("handoff.launcher.subreaper").become_subreaper()
        return launcher.main(home)
    except FirstReleaseBroken as error:
        return _fail(error, REFUSED)
    except AnotherInCharge as error:
        return _fail(error, _ANOTHER)
    except HandoffError as error:
        return _fail(error, _FAILED)


def _fail(error: HandoffError, status: int) -> int:
    text = f"error: {error}\n" + (f"hint: {error.hint}\n" if error.hint else "")
    sys.stderr.write(text)
    # Whoever started it in a terminal reads there; what went on stands in the log.
    if not sys.stderr.isatty() and sys.stdout is not None and sys.stdout.isatty():
        sys.stdout.write(text)
    return status
