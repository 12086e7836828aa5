"""A worker's word of itself to all hosts, and theirs to it, by a thread: about once a second.

Owns when it is said and when an etcd that does not answer counts as out of reach. A word and the
reading of all others are one request, on a connection of its own, so that no lease waits for it.
It is a thread for the reason that renewals are: a worker that decides for seconds is there all the
same. Nothing is decided by what is heard; it is handed to who shows it.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from state.etcd import wire
from state.etcd.client import EtcdError
from state.etcd.clock_gap import Moment
from state.etcd.keeper import boot_clock_ns
from state.etcd.presence import encode_present
from state.etcd.roll import Roll

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.etcd.client import Client
    from state.etcd.keys import Keys
    from state.etcd.presence import Present
    from state.hosts_seen import HostsSeen

PAUSE_S_MIN: Final = 0.6  # a changing pause: clocks are compared at changing moments
PAUSE_S_MAX: Final = 1.1
AGAIN_S: Final = 0.2  # after no answer: at worst it is known after 1.1 + 0.4 + 0.2 + 0.4 s
AWAY_MS: Final = 800.0  # without an answer for so long, and asked twice: out of reach
_NEWS_S_MIN: Final = 0.1  # a role that changes is said at once, but no oftener
_END_S_MAX: Final = 1.0
_MS: Final = 1e6


class Failing(NamedTuple):
    """Questions without an answer.

    Attributes:
        since: When the first of them was asked.
        times: How many there are.
    """

    since: Moment
    times: int = 1

    def is_away(self, now: Moment) -> bool:
        """Tell whether nothing answers any more: one lost answer says nothing."""
        return self.times > 1 and now.boot_ms - self.since.boot_ms >= AWAY_MS


class Listener(NamedTuple):
    """Who hears what all hosts say.

    Attributes:
        mark: Of this host: see `presence.mark_of`.
        hand: Told all hosts after each answer of etcd, and after none.
    """

    mark: str
    hand: Callable[[HostsSeen], None]


class Herald:
    """Says what a worker is and hears what the others are.

    Args:
        client: The thread's own.
        keys: The application's.
        mark: Of this host.
        now: Reads wall clock and time since boot.
        line: Returns the number of the newest line that this host's journal has.
        hand: Told all hosts after each answer, and after none.
    """

    def __init__(
        self,
        client: Client,
        keys: Keys,
        *,
        mark: str,
        now: Callable[[], Moment],
        line: Callable[[], int],
        hand: Callable[[HostsSeen], None],
    ) -> None:
        """Keep the parts; nothing is said yet."""
        self._client = client
        self._keys = keys
        self._mark = mark
        self._now = now
        self._line = line
        self._hand = hand
        self._roll = Roll(mark)
        self._word: Present | None = None
        self._said: Present | None = None  # what etcd heard last
        self._before = (0.0, 0.0)  # when something was said and heard last, and how long it took
        self._failing: Failing | None = None
        self._ended = False
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="etcd-herald", daemon=True)

    def say(self, word: Present) -> None:
        """Say this from now on, at once where it is new; its times are filled in."""
        word = msgspec.structs.replace(word, mark=self._mark)
        if word == self._word:
            return
        self._word = word
        self._news.set()
        if not self._thread.is_alive() and not self._ended:
            self._thread.start()

    def close(self) -> None:
        """End the thread; a word that was not said yet is said once, if etcd hears it."""
        self._ended = True
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(_END_S_MAX)  # a question that nobody answers is given up before
        if self._thread.is_alive():
            return
        if self._word is not None and self._word != self._said:
            self.speak()
        self._client.close()

    def speak(self) -> None:
        """Say it once and hear the others; hand on what came of it."""
        assert self._word is not None, "there is something to say"
        word, asked = self._word, self._now()
        at_ms, (before_ms, took_ms) = asked.wall_ms, self._before
        present = msgspec.structs.replace(
            word, line=self._line(), at_ms=at_ms, before_ms=before_ms, took_ms=took_ms
        )
        key = self._keys.host(present.mark, present.worker)
        steps = [wire.put(key, encode_present(present)), wire.get(*self._keys.hosts)]
        steps += [wire.delete(each) for each in self._roll.stale()]
        try:
            data = self._client.call(wire.TXN, wire.Transaction(success=tuple(steps)))
            found = wire.decode(data, wire.TransactionAnswer).found()
        except (EtcdError, msgspec.DecodeError):
            self._failed(asked)
        else:
            answered = self._now()
            self._said = word
            self._before = (at_ms, answered.boot_ms - asked.boot_ms)
            self._failing = None
            self._roll.hear(found.values(), asked=asked, answered=answered)
        self._tell()

    def _failed(self, asked: Moment) -> None:
        failing = self._failing
        self._failing = (
            Failing(asked) if failing is None else failing._replace(times=failing.times + 1)
        )

    def _tell(self) -> None:
        now, failing = self._now(), self._failing
        is_away = failing is not None and failing.is_away(now)
        since_ms = failing.since.wall_ms if failing is not None and is_away else 0.0
        seen = self._roll.seen(written_ms=now.wall_ms, away_since_ms=since_ms)
        with contextlib.suppress(OSError):  # whoever reads sees how old the last one is
            self._hand(seen)

    def _run(self) -> None:
        while not self._ended:
            self._news.clear()
            self.speak()
            pause_s = _changing_pause_s() if self._failing is None else AGAIN_S
            if self._news.wait(pause_s) and not self._ended:
                time.sleep(_NEWS_S_MIN)  # noqa: TID251 - a thread of its own: no loop waits here


def _changing_pause_s() -> float:
    return PAUSE_S_MIN + (PAUSE_S_MAX - PAUSE_S_MIN) * secrets.randbelow(1000) / 1000


def system_moment() -> Moment:
    """Return the moment by this host's own clocks, whatever anybody believes of them."""
    return Moment(time.time_ns() / _MS, boot_clock_ns() / _MS)
