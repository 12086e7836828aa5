"""What the launcher weighs, beside an interpreter that does nothing.

Owns that measurement on a running installation: resident and proportional memory, files
mapped that are neither the system's nor the interpreter's, and modules of strangers.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from bench.installation import Installation, environment
from handoff.wire import Kind

WEIGHT_MAX: Final = 1.5  # times a bare interpreter
_SETTLE_S: Final = 1.0


class Weight(NamedTuple):
    """Memory in KiB, and what it is made of.

    Attributes:
        launcher_rss: Resident memory of the launcher.
        bare_rss: The same of an interpreter that sleeps.
        launcher_pss: Proportional memory: pages shared with others count in part.
        bare_pss: The same of an interpreter that sleeps.
        foreign_files: Mapped libraries from a `site-packages`.
        foreign_modules: Imported modules that are neither the standard library's nor ours.
    """

    launcher_rss: int
    bare_rss: int
    launcher_pss: int
    bare_pss: int
    foreign_files: tuple[str, ...]
    foreign_modules: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Resident memory of the launcher, in bare interpreters."""
        return self.launcher_rss / self.bare_rss

    @property
    def is_light(self) -> bool:
        """Whether it is within its bound and made of nothing foreign."""
        foreign = self.foreign_files or self.foreign_modules
        return self.ratio <= WEIGHT_MAX and not foreign


def weigh(installation: Installation) -> Weight:
    """Weigh the launcher of a running installation."""
    status = installation.ask(Kind.STATUS)
    bare = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(9)"], env=environment())
    try:
        time.sleep(_SETTLE_S)
        launcher = Path("/proc") / str(status["pid"])
        beside = Path("/proc") / str(bare.pid)
        return Weight(
            launcher_rss=_field(launcher / "status", "VmRSS"),
            bare_rss=_field(beside / "status", "VmRSS"),
            launcher_pss=_field(launcher / "smaps_rollup", "Pss"),
            bare_pss=_field(beside / "smaps_rollup", "Pss"),
            foreign_files=_foreign_files(launcher / "maps"),
            foreign_modules=tuple(set(status["foreign_modules"]) - _start_up_modules()),
        )
    finally:
        bare.kill()
        bare.wait()


def _field(path: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None, f"{path} has a line {name}"
    return int(found[1])


def _start_up_modules() -> set[str]:
    """Return what any interpreter of this environment has loaded before it does anything."""
    command = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    found = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in found.stdout.split()}


def _foreign_files(maps: Path) -> tuple[str, ...]:
    names = re.findall(r"\s(/.*/site-packages/.*)$", maps.read_text(), re.MULTILINE)
    return tuple(sorted({Path(name).name for name in names}))
