"""A bot that was started from a login and ends with the logout was never told so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from foresight import login_session
from foresight.login_session import Session, group_of, kills_of, remedy, why_ended

if TYPE_CHECKING:
    from pathlib import Path

UNIFIED = "0::/user.slice/user-1000.slice/{}\n"
HYBRID = (
    "11:memory:/user.slice/user-1000.slice/{0}\n"
    "1:name=systemd:/user.slice/user-1000.slice/{0}\n"
    "0::/\n"
)
SCOPE = "session-3.scope"
MANAGED = "user@1000.service/app.slice/app-terminal.scope"
KILLS = 'b true\nas 0\nas 1 "root"\n'


@pytest.mark.parametrize("text", [UNIFIED, HYBRID])
@pytest.mark.parametrize("place", [SCOPE, MANAGED])
def test_the_group_is_found_in_both_kinds_of_hierarchy(text: str, place: str) -> None:
    assert group_of(text.format(place)) == f"/user.slice/user-1000.slice/{place}"


@pytest.mark.parametrize(
    ("place", "lingers", "kills", "words"),
    [
        (SCOPE, False, True, "KillUserProcesses"),
        (SCOPE, True, True, "KillUserProcesses"),  # lingering keeps the manager, not the session
        (SCOPE, False, False, ""),
        (MANAGED, False, False, "the user's manager ends"),
        (MANAGED, True, True, ""),
        ("../../system.slice/foresight.service", False, True, ""),
        ("../../system.slice/mysession-3.scope.d", False, True, ""),
    ],
)
def test_a_logout_ends_what_the_session_or_its_manager_holds(
    place: str, words: str, *, lingers: bool, kills: bool
) -> None:
    session = Session(group_of(UNIFIED.format(place)), lingers=lingers, kills=kills)
    said = why_ended(session)
    assert (words in said, bool(said)) == (True, bool(words))


def test_lingering_is_enough_for_the_manager_and_not_for_a_session() -> None:
    for place, unit in ((SCOPE, True), (MANAGED, False)):
        session = Session(group_of(UNIFIED.format(place)), lingers=False, kills=True)
        assert "loginctl enable-linger" in remedy(session)
        assert ("unit install" in remedy(session)) == unit


@pytest.mark.parametrize(
    ("answer", "user", "kills"),
    [
        (KILLS, "mia", True),
        (KILLS, "root", False),  # excluded unless somebody says otherwise
        (KILLS.replace("true", "false"), "mia", False),
        ('b true\nas 1 "jo"\nas 0\n', "mia", False),
        ('b true\nas 2 "jo" "mia"\nas 0\n', "mia", True),
        ("", "mia", False),
        ("Failed to get property\n", "mia", False),
    ],
)
def test_the_host_is_asked_and_not_guessed(answer: str, user: str, *, kills: bool) -> None:
    """A host without logind ends nothing; one that spares this account spares the bot."""
    assert kills_of(answer, user) is kills


@pytest.mark.parametrize(("answer", "said"), [("true", True), ("false", False)])
def test_logind_is_asked_by_its_own_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, *, said: bool
) -> None:
    """What the files of its configuration say is not what it runs with."""
    group, tool = tmp_path / "cgroup", tmp_path / "busctl"
    group.write_text(UNIFIED.format(SCOPE))
    words = '*"get-property org.freedesktop.login1 "*KillUserProcesses*'
    asked = f'case "$*" in {words}) ;; *) exit 1;; esac'
    tool.write_text(f"#!/bin/sh\n{asked}\nprintf 'b {answer}\\nas 0\\nas 0\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setattr(login_session, "OWN_GROUP", group)
    session = login_session.this_session({"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert (session.kills, bool(why_ended(session))) == (said, said)
    assert not login_session.this_session({"PATH": str(tmp_path / "none")}).kills
