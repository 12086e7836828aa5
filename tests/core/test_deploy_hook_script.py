"""The text of a hook: what it knows can be read back, whatever the paths are called."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.hook_script import BARE_HOOKS, Settings, script, settings_of

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(home=NAMES, python=NAMES)
def test_a_hook_of_ours_is_known_again(home: str, python: str) -> None:
    settings = Settings(home=home, shared="/r/.git", branch="main", python=python)
    for name in BARE_HOOKS:
        assert settings_of(script(name, settings)) == settings


def test_another_hook_is_not_taken_for_ours() -> None:
    assert settings_of(b"#!/bin/sh\necho hello\n") is None
    assert settings_of(b"#!/bin/sh\n# foresight-hook: {broken\n") is None
    assert settings_of(b"") is None
