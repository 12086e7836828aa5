"""At which revision a key was last written, told by etcd and never asked for.

Owns one thread that watches a key. A watch that says nothing for `SILENCE_S_MAX` is
opened anew from where it was, for a dead connection says nothing either: so whoever asks here sees
a change that much later at most. What is told is a reason to read, never to act.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import msgspec

from state.etcd import wire
from state.etcd.client import EtcdError, NotSent, Rejected

if TYPE_CHECKING:
    from state.etcd.client import Client

SILENCE_S_MAX: Final = 2.0
_PAUSE_S: Final = 0.1  # after an endpoint that did not answer
_END_S_MAX: Final = 5.0


class Watch:
    """The newest revision of one key, as far as etcd has told.

    Args:
        client: The thread's own.
        key: What is watched.
        silence_s: After so long without a word it is opened anew.

    Attributes:
        revision: At which the key was last written; None until something was heard.
        told: The key as it was told last; None where it is not there, or nothing was heard.
        opened: How often a watch was opened.
    """

    def __init__(self, client: Client, key: bytes, *, silence_s: float = SILENCE_S_MAX) -> None:
        """Start the thread."""
        self.revision: int | None = None
        self.told: wire.KeyValue | None = None
        self.opened = 0
        self._client = client
        self._key = key
        self._silence_s = silence_s
        self._next = 0  # the first revision that is not known
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="etcd-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._client.interrupt()
        self._thread.join(_END_S_MAX)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                if not self._next:
                    self._look()
                self._follow()
                self._ended.wait(_PAUSE_S)
            except NotSent:
                self._ended.wait(_PAUSE_S)
            except Rejected:
                self._next = 0  # looking anew gets another token
                self._ended.wait(_PAUSE_S)
            except (EtcdError, msgspec.DecodeError):
                continue  # it was silent, or it ended: the next endpoint has its turn
        self._client.close()

    def _look(self) -> None:
        """Read where the key stands: a watch tells only what comes after its beginning."""
        request = wire.Transaction(success=(wire.get(self._key),))
        answer = wire.decode(self._client.call(wire.TXN, request), wire.TransactionAnswer)
        found = answer.found().get(self._key)
        self.told = found
        self.revision = found.mod_revision if found is not None else 0
        self._next = answer.header.revision + 1

    def _follow(self) -> None:
        begin = {"create_request": {"key": self._key, "start_revision": self._next}}
        self.opened += 1
        for data in self._client.stream(wire.WATCH, begin, silence_s=self._silence_s):
            told = wire.decode(data, wire.WatchAnswer).result
            if told.canceled or told.compact_revision:
                self._next = 0  # what was missed is gone: look anew
                return
            for event in told.events:
                # One that was deleted has neither a value nor a beginning.
                self.told = event.kv if event.kv.create_revision else None
                self.revision = event.kv.mod_revision
                self._next = event.kv.mod_revision + 1
            if self._ended.is_set():
                return
