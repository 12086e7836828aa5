"""What hosts say of themselves is a stranger's input, and what is made of it misleads nobody."""

from __future__ import annotations

import msgspec
import pytest

from state.etcd.clock_gap import Moment
from state.etcd.herald import AWAY_MS, Failing
from state.etcd.presence import (
    NAME_CHARS_MAX,
    VALUE_BYTES_MAX,
    WHY_CHARS_MAX,
    Present,
    decode_present,
    encode_present,
    mark_of,
)
from state.etcd.roll import FORGOTTEN_MS, SILENT_MS, Roll
from state.etcd.wire import KeyValue
from state.hosts_seen import FRESH_MS, HostSeen, HostsSeen, Role

HERE, THERE = "aaaaaaaa", "bbbbbbbb"
BEGIN_MS = 1_000_000.0


class Etcd:
    """Words that lie in an etcd, and one who listens, on one clock."""

    def __init__(self) -> None:
        self.roll = Roll(HERE)
        self.kept: dict[bytes, KeyValue] = {}
        self.at_ms = BEGIN_MS
        self._revision = 0

    def say(self, worker: str, role: Role, *, mark: str = THERE, **more: object) -> None:
        self._revision += 1
        present = Present(worker=worker, role=role.value, mark=mark, host=mark[0], at_ms=self.at_ms)
        value = encode_present(msgspec.structs.replace(present, **more))
        key = f"{mark}.{worker}".encode()
        self.kept[key] = KeyValue(key=key, value=value, mod_revision=self._revision)

    def hear(self, *, after_ms: float = 0.0) -> HostsSeen:
        self.at_ms += after_ms
        now = Moment(self.at_ms, self.at_ms - BEGIN_MS)
        self.roll.hear(self.kept.values(), asked=now, answered=now)
        return self.roll.seen(written_ms=self.at_ms)

    def host(self, name: str, *, after_ms: float = 0.0) -> HostSeen:
        (found,) = [each for each in self.hear(after_ms=after_ms).hosts if each.name == name]
        return found


def test_what_is_said_is_read_back_as_it_was() -> None:
    present = Present(worker="w", host="h", mark="m", release="r", role="owner", line=7, at_ms=1.5)
    assert decode_present(encode_present(present)) == present


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"worker":7}',
        b'{"worker":"\xff"}',
        b'{"worker":"w","line":-1}',
        b'{"worker":"w","at_ms":1e300}',
        b'{"worker":"w","why":"' + b"x" * VALUE_BYTES_MAX + b'"}',
    ],
)
def test_what_makes_no_sense_is_left_out(value: bytes) -> None:
    assert decode_present(value) is None


def test_what_steers_a_terminal_or_is_too_long_does_not_come_through() -> None:
    said = Present(worker="w", host="\x1b[2Jh\u202eost\n", why="y" * 900, release="r" * 900)
    for found in (decode_present(encode_present(said)), decode_present(msgspec.json.encode(said))):
        if found is None:
            continue  # the second is longer than anybody may write
        assert found.host == "\ufffd[2Jh\ufffdost "
        assert (len(found.why), len(found.release)) == (WHY_CHARS_MAX, NAME_CHARS_MAX)


def test_the_longest_words_of_any_characters_are_still_read() -> None:
    longest = "\U0001f5a5" * 900
    said = Present(worker=longest, host=longest, mark=longest, release=longest, why=longest)
    assert decode_present(encode_present(said)) is not None


def test_a_role_of_a_newer_version_is_no_standby_and_says_so() -> None:
    found = decode_present(b'{"worker":"w","role":"regent"}')
    assert found is not None
    assert found.role == Role.NOT_STANDBY
    assert "regent" in found.why


def test_two_homes_of_one_host_have_marks_of_their_own() -> None:
    assert mark_of("machine", "host", "/a") != mark_of("machine", "host", "/b")
    assert mark_of("ab", "c") != mark_of("a", "bc")


def test_a_host_is_what_its_first_worker_is_and_counts_its_standbys() -> None:
    etcd = Etcd()
    etcd.say("w1", Role.STANDBY)
    etcd.say("w2", Role.OWNER, line=9, release="r9")
    etcd.say("w3", Role.NOT_STANDBY)
    found = etcd.host("b")
    assert (found.role, found.standbys, found.line, found.release) == (Role.OWNER, 1, 9, "r9")
    assert found.counts_as_standby


def test_a_host_is_silent_from_its_last_word_on_and_never_before_its_time() -> None:
    etcd = Etcd()
    etcd.hear()
    etcd.say("w1", Role.STANDBY)
    heard_ms = etcd.hear(after_ms=300).hosts[0].heard_ms
    assert not etcd.host("b", after_ms=SILENT_MS).is_silent
    found = etcd.host("b", after_ms=1)
    assert (found.silent_since_ms, found.role) == (heard_ms, Role.STANDBY)
    assert not found.counts_as_standby
    etcd.say("w1", Role.STANDBY)
    assert not etcd.host("b").is_silent


def test_nobody_grows_silent_while_nothing_is_heard_at_all() -> None:
    etcd = Etcd()
    etcd.say("w1", Role.OWNER)
    etcd.hear()
    (found,) = etcd.roll.seen(written_ms=etcd.at_ms + 60_000, away_since_ms=etcd.at_ms).hosts
    assert not found.is_silent


def test_who_comes_late_takes_the_age_of_a_word_from_the_word_itself() -> None:
    etcd = Etcd()
    etcd.say("w1", Role.OWNER)
    assert etcd.host("b", after_ms=60_000).silent_since_ms == BEGIN_MS


def test_a_word_from_a_clock_that_is_ahead_is_new_all_the_same() -> None:
    etcd = Etcd()
    etcd.say("w1", Role.OWNER, at_ms=BEGIN_MS + 3_600_000)
    assert not etcd.host("b").is_silent


def test_a_host_that_left_is_not_silent_and_says_why() -> None:
    etcd = Etcd()
    etcd.say("w1", Role.LEFT, why="asked to")
    found = etcd.host("b", after_ms=10 * SILENT_MS)
    assert (found.role, found.why, found.is_silent) == (Role.LEFT, "asked to", False)
    assert not found.counts_as_standby


def test_a_worker_that_lives_speaks_for_its_host_beside_one_that_left() -> None:
    etcd = Etcd()
    etcd.say("w2", Role.NOT_STANDBY, why="it is getting warm")
    etcd.say("w1", Role.LEFT, why="killed")
    assert etcd.host("b").why == "it is getting warm"


def test_only_long_gone_words_of_ones_own_host_are_taken_away_and_never_the_last() -> None:
    etcd = Etcd()
    etcd.say("old", Role.LEFT, mark=HERE)
    etcd.say("old", Role.LEFT)
    etcd.hear(after_ms=FORGOTTEN_MS + 1)
    assert etcd.roll.stale() == (), "nobody here speaks: where its journal ends is asked later"
    etcd.say("new", Role.OWNER, mark=HERE)
    etcd.hear()
    assert etcd.roll.stale() == (f"{HERE}.old".encode(),)


def test_two_hosts_of_one_name_are_told_apart_and_this_one_comes_first() -> None:
    etcd = Etcd()
    for mark in ("ffffffff", HERE):
        etcd.say("w", Role.STANDBY, mark=mark, host="box")
    etcd.say("w", Role.STANDBY, host="alone")
    names = [each.name for each in etcd.hear().hosts]
    assert names == [f"box ({HERE})", "alone", "box (ffffffff)"]


def test_a_word_that_makes_no_sense_hides_no_other() -> None:
    etcd = Etcd()
    etcd.say("w", Role.OWNER)
    etcd.kept[b"x"] = KeyValue(key=b"x", value=b"garbage", mod_revision=99)
    assert [each.name for each in etcd.hear().hosts] == ["b"]


@pytest.mark.parametrize(
    ("times", "for_ms", "is_away"),
    [(1, 60_000, False), (2, AWAY_MS - 1, False), (2, AWAY_MS, True), (9, AWAY_MS, True)],
)
def test_one_lost_answer_or_a_short_while_is_not_out_of_reach(
    times: int, for_ms: float, *, is_away: bool
) -> None:
    failing = Failing(Moment(BEGIN_MS, 50.0), times=times)
    assert failing.is_away(Moment(0.0, 50.0 + for_ms)) is is_away


def test_what_was_written_is_fresh_for_a_moment() -> None:
    seen = HostsSeen(written_ms=BEGIN_MS)
    assert seen.is_fresh(BEGIN_MS + FRESH_MS)
    assert not seen.is_fresh(BEGIN_MS + FRESH_MS + 1)
