"""What is worth a message, and what the message says."""

import msgspec
import pytest

from deploy.history import Outcome, requested
from deploy.notices import LISTED_MAX, Kind, of_control, of_deploy, of_missed
from state.record import Control, Missed

ENTRY = msgspec.structs.replace(
    requested("d1", now_ns=0, by="hook", ref="main", from_release="old"),
    commit="a" * 40,
    subject="Trade less",
    outcome="permanent",
)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.PERMANENT, Kind.SUCCESS),
        (Outcome.REFUSED, Kind.WARNING),
        (Outcome.RETURNED, Kind.FAILURE),
        (Outcome.ABORTED, Kind.INFO),
    ],
)
def test_a_deploy_that_ended_is_told(outcome: Outcome, kind: Kind) -> None:
    entry = msgspec.structs.replace(ENTRY, outcome=outcome.value, reason="why")
    notice = of_deploy("bot", entry)
    assert notice is not None
    assert (notice.title, notice.kind) == (f"bot: deploy {outcome}", kind)
    assert notice.body == "aaaaaaaaaaaa Trade less\nby hook, replacing old\nwhy"


@pytest.mark.parametrize("outcome", ["superseded", "skipped", "a word of a newer program"])
def test_a_deploy_that_never_was_is_not(outcome: str) -> None:
    assert of_deploy("bot", msgspec.structs.replace(ENTRY, outcome=outcome)) is None


def test_missed_cycles_are_counted_and_the_first_ones_named() -> None:
    missed = [Missed(cycle=each, reason="asleep") for each in range(LISTED_MAX + 3)]
    assert of_missed("bot", []) is None
    one, many = of_missed("bot", missed[:1]), of_missed("bot", missed)
    assert one is not None
    assert many is not None
    assert (one.title, one.body) == ("bot: a cycle was missed", "cycle 0: asleep")
    assert many.title == "bot: 8 cycles were missed"
    assert many.body.splitlines()[-1] == "and 3 more, up to cycle 7"
    exact = of_missed("bot", missed[:LISTED_MAX])
    assert exact is not None
    assert "more" not in exact.body


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (Control(), Control(paused=True, by="mia", note="news"), "paused"),
        (Control(paused=True), Control(paused=True, halted=True, by="mia", note="news"), "halted"),
        (Control(paused=True), Control(by="mia", note="news"), "resumed"),
    ],
)
def test_a_wish_of_the_operator_is_told(before: Control, after: Control, words: str) -> None:
    notice = of_control("bot", before, after)
    assert notice is not None
    assert (notice.title, notice.body) == (f"bot: {words}", "by mia: news")
    assert (notice.kind is Kind.INFO) == (words == "resumed")
    silent = of_control("bot", before, msgspec.structs.replace(after, by="", note=""))
    assert silent is not None
    assert silent.body == "by nobody known"


def test_the_same_wish_again_is_no_news() -> None:
    assert of_control("bot", Control(paused=True), Control(paused=True, by="mia")) is None
