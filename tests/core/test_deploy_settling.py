"""How a deploy ended whose host is gone, by what all hosts share: nothing is guessed."""

from __future__ import annotations

from msgspec.structs import replace

from deploy.history import Outcome
from deploy.settling import Settled, settled
from state.etcd.deploys import Asked
from state.heard import Heard
from tests.records import A, B, owned, seize, take

ASKED = Asked(request="d1", wants="c", host="one", asked_ns=1)
APPROVED = replace(ASKED, attempt="deploy-b", candidate=B.release, epoch=1)
GONE = "the host that drove it, one, is gone"
TOOK = Heard(kind="take", epoch=2, release=B.release)
BEFORE = Heard(kind="seize", epoch=1, release=A.release)


def test_one_that_was_not_approved_was_refused() -> None:
    found = settled(ASKED, owned(), [BEFORE])
    assert found == Settled(Outcome.REFUSED, f"{GONE}; it was not approved")


def test_one_that_was_approved_and_did_not_take_was_refused_whoever_owned_before() -> None:
    """Its release may have owned once, long before it was asked for."""
    long_ago = [BEFORE, Heard(kind="take", epoch=0, release=B.release)]
    for lines in (long_ago, [Heard(kind="seize", epoch=2, release=A.release), *long_ago], []):
        found = settled(APPROVED, owned(), lines)
        assert found == Settled(Outcome.REFUSED, f"{GONE}; it was approved and did not take")


def test_while_it_bakes_nobody_says_how_it_ends() -> None:
    assert settled(APPROVED, take(owned()), [TOOK, BEFORE]) is None


def test_one_whose_release_owns_after_its_bake_is_permanent() -> None:
    record = replace(take(owned()), rollout=None)
    assert settled(APPROVED, record, [TOOK, BEFORE]) == Settled(Outcome.PERMANENT, "")


def test_one_that_gave_way_to_the_release_before_was_returned_for_the_reason_that_was_said() -> (
    None
):
    record = seize(take(owned()), A)
    back = Heard(kind="seize", epoch=3, release=A.release)
    why = f"{GONE}; the previous release owns again"
    assert settled(APPROVED, record, [back, TOOK]) == Settled(Outcome.RETURNED, why)
    by = replace(APPROVED, aborted_by="mia")
    assert settled(by, record, [back, TOOK]) == Settled(Outcome.RETURNED, "aborted by mia")
    said = Heard(kind="release", epoch=2, release=B.release, evidence={"reason": "decide raised"})
    found = settled(APPROVED, record, [back, said, TOOK])
    assert found == Settled(Outcome.RETURNED, "decide raised")
