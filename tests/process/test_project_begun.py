"""`foresight init` under the user's own git: it signs, it has hooks, it may refuse."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)


class User:
    """Somebody with a git configuration of his own."""

    def __init__(self, place: Path) -> None:
        self.home = place / "user"
        self.home.mkdir()
        self.tree = place / "new" / "bot"
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        self.environment = kept | {"HOME": str(self.home)}

    def configure(self, name: str, value: str) -> None:
        self.run("git", "config", "--global", name, value)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.home,
            check=check,
            capture_output=True,
            text=True,
            timeout=50,
        )

    def init(self) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "foresight", "init", str(self.tree), check=False)


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_hooks_of_the_user_refuse_nothing_of_a_new_project(user: User) -> None:
    """They check what somebody wrote, and nobody wrote this."""
    hooks = user.home / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (hooks / "pre-commit").chmod(0o755)
    user.configure("core.hooksPath", str(hooks))
    done = user.init()
    assert done.returncode == 0, done.stderr
    assert user.run("git", "-C", str(user.tree), "log", "--format=%s").stdout == "Begin\n"


def test_a_first_commit_is_signed_by_the_user(user: User) -> None:
    key = user.home / "key"
    user.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    for name, value in [
        ("user.name", "Mia"),
        ("user.email", "mia@example.invalid"),
        ("commit.gpgSign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingKey", str(key)),
    ]:
        user.configure(name, value)
    done = user.init()
    assert done.returncode == 0, done.stderr
    commit = user.run("git", "-C", str(user.tree), "cat-file", "commit", "HEAD").stdout
    assert "BEGIN SSH SIGNATURE" in commit
    assert "committer Mia" in commit


@pytest.mark.parametrize("there", [False, True])
def test_a_commit_that_cannot_be_signed_leaves_nothing(user: User, *, there: bool) -> None:
    """A second try must not be refused for what the first one left."""
    user.configure("commit.gpgSign", "true")
    user.configure("gpg.program", "/bin/false")
    if there:
        user.run("git", "init", "-q", str(user.tree))
    done = user.init()
    assert done.returncode == 1
    assert done.stderr.startswith("error: git could not make the first commit")
    assert "hint: nothing was made" in done.stderr
    if there:
        assert [path.name for path in user.tree.iterdir()] == [".git"]
        assert user.run("git", "-C", str(user.tree), "status", "--porcelain").stdout == ""
    else:
        assert not user.tree.parent.exists()
