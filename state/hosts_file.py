"""What a host has heard of all hosts, as a small file in its home: for page, status and metrics.

Owns the file. A worker writes it about once a second, whether its etcd answers or not; whoever
reads it never waits for an etcd. Nothing is synced: after a crash the next worker writes it anew.
Several workers of a host hear, each for itself and some not for as long; one of them writes, so
that what is shown does not go back and forth between what each has heard.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from state.hosts_seen import HostsSeen

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "hosts.json"  # below `run/`
FILE_BYTES_MAX: Final = 1 << 16
QUIET_MS: Final = 2_000.0  # who writes it does so every 1.5 s at most: see `state.etcd.herald`
_MODE: Final = 0o600
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


def hosts_path(home: Path) -> Path:
    """Return where a home keeps what it heard of all hosts."""
    return home / "run" / FILE


def read_hosts(home: Path) -> HostsSeen | None:
    """Return what a home heard last; None where it hears of none, or the file makes no sense."""
    try:
        with hosts_path(home).open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        return msgspec.json.decode(data, type=HostsSeen)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def put_hosts(home: Path, seen: HostsSeen) -> None:
    """Write what this process heard, unless another one of this host writes the file.

    Raises:
        OSError: The file is as it was.
    """
    there = read_hosts(home)
    if there is not None and there.writer != os.getpid():
        is_kept_up = abs(seen.written_ms - there.written_ms) < QUIET_MS
        if is_kept_up:
            return
    write_hosts(home, msgspec.structs.replace(seen, writer=os.getpid()))


def write_hosts(home: Path, seen: HostsSeen) -> None:
    """Put what was heard in the place of what was heard before; whoever reads sees one of them.

    Raises:
        OSError: The file is as it was.
    """
    path = hosts_path(home)
    fresh = path.with_name(f"{FILE}.{os.getpid()}")
    descriptor = os.open(fresh, _NEW, _MODE)
    try:
        os.write(descriptor, msgspec.json.encode(seen))
    finally:
        os.close(descriptor)
    fresh.replace(path)
