"""What a second account on the host can try through whatever an installation opens.

`python3 neighbour.py JSON` tries everything once, or for `seconds`, as whoever it runs as, and
prints for each try what it was done to and what refused it. The one argument says where the
files are, which processes run and which ports listen: an attacker who knows everything. Standard
library only: it runs with any interpreter that the other account finds.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import http.client
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
PIDFD_OPEN, PIDFD_GETFD = 434, 438  # the same numbers on each architecture
IN_ACCESS = 1
HELD = 200  # connections that say nothing, to each port
SECOND_S = 1.0
CALLS = ctypes.CDLL(None, use_errno=True)


class Knowledge:
    """Everything about an installation that an attacker could know."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.home = Path(known["home"])
        self.files = [self.home / name for name in known["files"]]
        self.directories = sorted({path.parent for path in self.files})
        self.locks = [path for path in self.files if path.suffix == ".lock"]
        self.sockets = [self.home / "run" / "control.sock"]
        self.pids: list[int] = known["pids"]
        self.ports: list[int] = known["ports"]
        self.exchange: list[int] = known["exchange"]


def checked(result: int) -> int:
    """Raise what a system call refused."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


# --- files ---------------------------------------------------------------------------


def read_file(path: Path) -> None:
    path.read_bytes()


def append_to_file(path: Path) -> None:
    with path.open("ab"):
        pass


def replace_file(path: Path) -> None:
    fresh = path.with_name(f".{path.name}.theirs")
    fresh.write_bytes(b"theirs")
    fresh.rename(path)


def list_directory(path: Path) -> None:
    os.listdir(path)  # noqa: PTH208 - names alone, as an attacker wants them


def plant_link(path: Path) -> None:
    link = path / ".theirs"
    link.unlink(missing_ok=True)
    link.symlink_to("/etc/passwd")
    link.unlink()


def watch_directory(path: Path) -> None:
    descriptor = checked(CALLS.inotify_init())
    try:
        checked(CALLS.inotify_add_watch(descriptor, os.fsencode(path), IN_ACCESS))
    finally:
        os.close(descriptor)


def take_lock(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def move_home(path: Path) -> None:
    aside = path.with_name("theirs")
    path.rename(aside)
    aside.rename(path)


# --- sockets and ports -----------------------------------------------------------------


def ask_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECOND_S)
        connection.connect(str(path))
        connection.sendall(b'{"kind":"status","format":1}\n')
        if not connection.recv(1):
            raise ConnectionRefusedError(errno.ECONNREFUSED, "closed without an answer")


def share_port(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()


def command_exchange(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECOND_S)
    with contextlib.closing(connection):
        connection.request("POST", "/_control/faults", body="{}")
        if connection.getresponse().status != http.HTTPStatus.OK:
            raise PermissionError(errno.EACCES, "refused")


# --- processes ---------------------------------------------------------------------------


def read_environment(pid: int) -> None:
    Path(f"/proc/{pid}/environ").read_bytes()


def read_directory(pid: int) -> None:
    Path(f"/proc/{pid}/cwd").readlink()


def list_descriptors(pid: int) -> None:
    os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - names alone


def open_descriptor(pid: int) -> None:
    os.close(os.open(f"/proc/{pid}/fd/0", os.O_RDONLY))


def read_maps(pid: int) -> None:
    Path(f"/proc/{pid}/maps").read_bytes()


def write_memory(pid: int) -> None:
    os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))


def prefer_to_kill(pid: int) -> None:
    Path(f"/proc/{pid}/oom_score_adj").write_text("1000", encoding="ascii")


def trace(pid: int) -> None:
    checked(CALLS.ptrace(PTRACE_SEIZE, pid, None, None))
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, 0x40000000)  # __WALL
        CALLS.ptrace(PTRACE_DETACH, pid, None, None)
        os.kill(pid, signal.SIGCONT)


def take_descriptor(pid: int) -> None:
    descriptor = checked(CALLS.syscall(PIDFD_OPEN, pid, 0))
    try:
        os.close(checked(CALLS.syscall(PIDFD_GETFD, descriptor, 0, 0)))
    finally:
        os.close(descriptor)


def limit_files(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))


def slow_down(pid: int) -> None:
    os.setpriority(os.PRIO_PROCESS, pid, 19)


def pin(pid: int) -> None:
    os.sched_setaffinity(pid, {0})


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)


def end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


# What each is tried on, and in which order: what destroys the thing comes last.
TRIES: dict[str, tuple[str, Callable[[Any], None]]] = {
    "read a file": ("files", read_file),
    "append to a file": ("files", append_to_file),
    "list a directory": ("directories", list_directory),
    "plant a link": ("directories", plant_link),
    "watch a directory": ("directories", watch_directory),
    "hold a lock": ("locks", take_lock),
    "ask the launcher": ("sockets", ask_socket),
    "share a port": ("ports", share_port),
    "command the exchange": ("exchange", command_exchange),
    "read an environment": ("pids", read_environment),
    "read a working directory": ("pids", read_directory),
    "list descriptors": ("pids", list_descriptors),
    "open a descriptor": ("pids", open_descriptor),
    "read the map of memory": ("pids", read_maps),
    "write memory": ("pids", write_memory),
    "make it the first to be killed": ("pids", prefer_to_kill),
    "trace": ("pids", trace),
    "take a descriptor": ("pids", take_descriptor),
    "limit open files": ("pids", limit_files),
    "slow down": ("pids", slow_down),
    "pin to a core": ("pids", pin),
    "stop and continue": ("pids", stop),
    "replace a file": ("files", replace_file),
    "move the home": ("home", move_home),
    "end": ("pids", end),
    "kill": ("pids", kill),
}


def attempt(name: str, known: Knowledge) -> dict[str, list[str]]:
    """Try one thing on everything it can be tried on; return what was done and what refused."""
    kind, act = TRIES[name]
    found = getattr(known, kind)
    done: list[str] = []
    refused: list[str] = []
    for each in found if isinstance(found, list) else [found]:
        try:
            act(each)
        except (OSError, http.client.HTTPException) as error:
            refused.append(f"{each}: {error!r}")
        else:
            done.append(str(each))
    return {"done": done, "refused": refused}


@contextlib.contextmanager
def holding(ports: list[int]) -> Iterator[None]:
    """Hold many connections that say nothing to each port; those that are closed stay so."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            for _ in range(HELD):
                with contextlib.suppress(OSError):
                    stack.enter_context(socket.create_connection(("127.0.0.1", port), SECOND_S))
        yield


def main() -> None:
    """Try everything once, or again and again for as long as is wanted."""
    arguments = json.loads(sys.argv[1])
    known = Knowledge(arguments)
    until_s = time.monotonic() + arguments["seconds"]
    rounds = 0
    with holding(known.ports if arguments["seconds"] else []):
        while True:
            found = {name: attempt(name, known) for name in TRIES}
            rounds += 1
            if time.monotonic() >= until_s:
                break
    sys.stdout.write(json.dumps({"rounds": rounds, "found": found}))


if __name__ == "__main__":
    main()
