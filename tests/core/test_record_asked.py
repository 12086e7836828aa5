"""What a launcher makes of the answer to its question what an etcd's record is."""

from __future__ import annotations

import pytest

from handoff.launcher.record_asked import OLDER, OTHER, Answer, RecordAsked
from handoff.limits import NO_RECORD_STATUS, OLDER_STATUS, OTHER_STATUS
from handoff.worker.leaving import Leaving, leaving_for
from state.errors import AccountOther, EtcdOlder, EtcdRefuses, LockTimeout

WHY = "etcd at h1:2379 was put back to an earlier state: it is at revision 3"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (0, Answer.THERE),
        (NO_RECORD_STATUS, Answer.ABSENT),
        (OLDER_STATUS, Answer.OLDER),
        (OTHER_STATUS, Answer.OTHER),
        (1, Answer.UNKNOWN),
        (None, Answer.UNKNOWN),
    ],
)
def test_each_end_of_the_job_is_an_answer(status: int | None, wanted: Answer) -> None:
    asked = RecordAsked()
    asked.begin(1.0)
    asked.told(status)
    assert asked.take() is wanted
    assert asked.answer is Answer.UNASKED, "before the next start it is asked again"


def test_a_record_put_back_holds_until_etcd_itself_says_otherwise() -> None:
    """One that does not answer meanwhile has not been repaired."""
    asked = RecordAsked()
    asked.told(OLDER_STATUS, WHY)
    assert asked.put_back == WHY
    asked.told(None)
    assert asked.put_back == WHY
    asked.told(0)
    assert not asked.put_back
    silent = RecordAsked()
    silent.told(OLDER_STATUS)
    assert silent.put_back == OLDER


def test_another_account_holds_until_etcd_itself_says_otherwise() -> None:
    asked = RecordAsked()
    asked.told(OTHER_STATUS)
    assert (asked.other_account, asked.is_barred) == (OTHER, True)
    asked.told(None)
    assert asked.is_barred
    asked.told(OLDER_STATUS, WHY)
    assert (asked.put_back, asked.other_account) == (WHY, "")
    asked.told(NO_RECORD_STATUS)
    assert not asked.is_barred


@pytest.mark.parametrize(
    ("leaving", "put_back", "other_account"),
    [(Leaving.OLDER, WHY, ""), (Leaving.OTHER, "", WHY)],
)
def test_a_worker_that_leaves_for_what_no_start_can_mend_bars_the_next(
    leaving: Leaving, put_back: str, other_account: str
) -> None:
    """By its last message, or by its exit status where nobody heard that."""
    for name, status in ((leaving.name, None), ("", leaving.value)):
        asked = RecordAsked()
        assert asked.left(name, status, WHY)
        assert (asked.put_back, asked.other_account) == (put_back, other_account)
    for other in Leaving:
        if other not in (Leaving.OLDER, Leaving.OTHER):
            assert not RecordAsked().left(other.name, other.value, WHY)
    assert not RecordAsked().left("", None, WHY)


def test_what_etcd_does_not_allow_is_no_fault_of_a_release() -> None:
    """Three failed starts of one that bakes would lead back from it."""
    assert leaving_for(EtcdOlder("etcd", WHY)) is Leaving.OLDER
    assert leaving_for(AccountOther("app/account")) is Leaving.OTHER
    assert leaving_for(EtcdRefuses("permission denied")) is Leaving.OUTSIDE
    assert leaving_for(LockTimeout()) is Leaving.FAILED
