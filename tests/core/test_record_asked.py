"""What a launcher makes of the answer to its question what an etcd's record is."""

from __future__ import annotations

import pytest

from handoff.launcher.record_asked import OLDER, Answer, RecordAsked
from handoff.limits import NO_RECORD_STATUS, OLDER_STATUS

WHY = "etcd at h1:2379 was put back to an earlier state: it is at revision 3"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (0, Answer.THERE),
        (NO_RECORD_STATUS, Answer.ABSENT),
        (OLDER_STATUS, Answer.OLDER),
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
