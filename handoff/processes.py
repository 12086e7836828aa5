"""Processes of this host: who they are, whether they are gone, starting and ending them.

Owns every call that makes, names or ends a process. Standard library only: it is all that
the launcher needs. A process is its pid, start ticks, boot id and pid namespace together;
what is not proven dead counts as alive. Signals go through a pidfd, so that they can never
reach a stranger who got the same pid.

Where pidfds do not work (an old kernel, a filter of system calls, macOS for development) a
process is watched by asking for its pid, and seizing takes up to a poll longer.
"""

from __future__ import annotations

import errno
import os
import select
import signal

from handoff.light_path import LightPath
from handoff.light_typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PASSING: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # not refused, but none is free now
_START_TICKS_FIELD: Final = 19  # of /proc/pid/stat after the command name; proc(5) field 22
_STATE_FIELD: Final = 0
_NO_PROCESS: Final = (errno.ESRCH, errno.EINVAL, errno.ENOENT)  # the latter two: a thread's number
_UNSEEN_TICKS: Final = 0  # of a process that lives and of which nothing can be seen
_POLL_MS: Final = 20  # how soon an end is noticed where there is no descriptor to wait for
STRANGERS_MAX: Final = 64  # orphans reaped at one look; the rest wait for the next

TERM: Final = signal.SIGTERM  # leave when what is in hand is done
KILL: Final = signal.SIGKILL  # end now
# What a child must find as a program expects it, however we were started.
_DEFAULT: Final = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD),
    *(signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM),
)
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)  # both ask a worker to drain


def pidfds_work() -> bool:
    """Tell whether this system grants all that is done with pidfds; each call is tried.

    The library may have what the kernel has not, or what a container's filter refuses.
    """
    if not hasattr(os, "pidfd_open") or not LightPath("/proc/self/stat").exists():
        return False
    try:
        pidfd = os.pidfd_open(os.getpid())
    except OSError as error:
        return error.errno in _PASSING
    try:
        signal.pidfd_send_signal(pidfd, 0)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return True  # it is understood: nobody is a child of its own
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return True


HAS_PIDFD: Final = pidfds_work()


class Identity(NamedTuple):
    """One process, told apart from every other that ever lived."""

    pid: int
    start_ticks: int
    boot_id: str
    pid_namespace: str


class Exit(NamedTuple):
    """How a process ended: its exit status, or the signal that ended it."""

    status: int
    signal: int

    def words(self) -> str:
        """Return it in words."""
        if self.signal:
            return f"killed by {signal.Signals(self.signal).name}"
        return f"exited with status {self.status}"


def boot_id() -> str:
    """Return the id of this boot, or an empty string where the system has none."""
    try:
        return LightPath("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """Return the pid namespace of this process, or an empty string."""
    try:
        return str(LightPath("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def identity_of(pid: int) -> Identity | None:
    """Return the identity of a process of this host; None if it is gone or cannot be seen."""
    ticks = start_ticks(pid)
    return None if ticks is None else Identity(pid, ticks, boot_id(), pid_namespace())


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if `/proc` does not show it.

    That is no proof that it is gone: `/proc` may hide who lives (`hidepid`, a container's mask).
    `watch` and `proven_dead` tell the two apart. A zombie is not shown: it can do nothing any more.
    """
    fields = stat_fields(pid)
    if fields is None or fields[_STATE_FIELD] in ("Z", "X"):
        return None
    return int(fields[_START_TICKS_FIELD])


def stat_fields(pid: int) -> list[str] | None:
    """Return the words of `/proc/pid/stat` after the command name; None if it is gone."""
    try:
        text = LightPath(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, PermissionError):
        return _stat_fields_elsewhere(pid)
    except ProcessLookupError:
        return None
    # The command name may hold spaces and parentheses; the last one closes it.
    return text.rpartition(")")[2].split()


def _stat_fields_elsewhere(pid: int) -> list[str] | None:
    if HAS_PIDFD:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ["S", *[str(_UNSEEN_TICKS)] * _START_TICKS_FIELD]


class Watched:
    """A process that is watched until it is gone."""

    def __init__(self, identity: Identity, pidfd: int | None) -> None:
        """Keep the identity and its descriptor; use `watch` or `spawn` instead."""
        self.identity = identity
        self.pidfd = pidfd

    def fileno(self) -> int:
        """Return the pidfd: readable once the process is gone."""
        assert self.pidfd is not None, "this system has no pidfd"
        return self.pidfd

    def gone(self) -> bool:
        """Tell whether the process is proven gone."""
        if self.pidfd is not None:
            poll = select.poll()  # no limit on the descriptor's number, unlike select
            poll.register(self.pidfd, select.POLLIN)
            return bool(poll.poll(0))
        return proven_dead(self.identity)

    def send(self, number: int) -> bool:
        """Send a signal; return False if the process is gone already."""
        try:
            if self.pidfd is not None:
                signal.pidfd_send_signal(self.pidfd, number)
            elif start_ticks(self.identity.pid) == self.identity.start_ticks:
                os.kill(self.identity.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait(self, timeout_s: float) -> bool:
        """Wait until the process is gone; return whether it is."""
        poll = select.poll()
        if self.pidfd is None:
            for _ in range(round(timeout_s * 1000 / _POLL_MS)):
                if self.gone():
                    break
                poll.poll(_POLL_MS)  # of nothing: it only passes the time
            return self.gone()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def reap(self, *, leave: bool = False) -> Exit | None:
        """Return how a child ended, or None if it is not our child or still lives.

        Args:
            leave: Leave it as it is: its pid stays its own until it is reaped.
        """
        flags = os.WEXITED | os.WNOHANG | (os.WNOWAIT if leave else 0)
        try:
            if self.pidfd is not None:
                result = os.waitid(os.P_PIDFD, self.pidfd, flags)
            else:
                result = os.waitid(os.P_PID, self.identity.pid, flags)
        except ChildProcessError:
            return None
        if result is None:
            return None
        if result.si_code == os.CLD_EXITED:
            return Exit(result.si_status, 0)
        return Exit(0, result.si_status)

    def close(self) -> None:
        """Give the descriptor back."""
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None


def watch(identity: Identity) -> Watched | None:
    """Watch a process of this host; return None if it is proven gone.

    The descriptor is opened first and the start ticks are compared afterwards: it then
    belongs to the process with these ticks and to no later one. Where `/proc` shows nothing of
    a pid, the descriptor is asked after that look: a zombie is gone, anybody else is not.
    """
    if identity.boot_id != boot_id() or identity.pid_namespace != pid_namespace():
        # Another boot is proof of death; another namespace or host proves nothing.
        return None if _other_boot(identity) else Watched(identity, None)
    pidfd: int | None = None
    if HAS_PIDFD:
        try:
            pidfd = os.pidfd_open(identity.pid)
        except OSError as error:
            if error.errno not in _NO_PROCESS:
                raise
            return None
    watched, ticks = Watched(identity, pidfd), start_ticks(identity.pid)
    # A pid of which nothing can be seen may be this process: then it is not proven gone.
    hidden = ticks is None and pidfd is not None and not watched.gone()
    hidden = hidden or ticks == _UNSEEN_TICKS
    if ticks != identity.start_ticks and not hidden:
        watched.close()
        return None
    return watched


def _other_boot(identity: Identity) -> bool:
    here = boot_id()  # empty where `/proc/sys` is hidden, which says nothing about anybody
    return bool(identity.boot_id) and bool(here) and identity.boot_id != here


def proven_dead(identity: Identity) -> bool:
    """Tell whether a process is proven dead; anything unproven counts as alive.

    Args:
        identity: A process of this host. Whether it is of this host is the caller's to
            know: a boot id of another host differs as well and proves nothing.
    """
    if _other_boot(identity):
        return True
    if identity.pid_namespace != pid_namespace():
        return False
    if not HAS_PIDFD:
        return start_ticks(identity.pid) not in (identity.start_ticks, _UNSEEN_TICKS)
    watched = watch(identity)
    if watched is not None:
        watched.close()
    return watched is None


def ended_here(identity: Identity) -> bool:
    """Tell whether a process of this boot and pid namespace is proven dead.

    Its number, and that of its session, mean something here; those of another boot do not.

    Args:
        identity: A process of this host.
    """
    return not _other_boot(identity) and proven_dead(identity)


def spawn(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: int,
    keep: Mapping[int, int] | None = None,
) -> Watched:
    """Start a program in a session of its own, with clean signals, and watch it.

    Args:
        argv: Program, absolute, and its arguments.
        environment: All of its environment.
        output: Descriptor that its standard output and error go to.
        keep: For a number in the child, the descriptor of ours that it gets.

    Raises:
        OSError: It cannot be started.
    """
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        actions: list[tuple[int, ...]] = [
            (os.POSIX_SPAWN_DUP2, null, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ]
        actions += [(os.POSIX_SPAWN_DUP2, ours, number) for number, ours in (keep or {}).items()]
        pid = os.posix_spawn(
            argv[0],
            list(argv),
            dict(environment),
            file_actions=actions,
            setsid=True,
            setsigmask=[],
            setsigdef=_DEFAULT,
        )
    finally:
        os.close(null)
    try:
        # Our own child cannot be reaped by anybody else, so the pid is still this process.
        ticks = start_ticks(pid) or _UNSEEN_TICKS
        pidfd = os.pidfd_open(pid) if HAS_PIDFD else None
    except OSError:
        _end_child(pid)
        raise
    return Watched(Identity(pid, ticks, boot_id(), pid_namespace()), pidfd)


def _end_child(pid: int) -> None:
    """End a child that cannot be watched: nobody would notice its end, or bring it about."""
    os.kill(pid, KILL)  # not reaped yet, so the number is still this child's


def reap_strangers(is_watched: Callable[[int], bool]) -> int:
    """Reap zombies that nobody watches: orphans given to this process. Return how many.

    Args:
        is_watched: Tells whether a pid is a watched child, whose status is not ours to take.
    """
    for count in range(STRANGERS_MAX):
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None or is_watched(found.si_pid):
                return count
            os.waitid(os.P_PID, found.si_pid, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            return count
    return STRANGERS_MAX
