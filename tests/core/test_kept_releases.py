"""Which kept release somebody means by what the page and the lists show."""

import pytest

from handoff.commands.kept_releases import ReleaseUnnamed, named
from handoff.release_files import Manifest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def manifest(release: str, commit: str = "") -> Manifest:
    return Manifest(release=release, entry="a:b", python="/p", tree="/t", commit=commit)


KEPT = [
    manifest("0123456789ab-aaaaaa", COMMIT),
    manifest("0123ffffffff-bbbbbb", "0123" + "f" * 36),
    manifest("tree-89b7c4ec6961"),
]


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("0123456789ab-aaaaaa", KEPT[0].release),
        ("01234567", KEPT[0].release),
        (COMMIT, KEPT[0].release),
        ("tree-89b7", KEPT[2].release),
        ("89b7", KEPT[2].release),
    ],
)
def test_a_release_is_named_by_what_is_shown_of_it(text: str, release: str) -> None:
    """In an emergency nobody should have to find out what else a release is called."""
    assert named(KEPT, text).release == release


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0123", "may mean 0123456789ab-aaaaaa, 0123ffffffff-bbbbbb"),
        ("012", "may mean"),
        ("89b", "may mean tree-89b7c4ec6961"),
        ("dead", "no kept release is 'dead'"),
        ("", "no other release decided here before"),
    ],
)
def test_what_may_mean_another_one_is_refused(text: str, words: str) -> None:
    with pytest.raises(ReleaseUnnamed, match=words):
        named(KEPT, text)
