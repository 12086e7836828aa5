"""A release that is wanted and not here: made by a job, and said until it is."""

from handoff.launcher.making import RELEASE, Making, command_for
from handoff.limits import MAKE_AGAIN_S
from handoff.processes import Exit


def test_while_a_release_is_made_it_is_said_and_afterwards_nothing_is_missing() -> None:
    making = Making()
    assert making.words() == ""
    making.begin("r2")
    assert (making.words(), making.waits(1.0)) == ("building", False)
    assert making.ended(Exit(0, 0), 1.0)
    assert making.words() == ""


def test_one_that_cannot_be_made_is_tried_again_after_a_while() -> None:
    making = Making()
    for how in (Exit(1, 0), Exit(0, 9), None):
        making.begin("r2")
        assert not making.ended(how, 1.0)
        assert making.words().startswith("r2 cannot be made: ")
        assert making.waits(MAKE_AGAIN_S)
        assert not making.waits(MAKE_AGAIN_S + 1.0)
    making.begin("r3")
    assert (making.words(), making.waits(2.0)) == ("building", False)


def test_its_command_names_the_release() -> None:
    assert command_for(("make", RELEASE, "it"), "r2") == ("make", "r2", "it")
