"""Who asks is what the kernel says; a name is shown beside it and never needed."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

from deploy.commands import Account
from deploy.git_tree import child_environment
from handoff.account import asker, name_of, user_directory

if TYPE_CHECKING:
    import pytest

NOBODYS_UID = 54_321


def test_who_asks_is_the_kernels_word_and_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise anybody writes a colleague's name under a halt."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "mia")
    assert f"uid {os.getuid()}" in asker()
    assert "mia" not in asker()


def test_an_account_without_an_entry_has_no_name() -> None:
    assert name_of(NOBODYS_UID) == ""
    assert name_of(0) == pwd.getpwuid(0).pw_name


def test_the_users_directory_is_home_or_what_the_database_says() -> None:
    """A relative HOME would mean another directory to each command."""
    recorded = pwd.getpwuid(os.getuid()).pw_dir
    assert user_directory({"HOME": "/h"}) == "/h"
    assert user_directory({"HOME": "h"}) == recorded
    assert user_directory({}) == recorded


def test_git_runs_for_an_owner_without_an_entry() -> None:
    """As root in a repository that a container's account owns: root's own HOME is not theirs."""
    own = {"HOME": "/root", "PATH": "/bin"}
    environment = child_environment(own, Account(NOBODYS_UID, NOBODYS_UID))
    assert "HOME" not in environment
    assert environment["PATH"] == "/bin"
