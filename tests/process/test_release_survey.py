"""What a deploy would bring, asked of a real repository, and nothing made of it."""

import subprocess
from pathlib import Path

import pytest

from deploy import gates, releases_dir, survey
from deploy.errors import LockFileMissing
from deploy.git_tree import GitTree


def git(path: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Mia", "-c", "user.email=mia@example.invalid"]
    command = ["git", "-C", str(path), *identity, "-c", "commit.gpgSign=false", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(path: Path, name: str, text: str) -> str:
    (path / name).write_text(text, encoding="utf-8")
    git(path, "add", name)
    git(path, "commit", "--quiet", "-m", f"Change {name}")
    return git(path, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> GitTree:
    path = tmp_path / "project"
    path.mkdir()
    git(path, "init", "--quiet")
    commit(path, "requirements.lock", "# nothing\n")
    commit(path, "worker.py", "VERSION = 1\n")
    return GitTree(path)


def test_a_survey_says_what_changes_and_makes_nothing(tmp_path: Path, repository: GitTree) -> None:
    home = tmp_path / "home"
    running = releases_dir.intend(home, repository, repository.commit("HEAD")).manifest
    new = commit(repository.root, "worker.py", "VERSION = 2\n")
    (repository.root / "worker.py").write_text("VERSION = 3\n", encoding="utf-8")
    (repository.root / "spare.py").touch()
    facts = survey.survey(home, repository, None, running)
    assert (facts.commit, facts.subject, facts.running) == (
        new,
        "Change worker.py",
        running.release,
    )
    assert [change.commit for change in facts.commits] == [new]
    assert facts.files == ("worker.py",)
    assert (facts.uncommitted, facts.untracked) == (("worker.py",), ("spare.py",))
    assert (facts.environment_changes, facts.environment_built) == (False, False)
    assert not home.exists()


def test_going_back_is_said_as_what_is_undone(tmp_path: Path, repository: GitTree) -> None:
    home = tmp_path / "home"
    new = commit(repository.root, "requirements.lock", "# still nothing\n")
    running = releases_dir.intend(home, repository, repository.commit("HEAD")).manifest
    facts = survey.survey(home, repository, "HEAD~1", running)
    assert facts.commits == ()
    assert [change.commit for change in facts.undone] == [new]
    assert facts.environment_changes


@pytest.mark.parametrize("commit_of_it", ["", "0" * 40])
def test_a_running_release_of_elsewhere_has_no_difference_to_show(
    tmp_path: Path, repository: GitTree, commit_of_it: str
) -> None:
    """A directory without git runs, or the branch was rewritten and collected."""
    intended = releases_dir.intend(tmp_path, repository, repository.commit("HEAD")).manifest
    running = intended._replace(release="other", commit=commit_of_it)
    facts = survey.survey(tmp_path, repository, None, running)
    assert (facts.running, facts.commits, facts.files) == ("other", (), ())


def test_what_is_there_needs_no_room(tmp_path: Path, repository: GitTree) -> None:
    head = repository.commit("HEAD")
    before = releases_dir.intend(tmp_path, repository, head)
    assert before.tree_bytes == len("# nothing\nVERSION = 1\n")
    assert releases_dir.build(tmp_path, repository, head) == before.manifest
    after = releases_dir.intend(tmp_path, repository, head)
    assert (after.tree_bytes, after.environment_built) == (0, True)
    gate = survey.disk(tmp_path, after)
    assert gate.allows
    assert gate.evidence.endswith(f"{gates.DISK_RESERVE_BYTES // gates.MIB} MiB needed")


def test_what_cannot_become_a_release_is_said_before_it_is_built(
    tmp_path: Path, repository: GitTree
) -> None:
    git(repository.root, "rm", "--quiet", "requirements.lock")
    git(repository.root, "commit", "--quiet", "-m", "No lock")
    with pytest.raises(LockFileMissing):
        survey.survey(tmp_path, repository, None, None)
