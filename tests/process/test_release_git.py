"""What git is asked, whatever the repository looks like and whoever started us."""

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import frozen_directory, releases_dir
from deploy.errors import (
    LargeFilesPresent,
    NotARepository,
    PathUnsafe,
    SubmodulesPresent,
    TreeDirty,
    UnknownRef,
)
from deploy.git_tree import Blob, GitTree, _write
from tests.process.git_project import Project, said

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "home"
    yield path
    frozen_directory.remove(path)  # read-only directories are not pytest's to remove


def test_head_is_not_deployed_from_a_directory_with_changes(project: Project) -> None:
    """Whoever asks for HEAD means what he sees, and that is not what would go live."""
    tree = GitTree(project.path)
    project.write("app/forgotten.py", "")
    assert tree.commit_to_deploy(None).subject == "First"
    project.write("app/worker.py", "VERSION = 3\n")
    with pytest.raises(TreeDirty, match="1 uncommitted") as caught:
        tree.commit_to_deploy(None)
    assert "app/worker.py" in caught.value.hint
    assert tree.commit_to_deploy("HEAD").subject == "First"


def test_a_renamed_file_is_one_change(project: Project) -> None:
    project.git("mv", "app/worker.py", "app/owner.py")
    project.write("app/__init__.py", "x = 1\n")
    assert GitTree(project.path).working_tree().changed == ("app/__init__.py", "app/owner.py")


def test_links_inside_the_tree_are_kept(home: Path, project: Project) -> None:
    project.path.joinpath("alias").symlink_to("app/worker.py")
    project.commit("Link")
    manifest = project.build(home)
    assert Path(manifest.tree, "alias").read_text(encoding="utf-8") == "VERSION = 1\n"


@pytest.mark.parametrize(
    "aim", ["/etc/passwd", "../../outside", "app/../../outside", "here/here/../.."]
)
def test_a_link_out_of_the_tree_is_refused(home: Path, project: Project, aim: str) -> None:
    """What it leads to would change under a release that never changes."""
    project.path.joinpath("here").symlink_to(".")  # read as names, the last aim stays inside
    project.path.joinpath("alias").symlink_to(aim)
    project.commit("Link")
    with pytest.raises(PathUnsafe):
        project.build(home)


def test_nothing_is_written_through_a_link_of_the_tree_itself(tmp_path: Path) -> None:
    """git itself makes no such tree; whoever forges one chooses where a release is written."""
    outside, target = tmp_path / "outside", tmp_path / "tree"
    outside.mkdir()
    target.mkdir()
    (target / "pkg").symlink_to(outside)
    for path in ("pkg/module.py", "pkg/deep/module.py"):
        with pytest.raises(PathUnsafe, match="through the link pkg"):
            _write(io.BytesIO(b"0 blob 1\nx\n"), Blob(path, 0o100644, "0", 1), target)
    assert list(outside.iterdir()) == []


def test_a_subject_steers_no_terminal(home: Path, project: Project) -> None:
    """It is shown by `deploy`, by `status`, on the page and in messages."""
    project.write("app/other.py", "")
    project.commit("Use \x1b[2Kless\x07 \u202eesrever")
    subject = project.build(home).subject
    assert subject == "Use \ufffd[2Kless\ufffd \ufffdesrever"


def test_attributes_change_nothing(home: Path, project: Project) -> None:
    """The bytes are those that were committed; `git archive` would change all three."""
    project.write("app/stamp.py", "COMMIT = '$Format:%H$'\n")
    project.write("app/lines.txt", "a\nb\n")
    project.write(
        ".gitattributes",
        "app/worker.py export-ignore\napp/stamp.py export-subst\napp/lines.txt eol=crlf\n",
    )
    project.commit("Attributes")
    manifest = project.build(home)
    assert said(manifest, "import app.worker; print(app.worker.VERSION)") == "1"
    assert said(manifest, "import app.stamp; print(app.stamp.COMMIT)") == "$Format:%H$"
    assert Path(manifest.tree, "app/lines.txt").read_bytes() == b"a\nb\n"


def test_a_filter_of_the_users_own_git_is_asked_about_his_files_and_changes_no_release(
    home: Path, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With line ends or large files turned by git, a clean tree would be refused as changed."""
    user = tmp_path / "user"
    user.mkdir()
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    words = '[filter "shout"]\n\tclean = tr A-Z a-z\n\tsmudge = tr a-z A-Z\n\trequired\n'
    (user / ".gitconfig").write_text(f"[core]\n\tautocrlf = true\n{words}", encoding="utf-8")
    project.write(".gitattributes", "app/loud.txt filter=shout\n")
    project.write("app/loud.txt", "LOUD\n")
    project.write("app/lines.txt", "a\r\nb\r\n")
    project.commit("Filters")
    for name in ("app/loud.txt", "app/lines.txt"):
        (project.path / name).unlink()
    project.git("checkout", "--", ".")
    assert (project.path / "app/loud.txt").read_bytes() == b"LOUD\r\n"
    assert GitTree(project.path).working_tree().changed == ()
    manifest = project.build(home)
    assert Path(manifest.tree, "app/loud.txt").read_bytes() == b"loud\n"
    assert Path(manifest.tree, "app/lines.txt").read_bytes() == b"a\nb\n"
    project.write("app/loud.txt", "LOUDER\n")
    assert GitTree(project.path).working_tree().changed == ("app/loud.txt",)


def test_submodules_are_refused(home: Path, project: Project) -> None:
    """Their content is not in the commit: the release would lack it silently."""
    head = project.git("rev-parse", "HEAD")
    project.git("update-index", "--add", "--cacheinfo", f"160000,{head},lib/other")
    project.git("commit", "--quiet", "-m", "Submodule")
    with pytest.raises(SubmodulesPresent, match="lib/other"):
        project.build(home)


def test_large_file_pointers_are_refused(home: Path, project: Project) -> None:
    project.write("model.bin", POINTER)
    project.write("notes.md", f"See {POINTER}")
    project.commit("Model")
    with pytest.raises(LargeFilesPresent) as caught:
        project.build(home)
    assert caught.value.paths == ("model.bin",)


@pytest.mark.parametrize("ref", ["no-such-branch", "-v", "HEAD:app", "", "HEAD~9"])
def test_what_names_no_commit_is_refused(project: Project, ref: str) -> None:
    with pytest.raises(UnknownRef):
        GitTree(project.path).commit(ref)


def test_tags_branches_and_short_hashes_name_commits(project: Project) -> None:
    head = project.git("rev-parse", "HEAD")
    project.git("tag", "-a", "v1", "-m", "one")
    tree = GitTree(project.path / "app")  # from a directory below, as a user would
    assert {tree.commit(ref).commit for ref in ("v1", "main", "HEAD", head[:8])} == {head}
    assert tree.root == project.path


@pytest.mark.parametrize("name", ["", "absent"])
def test_a_directory_without_git_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotARepository):
        GitTree(tmp_path / name)


def test_a_bare_repository_will_do(tmp_path: Path, home: Path, project: Project) -> None:
    """That is what one pushes to."""
    bare = tmp_path / "bare.git"
    project.git("clone", "--quiet", "--bare", str(project.path), str(bare))
    tree = GitTree(bare)
    manifest = releases_dir.build(home, tree, tree.commit("main"))
    assert manifest == project.build(home)
    assert tree.working_tree().changed == ()


def test_a_second_working_tree_will_do(tmp_path: Path, project: Project) -> None:
    project.git("worktree", "add", "--quiet", str(tmp_path / "second"), "-b", "second")
    assert GitTree(tmp_path / "second").root == tmp_path / "second"


def test_a_hook_does_not_redirect_us(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook runs with GIT_DIR set; what it starts must not deploy that repository instead."""
    other = Project(tmp_path / "other")
    other.commit("Other")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))
    tree = GitTree(project.path)
    assert (tree.root, tree.commit("HEAD").subject) == (project.path, "First")
    assert tree.working_tree().changed == ()


def test_nothing_is_written_into_the_users_repository(home: Path, project: Project) -> None:
    """`git status` would refresh the index, and take its lock while the user commits."""
    project.path.joinpath("app/worker.py").touch()

    def files() -> dict[str, int]:
        found = project.path.joinpath(".git").rglob("*")
        return {str(path): path.stat().st_mtime_ns for path in found if path.is_file()}

    before = files()
    assert GitTree(project.path).working_tree().changed == ()
    project.build(home)
    assert files() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
def test_root_reads_a_repository_as_its_owner(project: Project) -> None:
    """Git does not trust a stranger's repository, and its configuration runs commands."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        clone = Path(place) / "clone"
        project.git("clone", "--quiet", "--no-hardlinks", str(project.path), str(clone))
        for path in [clone, *clone.rglob("*")]:
            os.lchown(path, 65534, 65534)
        assert GitTree(clone).commit("HEAD").subject == "First"


def test_what_lies_between_two_commits(project: Project) -> None:
    old = project.git("rev-parse", "HEAD")
    project.write("app/worker.py", "VERSION = 2\n")
    project.commit("Zweite Änderung")
    new = project.commit("Empty")
    tree = GitTree(project.path)
    commits = tree.commits_between(old, new)
    assert [commit.subject for commit in commits] == ["Empty", "Zweite Änderung"]
    assert commits[0].author == "Mia"
    assert tree.files_between(old, new) == ["app/worker.py"]
    assert tree.commits_between(new, old) == []
