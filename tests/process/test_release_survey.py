"""What a deploy would bring, asked of a real repository, and nothing made of it."""

from pathlib import Path

import pytest

from deploy import gates, releases_dir, survey
from deploy.errors import LockFileMissing
from deploy.git_tree import GitTree
from tests.process.git_project import ENTRY_TABLE, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def repository(project: Project) -> GitTree:
    return GitTree(project.path)


def test_a_survey_says_what_changes_and_makes_nothing(
    tmp_path: Path, project: Project, repository: GitTree
) -> None:
    home = tmp_path / "home"
    running = releases_dir.intend(home, repository, repository.commit("HEAD")).manifest
    project.write("app/worker.py", "VERSION = 2\n")
    new = project.commit("Second")
    project.write("app/worker.py", "VERSION = 3\n")
    project.write("spare.py", "")
    facts = survey.survey(home, repository, None, running)
    assert (facts.commit, facts.subject) == (new, "Second")
    assert facts.running == running.release
    assert [change.commit for change in facts.commits] == [new]
    assert facts.files == ("app/worker.py",)
    assert (facts.uncommitted, facts.untracked) == (("app/worker.py",), ("spare.py",))
    assert (facts.environment_changes, facts.environment_built) == (False, False)
    assert not home.exists()


def test_going_back_is_said_as_what_is_undone(
    tmp_path: Path, project: Project, repository: GitTree
) -> None:
    home = tmp_path / "home"
    project.write("requirements.lock", "# still nothing\n")
    new = project.commit("Second")
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


def test_the_history_gets_what_a_deploy_brought_newest_first(
    tmp_path: Path, project: Project, repository: GitTree
) -> None:
    """Somebody who looks back has the history alone: what is not in it is not known later."""
    running = releases_dir.build(tmp_path, repository, repository.commit("HEAD")).release
    assert survey.brought(tmp_path, repository, running, repository.commit("HEAD")) == ()
    for number in range(12):
        project.write("app/worker.py", f"VERSION = {number + 2}\n")
        project.commit(f"Number {number}")
    newest = repository.commit("HEAD")
    rows = survey.brought(tmp_path, repository, running, newest)
    assert rows[0] == f"{newest.commit[:12]} Number 11"
    assert (len(rows), rows[-1]) == (11, "and 2 more")
    gone = survey.brought(tmp_path, repository, "pruned-1", repository.commit("HEAD"))
    assert gone == (), "a deploy goes on all the same"


def test_what_is_there_needs_no_room(tmp_path: Path, repository: GitTree) -> None:
    head = repository.commit("HEAD")
    before = releases_dir.intend(tmp_path, repository, head)
    assert before.tree_bytes == len("# nothing\nVERSION = 1\n") + len(ENTRY_TABLE)
    assert releases_dir.build(tmp_path, repository, head) == before.manifest
    after = releases_dir.intend(tmp_path, repository, head)
    assert (after.tree_bytes, after.environment_built) == (0, True)
    gate = survey.disk(tmp_path, after)
    assert gate.allows
    assert gate.evidence.endswith(f"{gates.DISK_RESERVE_BYTES // gates.MIB} MiB needed")


def test_what_cannot_become_a_release_is_said_before_it_is_built(
    tmp_path: Path, project: Project, repository: GitTree
) -> None:
    project.git("rm", "--quiet", "requirements.lock")
    project.commit("No lock")
    with pytest.raises(LockFileMissing):
        survey.survey(tmp_path, repository, None, None)
