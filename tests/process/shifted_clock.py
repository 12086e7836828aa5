"""A wall clock that is wrong by a constant, for a whole host: libfaketime, but no waits.

Debian's library answers a wait until a monotonic moment wrongly (`time.sleep` ends with EINVAL), so
a host gets a copy that only tells the time: the names of all that waits are taken out of what it
exports. Its one setting, that monotonic clocks are told as they are, goes by a name that our
launcher hands on. The offset stands in `/etc/faketimerc`, the copy in `/etc/ld.so.preload`: both
lie over the host's own `/etc`. The times of files stay the kernel's.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ABSENT: Final = "libfaketime is not installed"
VARIABLES: Final[Mapping[str, str]] = {"HANDOFF_DONT_FAKE_MONOTONIC": "1"}
# Over /etc at once: on most machines neither file is there, and cannot be covered alone.
DRESS: Final = """
if [ -d "$2/etc" ]; then
    mount -t overlay overlay -o "lowerdir=$2/etc:/etc" /etc
    mount -t tmpfs tmpfs /dev/shm
fi
"""
_SETTING: Final = b"FAKETIME_DONT_FAKE_MONOTONIC\0"
_HANDED_ON: Final = b"HANDOFF_DONT_FAKE_MONOTONIC\0\0"
_LEFT_ALONE: Final = (
    *(b"nanosleep", b"usleep", b"poll", b"select", b"epoll_wait", b"epoll_pwait", b"alarm"),
    *(b"timerfd_settime", b"timerfd_gettime", b"timer_settime", b"timer_gettime"),
    *(b"sem_timedwait", b"pthread_cond_timedwait", b"pthread_cond_init", b"pthread_cond_destroy"),
    *(b"getpid", b"getrandom", b"getentropy"),
)
_STRINGS: Final = 3  # SHT_STRTAB
_LOADED: Final = 2  # SHF_ALLOC: of the sections with strings, the one with the exported names


def library() -> Path | None:
    """Return Debian's library where it is installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def shift(place: Path, ms: int) -> None:
    """Write what a host is dressed with whose clock is so many milliseconds ahead, or behind."""
    found = library()
    assert found is not None, ABSENT
    over = place / "etc"
    over.mkdir()
    (over / "libclock.so").write_bytes(_telling_only(found.read_bytes()))
    (over / "ld.so.preload").write_text("/etc/libclock.so\n", encoding="ascii")
    (over / "faketimerc").write_text(f"{ms / 1000:+.3f}\n", encoding="ascii")


def _telling_only(whole: bytes) -> bytes:
    """Return the library with the names of what waits taken out of its exported ones."""
    begin, size = _exported_names(whole)
    names = whole[begin : begin + size]
    for name in _LEFT_ALONE:
        assert name + b"\0" in names, f"another libfaketime: it has no {name.decode()}"
        names = names.replace(name + b"\0", name[:-1] + b"_\0")
    assert whole.count(_SETTING) == 1, "another libfaketime"
    return (whole[:begin] + names + whole[begin + size :]).replace(_SETTING, _HANDED_ON)


def _exported_names(whole: bytes) -> tuple[int, int]:
    """Return where they are in an ELF file of 64 bits, and how long."""
    (sections,) = struct.unpack_from("<Q", whole, 0x28)
    each, count = struct.unpack_from("<HH", whole, 0x3A)
    for index in range(count):
        _, kind, flags, _, begin, size = struct.unpack_from(
            "<IIQQQQ", whole, sections + index * each
        )
        if kind == _STRINGS and flags & _LOADED:
            return begin, size
    message = "it exports nothing"
    raise AssertionError(message)
