"""Which edition of a companion runs: row by row of the table, and whatever happens in between."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.launcher.edition_rules import (
    Action,
    End,
    GiveUp,
    Known,
    Seen,
    Start,
    TakePlace,
    given_up,
    is_edition,
    plan,
    with_ready,
    with_wanted,
)
from handoff.launcher.supervision import Child, Role
from handoff.limits import COMPANION_READY_S

NOW_S: Final = 5000.0
LONG_AGO_S: Final = NOW_S - COMPANION_READY_S - 0.1
OLD = Child("page", Role.COMPANION, release="r1", started_s=1.0, warm=True)
NEW = Child("page-7-1", Role.COMPANION, release="r2", started_s=NOW_S - 1)
OWN = Child("page", Role.COMPANION, started_s=1.0)
AT_R1: Final = Known("r1", "r1")
TO_R2: Final = Known("r2", "r1")
SILENT: Final = GiveUp("r2", "it did not say that it is ready within 30 s")


def planned(
    first: Child | None,
    second: Child | None,
    known: Known,
    **changes: Any,  # noqa: ANN401 - members of Seen
) -> list[Action]:
    return plan(Seen(first, second, known, NOW_S, has_socket=True, pauses={})._replace(**changes))


def test_where_the_permanent_release_serves_nothing_is_done() -> None:
    assert planned(OLD, None, AT_R1) == []
    assert planned(OWN, None, Known()) == [], "no release is permanent yet, or none brings it"


def test_a_new_release_gets_ready_beside_the_old_one_which_then_leaves() -> None:
    assert planned(OLD, None, TO_R2) == [Start("r2", beside=True)]
    assert planned(OLD, NEW, TO_R2) == []
    ready = NEW._replace(warm=True)
    assert planned(OLD, ready, with_ready(TO_R2, "r2")) == [End("page")]
    leaving = OLD._replace(stopping_s=NOW_S)
    assert planned(leaving, ready, with_ready(TO_R2, "r2")) == []
    assert planned(None, ready, with_ready(TO_R2, "r2")) == [TakePlace("page-7-1")]


def test_the_installations_own_serves_until_a_release_does() -> None:
    assert planned(None, None, Known()) == [Start("")]
    assert planned(OWN, None, Known("r1")) == [Start("r1", beside=True)]


def test_a_restart_starts_the_edition_that_was_ready_last_and_the_wanted_one_beside_it() -> None:
    assert planned(None, None, AT_R1) == [Start("r1")]
    assert planned(None, None, TO_R2) == [Start("r1")], "first of all somebody who serves"
    assert planned(OLD._replace(warm=False, started_s=NOW_S), None, TO_R2) == [
        Start("r2", beside=True)
    ]
    assert planned(None, NEW, TO_R2) == [Start("r1")], "nobody waits for one that may hang"


def test_one_that_is_silent_too_long_is_ended_and_its_release_given_up() -> None:
    """It costs the old one nothing; in the first place the installation's own comes next."""
    assert planned(OLD, NEW._replace(started_s=LONG_AGO_S), TO_R2) == [End("page-7-1"), SILENT]
    hung = NEW._replace(name="page", started_s=LONG_AGO_S)
    assert planned(hung, None, Known("r2", "r2")) == [End("page"), SILENT]
    known = given_up(Known("r2", "r2"), "r2", SILENT.why)
    assert known == Known("r2", "", SILENT.why)
    assert planned(None, None, known) == [Start("")]


def test_the_installations_own_needs_no_word() -> None:
    """It may be of a release before that word, adopted from its launcher."""
    assert planned(OWN._replace(started_s=LONG_AGO_S), None, Known()) == []


def test_what_is_given_up_is_not_tried_again_until_another_release_is_wanted() -> None:
    known = given_up(TO_R2, "r2", "it is broken")
    assert known == Known("r2", "r1", "it is broken")
    assert planned(OLD, None, known) == []
    assert with_wanted(known, "r2") == known
    assert planned(OLD, None, with_wanted(known, "r3")) == [Start("r3", beside=True)]
    assert with_wanted(with_wanted(known, "r1"), "r2") == TO_R2, "deployed again: tried again"


def test_giving_up_the_old_one_says_nothing_of_the_wanted_one() -> None:
    known = Known("r2", "r1", "it is broken")
    assert given_up(known, "r1", "worse") == Known("r2", "", "it is broken")
    assert given_up(known, "", "the installation's own") == known


def test_who_is_ready_after_all_is_given_up_no_more() -> None:
    late = with_ready(given_up(TO_R2, "r2", "it was slow"), "r2")
    assert late == Known("r2", "r2")
    other = with_ready(given_up(TO_R2, "r2", "it was slow"), "r1")
    assert other.why == "it was slow", "that another one is ready says nothing of it"


def test_the_installations_own_is_never_given_up() -> None:
    assert given_up(Known(), "", "it ended three times") == Known()


def test_a_ready_one_that_leaves_does_not_take_the_place_of_one_that_serves() -> None:
    leaving = NEW._replace(warm=True, stopping_s=NOW_S)
    assert planned(OLD, leaving, with_ready(TO_R2, "r2")) == [], "nobody would be left"


def test_a_release_that_is_wanted_no_more_is_not_waited_for() -> None:
    assert planned(OLD, NEW, AT_R1) == [End("page-7-1")]
    assert planned(OLD, NEW, Known("r3", "r1")) == [End("page-7-1")]
    assert planned(OLD, NEW._replace(stopping_s=NOW_S), Known("r3", "r1")) == []


def test_nothing_is_started_in_a_pause_or_without_a_socket() -> None:
    paused = {"": NOW_S + 1, "r1": NOW_S + 1, "r2": NOW_S + 1}
    assert planned(None, None, TO_R2, pauses=paused) == []
    assert planned(OLD, None, TO_R2, pauses=paused) == []
    assert planned(OLD._replace(started_s=NOW_S), None, TO_R2, has_socket=False) == []


def test_an_adopted_one_that_never_gives_its_socket_is_ended_for_its_port() -> None:
    """One of an older release does not know that it may: the port is bound again when it ends."""
    adopted = OWN._replace(started_s=LONG_AGO_S)
    assert planned(adopted, None, Known("r2"), has_socket=False) == [End("page")]
    assert planned(adopted, None, Known(), has_socket=False) == [], "nothing else is wanted"


@pytest.mark.parametrize(
    ("child", "is_one"),
    [("page", True), ("page-7-1", True), ("pages", False), ("pag", False), ("a-page", False)],
)
def test_an_edition_is_known_by_its_name(child: str, *, is_one: bool) -> None:
    assert is_edition(child, "page") is is_one


# --- a small world: releases that serve, hang or end; kills at any moment ---------------------


class World:
    """One companion in steps of a second, as the launcher would act on the rules."""

    def __init__(self, kinds: dict[str, str]) -> None:
        self.kinds = kinds
        self.known = Known()
        self.now_s = 0.0
        self.living: dict[str, Child] = {}
        self.counted = 0
        self.silent_s = 0  # how long nobody has answered

    def serves(self, child: Child) -> bool:
        """Whether it answers; one that was asked to leave accepts nothing more."""
        kind = self.kinds[child.release]
        return kind == "serves" and child.stopping_s is None and self.now_s > child.started_s

    def step(self) -> None:
        """Let a second pass: who leaves is gone, who serves says so, the rules are followed."""
        self.now_s += 1
        for child in list(self.living.values()):
            if child.stopping_s is not None:
                del self.living[child.name]
            elif self.kinds[child.release] == "ends":
                del self.living[child.name]
                self.known = given_up(self.known, child.release, "ended")
            elif self.serves(child) and not child.warm:
                self.living[child.name] = child._replace(warm=True)
                self.known = with_ready(self.known, child.release)
        for action in self.seen():
            self.act(action)
        answered = any(self.serves(each) for each in self.living.values())
        self.silent_s = 0 if answered else self.silent_s + 1

    def seen(self) -> list[Action]:
        second = next((each for name, each in self.living.items() if name != "page"), None)
        first = self.living.get("page")
        return plan(Seen(first, second, self.known, self.now_s, has_socket=True, pauses={}))

    def act(self, action: Action) -> None:
        match action:
            case Start(release, beside):
                self.counted += 1
                name = f"page-{self.counted}" if beside else "page"
                assert name not in self.living
                self.living[name] = Child(
                    name, Role.COMPANION, release=release, started_s=self.now_s
                )
            case End(name):
                self.living[name] = self.living[name]._replace(stopping_s=self.now_s)
            case GiveUp(release, why):
                self.known = given_up(self.known, release, why)
            case TakePlace(name):
                self.living["page"] = self.living.pop(name)._replace(name="page")


KINDS: Final = {"": "serves", "good": "serves", "better": "serves", "hangs": "hangs", "bad": "ends"}
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([*(name for name in KINDS if name), "kill first", "kill second", "wait"]),
        st.integers(1, 40),
    ),
    max_size=12,
)


@settings(max_examples=150)
@given(EVENTS)
def test_whoever_is_killed_and_whatever_is_deployed_somebody_serves_and_never_two_for_long(
    events: list[tuple[str, int]],
) -> None:
    """Deploys of good and bad releases, and kills of either page, at any moments."""
    world = World(KINDS)
    for event, steps in [*events, ("wait", 3 * int(COMPANION_READY_S))]:
        if event in KINDS:
            world.known = with_wanted(world.known, event)
        elif event == "kill first":
            world.living.pop("page", None)
        elif event == "kill second":
            world.living = {name: each for name, each in world.living.items() if name == "page"}
        together = 0
        for _ in range(steps):
            world.step()
            serving = [each for each in world.living.values() if world.serves(each)]
            together = together + 1 if len(serving) > 1 else 0
            assert len(world.living) <= 2
            assert together <= 1, "the old one leaves as soon as the new one serves"
            assert world.silent_s <= 3, "no longer than a restart"
    (page,) = world.living.values()
    assert (page.name, page.warm) == ("page", True)
    wanted = world.known.wanted
    assert page.release == (wanted if KINDS[wanted] == "serves" else world.known.ready)
    assert bool(world.known.why) is (KINDS[wanted] != "serves")
