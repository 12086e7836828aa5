"""A host that a test can end: its boot, name, processes and `/tmp` are its own, its disk is ours.

Everything that was started there ends with it at once, as at a power cut or when a container is
killed. What lies on the disk stays, and the next host finds it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.process import shifted_clock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

NAMESPACES: Final = ("--user", "--map-root-user", "--pid", "--mount", "--uts")
AS_HOST: Final = ("unshare", *NAMESPACES, "--fork", "--kill-child", "--mount-proc")
# Says that it is dressed, and does what process 1 does: nothing, until it is ended.
DRESS: Final = f"""
hostname "$1"
{shifted_clock.DRESS}mount --bind "$2/boot_id" /proc/sys/kernel/random/boot_id
mount --bind "$2/machine-id" /etc/machine-id
mount --bind "$2/tmp" /tmp
shift 2
echo dressed
exec "$@"
"""
PATH: Final = "/usr/local/bin:/usr/bin:/bin"
WAITING: Final = ("sleep", "infinity")
LIMIT_S: Final = 200.0


@cache
def can_be() -> bool:
    """Tell whether this machine gives namespaces to its users."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    probe = ["sh", "-ec", "mount --bind /dev/null /etc/machine-id"]
    return subprocess.run([*AS_HOST, *probe], check=False, capture_output=True).returncode == 0


class Host:
    """A host.

    Args:
        place: A new directory for what is its own.
        name: The host's name.
        boot: Boot id of its kernel.
        machine: Its machine id; empty where there is none, as in most containers.
        has_network: It has a network of its own, with nothing in it at first.
        clock_ms: Its wall clock is so far ahead, milliseconds; needs libfaketime where it is.
    """

    def __init__(
        self,
        place: Path,
        name: str,
        *,
        boot: str,
        machine: str,
        has_network: bool = False,
        clock_ms: int = 0,
    ) -> None:
        """Write what it is dressed with; nothing runs yet."""
        self._network = ("--net",) if has_network else ()
        self.tmp = place / "tmp"
        self.tmp.mkdir(parents=True)
        self.tmp.chmod(0o1777)
        if clock_ms:
            shifted_clock.shift(place, clock_ms)
        (place / "boot_id").write_text(f"{boot}\n", encoding="ascii")
        (place / "machine-id").write_text(f"{machine}\n" if machine else "", encoding="ascii")
        self.output = place / "output"
        self._dress = ("sh", "-ec", DRESS, "sh", name, str(place))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it with nothing but its first process, unless it was started with another one."""
        return (
            self
            if self._process is not None
            else self.start(WAITING, {"PATH": "/usr/local/bin:/usr/bin:/bin"})
        )

    def __exit__(self, *_: object) -> None:
        """End whatever runs there."""
        self.end()

    def start(self, first: tuple[str, ...], variables: Mapping[str, str]) -> Self:
        """Start it with its first process, which stands nowhere in particular."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [*AS_HOST[:1], *self._network, *AS_HOST[1:], *self._dress, *first],
                cwd="/",
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
            )
        assert self._process.stdout is not None, "asked for"
        if self._process.stdout.readline() != b"dressed\n":
            self.end()
            raise AssertionError(self.output.read_text("utf-8"))
        return self

    def end(self) -> None:
        """End it and everything in it without a word, as when the power is cut."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=LIMIT_S)
            self._process = None

    def command(self, *words: str) -> list[str]:
        """Return the command line that runs another one there."""
        into = ("--user", "--pid", "--mount", "--uts", *self._network)
        how = ("--preserve-credentials", "--wd=/")
        return ["nsenter", f"--target={self.first_pid()}", *into, *how, "--", *words]

    def first_pid(self) -> int:
        """Return the pid of its first process, as it is seen from here."""
        assert self._process is not None, "it was started"
        pid = self._process.pid
        (first,) = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        return int(first)

    def run(self, *words: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command there to its end, in a session of its own."""
        return subprocess.run(
            self.command(*words),
            env=dict(variables),
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=LIMIT_S,
            start_new_session=True,
        )

    def end_all_but_the_first(self) -> None:
        """Kill every process there; the host itself goes on."""
        script = "import os, signal; os.kill(-1, signal.SIGKILL)"
        self.run(sys.executable, "-c", script, variables={})
