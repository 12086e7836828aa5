"""How a release's own interpreter is called: by the launcher, by gates, by a verification.

All of them must run the same code; a variable of whoever calls must not reach into it.
"""

from handoff.release_files import Manifest

OWN = Manifest("r1", "bot:create", "/srv/envs/e1/bin/python", "/srv/releases/r1/tree")
BORROWED = OWN._replace(python="/usr/bin/python3", paths=("/srv/releases/r1/tree", "/srv/engine"))


def test_an_interpreter_of_its_own_is_isolated_and_told_nothing() -> None:
    """A PYTHONPATH of the caller would put other code before the release's."""
    assert OWN.program("worker", "--home", "/srv") == [
        *("/srv/envs/e1/bin/python", "-I", "-m", "handoff"),
        *("worker", "--home", "/srv"),
    ]
    assert OWN.variables() == {}


def test_a_borrowed_interpreter_is_told_where_the_release_is() -> None:
    """Isolated, it would ignore what it is told and run whatever is installed there."""
    assert BORROWED.program("worker") == ["/usr/bin/python3", "-s", "-P", "-m", "handoff", "worker"]
    assert BORROWED.variables() == {"PYTHONPATH": "/srv/releases/r1/tree:/srv/engine"}
