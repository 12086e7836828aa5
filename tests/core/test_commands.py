"""What operators and owners say of a record without a step of ownership or progress."""

from __future__ import annotations

import pytest
from msgspec import Raw
from msgspec.structs import replace

from state import transitions
from state.errors import Refusal, Refused
from state.open_struct import decode_open, encode_open
from state.record import MARKS_MAX, Cadence, Control, Record
from tests.records import NOW_NS, decide, effect, owned, settle, take


def test_a_command_touches_control_alone() -> None:
    before = decide(take(owned()), effect())
    control = Control(paused=True, by="operator", at_ns=NOW_NS, note="holiday")
    after = transitions.command(before, control=control, attempt="c")
    assert after == replace(before, control=control, attempt="c")


def marks_of(record: Record) -> dict[str, int]:
    return record.control.marks


def test_a_word_to_the_application_touches_nothing_else() -> None:
    before = decide(take(owned()), effect())
    after = transitions.mark(before, "lock:BTC", at_ns=7, attempt="m")
    control = replace(before.control, marks={"lock:BTC": 7})
    assert after == replace(before, control=control, attempt="m")


def test_words_survive_a_pause_and_a_resume() -> None:
    """Who resumes trading has not unlocked what somebody locked before."""
    marked = transitions.mark(owned(), "lock:BTC", at_ns=7, attempt="m")
    paused = transitions.command(marked, control=Control(paused=True), attempt="c")
    assert marks_of(transitions.command(paused, control=Control(), attempt="r")) == {"lock:BTC": 7}


def test_a_word_is_younger_than_all_that_were_said_before() -> None:
    """A clock that is set back must not make an unlock older than its lock."""
    record = transitions.mark(owned(), "lock:BTC", at_ns=100, attempt="m")
    record = transitions.mark(record, "unlock:*", at_ns=50, attempt="m", instead_of=["lock:BTC"])
    assert marks_of(record) == {"unlock:*": 101}
    again = transitions.mark(record, "unlock:*", at_ns=50, attempt="m")
    assert marks_of(again) == {"unlock:*": 102}
    assert marks_of(transitions.mark(again, "x", at_ns=500, attempt="m"))["x"] == 500


def test_words_are_bounded_and_none_is_dropped_in_silence() -> None:
    """A dropped word could be the one that locks an asset."""
    record = owned()
    for number in range(MARKS_MAX):
        record = transitions.mark(record, f"w{number}", at_ns=number, attempt="m")
    assert len(marks_of(record)) == MARKS_MAX
    with pytest.raises(Refused) as refused:
        transitions.mark(record, "one more", at_ns=1, attempt="m")
    assert refused.value.refusal is Refusal.TOO_MANY_MARKS
    assert len(marks_of(transitions.mark(record, "w3", at_ns=1, attempt="m"))) == MARKS_MAX
    swapped = transitions.mark(record, "new", at_ns=1, attempt="m", instead_of=["w3"])
    assert len(marks_of(swapped)) == MARKS_MAX


def test_an_older_release_carries_words_that_it_does_not_know() -> None:
    """It writes back the very bytes: a journal is rebuilt from them by either release."""
    written = encode_open(Control(by="mia", marks={"lock:BTC": 7, "unlock:*": 9}))
    assert written.endswith(b',"note":"","marks":{"lock:BTC":7,"unlock:*":9}}')
    assert encode_open(decode_open(written, Control)) == written
    assert b"marks" not in encode_open(Control(by="mia"))


MINUTE = Cadence(period_ns=60 * 10**9)


def test_the_cadence_is_written_once_and_stays() -> None:
    """A number without it means another moment as soon as the period changes."""
    record = decide(transitions.number_by(owned(), MINUTE))
    assert record.cadence == MINUTE
    kept = replace(MINUTE, unknown_fields={"drift": Raw(b"1")})
    newer = replace(record, cadence=kept)
    assert transitions.number_by(newer, MINUTE) == newer
    assert settle(record).cadence == MINUTE


@pytest.mark.parametrize("other", [replace(MINUTE, period_ns=30), replace(MINUTE, offset_ns=1)])
def test_an_owner_whose_numbers_mean_other_moments_is_refused(other: Cadence) -> None:
    """With a shorter period hundreds of cycles would be due at once, each decided and sent."""
    record = transitions.number_by(owned(), MINUTE)
    with pytest.raises(Refused) as caught:
        transitions.number_by(record, other)
    assert caught.value.refusal is Refusal.OTHER_CADENCE
    assert str(other.period_ns) in caught.value.detail
