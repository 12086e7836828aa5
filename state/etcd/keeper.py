"""A worker's lease in etcd: granted, renewed by a thread, given back.

Owns the thread and the clock; what a lease allows is in `lease`. The thread renews and never
judges: a renewal that is not answered is sent again, and an answer without a time to live says
that the lease is gone, after which another one is asked for only by who owns the standing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final

import msgspec

from state.etcd import wire
from state.etcd.client import EtcdError
from state.etcd.lease import Standing, renewed

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.etcd.client import Client

NS: Final = 1_000_000_000
RENEWALS_IN_TTL: Final = 6  # two within each third, after which no cycle is begun
_END_S_MAX: Final = 5.0


class Keeper:
    """Holds one lease at a time.

    Args:
        client: The thread's own.
        asking: Another one, for granting and giving back.
        ttl_s: How long the lease lasts without a renewal, seconds, at least 1.
        boot_ns: Reads nanoseconds since boot, suspension included.
    """

    def __init__(
        self, client: Client, asking: Client, *, ttl_s: int, boot_ns: Callable[[], int]
    ) -> None:
        """Keep the parts; no lease is held yet."""
        assert ttl_s >= 1, "etcd counts in seconds"
        self._client = client
        self._asking = asking
        self._ttl_s = ttl_s
        self._boot_ns = boot_ns
        self._lock = threading.Lock()
        self._standing = Standing()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="etcd-lease", daemon=True)

    def standing(self) -> Standing:
        """Return the lease as it is known now."""
        with self._lock:
            return self._standing

    def grant(self) -> Standing:
        """Ask for a new lease, in place of one that is gone, and keep it.

        Raises:
            EtcdError: Etcd gave none; the old standing stays.
        """
        sent_ns = self._boot_ns()
        data = self._asking.call(wire.GRANT, {"TTL": self._ttl_s})
        answer = wire.decode(data, wire.LeaseAnswer)
        # Etcd may make it longer than was asked for; only what was asked for is counted on.
        ttl_ns = min(answer.TTL, self._ttl_s) * NS
        with self._lock:
            self._standing = Standing(answer.ID, ttl_ns, sent_ns)
        if not self._thread.is_alive() and not self._ended.is_set():
            self._thread.start()
        return self.standing()

    def lost(self, lease: int) -> None:
        """Take it from who was refused for it that a lease is gone."""
        with self._lock:
            self._standing = renewed(self._standing, lease=lease, ttl_s=0, sent_ns=0)

    def close(self) -> None:
        """Give the lease back, so that nobody has to wait for its end, and end the thread."""
        self._ended.set()
        self._client.interrupt()
        if self._thread.is_alive():
            self._thread.join(_END_S_MAX)
        held = self.standing()
        if held.is_held:
            with contextlib.suppress(EtcdError):
                self._asking.call(wire.REVOKE, {"ID": held.lease})
        with self._lock:
            self._standing = held._replace(is_gone=True)
        self._asking.close()

    def _run(self) -> None:
        pause_s = self._ttl_s / RENEWALS_IN_TTL
        while not self._ended.wait(pause_s):
            held = self.standing()
            if held.is_held:
                with contextlib.suppress(EtcdError, msgspec.DecodeError):
                    self._renew(held.lease)
        self._client.close()

    def _renew(self, lease: int) -> None:
        sent_ns = self._boot_ns()
        data = self._client.call(wire.KEEP_ALIVE, {"ID": lease})
        answer = wire.decode(data, wire.KeepAliveAnswer).result
        with self._lock:
            self._standing = renewed(self._standing, lease=lease, ttl_s=answer.TTL, sent_ns=sent_ns)


def boot_clock_ns() -> int:
    """Return nanoseconds since boot, suspension included."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock)
