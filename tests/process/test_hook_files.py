"""Hooks are put where git looks, beside what was there, and leave no trace when they go."""

import json
import os
import shlex
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy import git_hook, hook_files
from deploy.errors import HookConflict
from deploy.git_tree import GitTree
from deploy.hook_script import KEPT, Settings, settings_of
from tests.process.git_project import Project

# Stands in for the interpreter of the installation: says how it was called. A shell starts it,
# because a first line that names an interpreter cannot hold a path with a space.
STARTED = """#!/bin/sh
exec {python} {called} "$@"
"""
CALLED = """\
import json, os, sys, time
said = {{"argv": sys.argv[1:], "cwd": os.getcwd(), "git": sorted(v for v in os.environ if
        v.startswith("GIT_")), "stdin": sys.stdin.read()}}
with open({note!r}, "a") as file:
    file.write(json.dumps(said) + chr(10))
"""
THEIRS = b"#!/bin/bash\necho $(basename $0) $* >> '%s'\nexit 3\n# no newline at the end"


class Hooked:
    """A repository with hooks that note who called them."""

    def __init__(self, directory: Path) -> None:
        self.project = Project(directory / "project")
        self.home = directory / "state home"
        (self.home / "logs").mkdir(parents=True)
        self.note = directory / "called"
        self.python = directory / "bin" / "py thon"
        self.python.parent.mkdir()
        called = directory / "called.py"
        called.write_text(CALLED.format(note=str(self.note)), encoding="utf-8")
        words = {"python": shlex.quote(sys.executable), "called": shlex.quote(str(called))}
        self.python.write_text(STARTED.format(**words), encoding="utf-8")
        self.python.chmod(0o755)
        self.project.git("config", "user.name", "Mia")
        self.project.git("config", "user.email", "mia@example.invalid")

    @property
    def tree(self) -> GitTree:
        return GitTree(self.project.path)

    def settings(self, tree: GitTree) -> Settings:
        shared = str(tree.common_directory())
        return Settings(home=str(self.home), shared=shared, branch="main", python=str(self.python))

    def install(self, tree: GitTree | None = None) -> list[Path]:
        tree = tree or self.tree
        return hook_files.install(tree, self.settings(tree))

    def git(self, *arguments: str, at: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = ["git", "-C", str(at or self.project.path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True)

    def feature(self, name: str = "feature") -> str:
        self.project.git("checkout", "--quiet", "-b", name)
        self.project.write(f"app/{name}.py", "")
        self.project.commit(name)
        self.project.git("checkout", "--quiet", "main")
        return name

    def calls(self, number: int) -> list[dict[str, object]]:
        """Wait for the interpreter to have been called so often; return how."""
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            lines = self.note.read_text("utf-8").splitlines() if self.note.exists() else []
            if len(lines) >= number:
                return [json.loads(line) for line in lines]
            time.sleep(0.02)
        raise AssertionError(self.note)


@pytest.fixture
def hooked(tmp_path: Path) -> Hooked:
    return Hooked(tmp_path)


def test_a_merge_starts_one_process_away_from_the_repository(hooked: Hooked) -> None:
    hooked.install()
    done = hooked.git("merge", "--quiet", "--no-edit", "--no-ff", hooked.feature())
    (call,) = hooked.calls(1)
    shared = str(hooked.project.path / ".git")
    assert call["argv"] == [
        *("-I", "-m", "foresight", "hook", "run"),
        *("--home", str(hooked.home), "--git-dir", shared),
    ]
    assert (call["cwd"], call["stdin"]) == ("/", "")
    (line,) = done.stderr.splitlines()
    assert "is asked to go live" in line


@pytest.mark.parametrize("how", [[], ["--apply"]])
def test_a_rebase_starts_one_too(hooked: Hooked, how: list[str]) -> None:
    hooked.feature()
    hooked.project.write("app/main.py", "")
    hooked.project.commit("Main")
    hooked.install()
    hooked.git("rebase", "--quiet", *how, "feature")
    assert len(hooked.calls(1)) == 1


def test_a_hook_that_was_there_is_called_first_and_comes_back(hooked: Hooked) -> None:
    """Its own exit status stays its own: git goes on, and so do we."""
    path = hooked.project.path / ".git" / "hooks" / "post-merge"
    said = hooked.home / "theirs"
    theirs = THEIRS % os.fsencode(said)
    path.write_bytes(theirs)
    path.chmod(0o751)
    hooked.install()
    hooked.install()
    hooked.git("merge", "--quiet", "--no-edit", "--no-ff", hooked.feature())
    hooked.calls(1)
    assert said.read_text("utf-8") == f"post-merge{KEPT} 0\n"
    assert hook_files.remove(hooked.tree, hooked.home) != []
    assert path.read_bytes() == theirs
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert sorted(each.name for each in path.parent.glob("*post-*")) == ["post-merge", *SAMPLES]


SAMPLES = ["post-update.sample"]


def test_a_hook_that_goes_by_its_own_name_keeps_it(hooked: Hooked) -> None:
    """Managers of hooks install one script under many names."""
    path = hooked.project.path / ".git" / "hooks" / "post-merge"
    said = hooked.home / "theirs"
    path.write_text(f'#!/bin/sh\necho "$(basename "$0") $1" > \'{said}\'\n', encoding="utf-8")
    path.chmod(0o755)
    hooked.install()
    hooked.git("merge", "--quiet", "--no-edit", "--no-ff", hooked.feature())
    assert said.read_text("utf-8") == "post-merge 0\n"


def test_a_link_and_a_hook_that_is_switched_off_come_back_as_they_were(hooked: Hooked) -> None:
    hooks = hooked.project.path / ".git" / "hooks"
    (hooks / "post-merge").symlink_to("../../app/worker.py")
    off = hooks / "post-rewrite"
    off.write_bytes(b"#!/bin/sh\ntouch never\n")
    off.chmod(0o644)
    hooked.install()
    hooked.git("commit", "--quiet", "--allow-empty", "--amend", "-m", "Again")
    hooked.calls(1)
    assert not (hooked.project.path / "never").exists()
    hook_files.remove(hooked.tree, hooked.home)
    assert (hooks / "post-merge").readlink() == Path("../../app/worker.py")
    assert stat.S_IMODE(off.stat().st_mode) == 0o644


def test_what_is_received_is_passed_on_and_only_our_branch_counts(hooked: Hooked) -> None:
    bare = hooked.project.path.with_name("bare.git")
    hooked.git("clone", "--quiet", "--bare", str(hooked.project.path), str(bare))
    said = hooked.home / "theirs"
    path = bare / "hooks" / "post-receive"
    path.write_text(f"#!/bin/bash\ncat > '{said}'\n", encoding="utf-8")
    path.chmod(0o755)
    hooked.install(GitTree(bare))
    name = hooked.feature()
    old = hooked.project.git("rev-parse", "main")
    hooked.git("push", "--quiet", str(bare), name)
    time.sleep(0.3)
    assert not hooked.note.exists()
    hooked.git("merge", "--quiet", "--ff-only", name)
    new = hooked.project.git("rev-parse", "main")
    done = hooked.git("push", "--quiet", str(bare), "main", "HEAD:refs/heads/main-2")
    (call,) = hooked.calls(1)
    assert str(call["argv"]).endswith(f"'--git-dir', '{bare}', '--received']")
    lines = said.read_text("utf-8").splitlines(keepends=True)
    assert f"{old} {new} refs/heads/main\n" in lines
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("remote: foresight:")]
    assert "is asked to go live" in done.stderr, told


@pytest.mark.parametrize("where", [".hooks", "absolute"])
def test_the_configured_place_of_hooks_is_used(hooked: Hooked, tmp_path: Path, where: str) -> None:
    place = tmp_path / "elsewhere" if where == "absolute" else hooked.project.path / where
    hooked.git("config", "core.hooksPath", str(place) if where == "absolute" else where)
    paths = hooked.install()
    assert {path.parent for path in paths} == {place}
    hooked.git("merge", "--quiet", "--no-edit", "--no-ff", hooked.feature())
    hooked.calls(1)
    hook_files.remove(hooked.tree, hooked.home)
    assert list(place.iterdir()) == []


def test_a_linked_working_tree_calls_the_same_hook(hooked: Hooked, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    hooked.git("worktree", "add", "--quiet", "-b", "other", str(linked))
    hooked.install(GitTree(linked))
    assert hook_files.wanted(hooked.tree, hooked.home)
    hooked.git("merge", "--quiet", "--no-edit", "--no-ff", hooked.feature(), at=linked)
    (call,) = hooked.calls(1)
    expected = hooked.project.path / ".git" / "worktrees" / "linked"
    assert call["argv"] == [
        *("-I", "-m", "foresight", "hook", "run"),
        *("--home", str(hooked.home), "--git-dir", str(expected)),
    ]


def test_a_hook_of_another_installation_is_not_replaced(hooked: Hooked) -> None:
    hooked.install()
    other = Settings(home="/other", shared="/other", branch="main", python=sys.executable)
    before = [path.read_bytes() for path in hooked.install()]
    with pytest.raises(HookConflict, match="acts for"):
        hook_files.install(hooked.tree, other)
    assert hook_files.remove(hooked.tree, Path("/other")) == []
    assert [state.path.read_bytes() for state in hook_files.look(hooked.tree)] == before


def test_a_hook_written_over_ours_stays(hooked: Hooked) -> None:
    """Removing ours must not take away what somebody put there since."""
    path = hooked.project.path / ".git" / "hooks" / "post-merge"
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    hooked.install()
    path.write_text("#!/bin/sh\n# newer\n", encoding="utf-8")
    with pytest.raises(HookConflict, match=KEPT):
        hooked.install()
    hook_files.remove(hooked.tree, hooked.home)
    assert path.read_text("utf-8") == "#!/bin/sh\n# newer\n"
    assert path.with_name(f"post-merge{KEPT}").exists()


def test_an_installation_that_is_gone_does_not_disturb_a_merge(hooked: Hooked) -> None:
    hooked.install()
    hooked.python.unlink()
    done = hooked.git("merge", "--quiet", "--no-edit", "--no-ff", hooked.feature())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_merge_is_not_slowed_down(hooked: Hooked) -> None:
    """The process behind it may take seconds; the hook waits for none of them."""
    gate, passed = hooked.python.with_name("gate"), hooked.python.with_name("passed")
    os.mkfifo(gate)
    hooked.python.write_text(
        f"#!/bin/sh\nread line < '{gate}'\necho passed > '{passed}'\n", encoding="utf-8"
    )
    (path, _) = hooked.install()
    # A hook that waited for its process would never return: the gate opens only afterwards.
    subprocess.run([path, "0"], check=True, cwd=hooked.project.path)
    assert not passed.exists()
    gate.write_text("go\n", encoding="ascii")
    assert settings_of(path.read_bytes()) == hooked.settings(hooked.tree)


def test_variables_of_git_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare=true'")
    git_hook.drop_git_variables()
    assert [name for name in os.environ if name.startswith("GIT_")] == []


# As husky 9 writes it for every hook that git knows, each time that `prepare` runs.
HUSKY = '#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n'
RUNNER = """#!/usr/bin/env sh
n=$(basename "$0")
s=$(dirname "$(dirname "$0")")/$n
[ ! -f "$s" ] && exit 0
sh -e "$s" "$@"
exit $?
"""


def prepare(project: Project, line: str = HUSKY) -> Path:
    """Do what husky does when dependencies are installed."""
    place = project.path / ".husky" / "_"
    place.mkdir(parents=True, exist_ok=True)
    (place / ".gitignore").write_text("*", encoding="utf-8")
    (place / "h").write_text(RUNNER, encoding="utf-8")
    for name in ("pre-commit", "post-merge", "post-rewrite"):
        (place / name).write_text(line, encoding="utf-8")
        (place / name).chmod(0o755)
    project.git("config", "core.hooksPath", ".husky/_")
    return place


@pytest.mark.parametrize("newer", [HUSKY, HUSKY + "# of another version\n"])
def test_a_hook_that_its_tool_wrote_anew_is_ours_again(hooked: Hooked, newer: str) -> None:
    """Every install of its dependencies would end the merges that go live, unseen."""
    place = prepare(hooked.project)
    said = hooked.home / "theirs"
    (place.parent / "post-merge").write_text(f"echo merged >> '{said}'\n", encoding="utf-8")
    hooked.install()
    prepare(hooked.project, newer)
    lost = hook_files.restore(hooked.tree, hooked.home, str(hooked.python))
    assert [path.name for path in lost] == ["post-merge", "post-rewrite"]
    assert hook_files.restore(hooked.tree, hooked.home, str(hooked.python)) == []
    hooked.git("merge", "--quiet", "--no-edit", "--no-ff", hooked.feature())
    hooked.calls(1)
    assert said.read_text("utf-8") == "merged\n"  # the project's own is called as before
    hook_files.remove(hooked.tree, hooked.home)
    assert (place / "post-merge").read_text("utf-8") == newer
    assert list(place.glob(f"*{KEPT}")) == []


def test_a_hook_is_found_again_where_git_looks_now(hooked: Hooked) -> None:
    """Whoever installs a manager of hooks moves the place, and ours stays where nobody looks."""
    (path, _) = hooked.install()
    place = prepare(hooked.project)
    assert hook_files.silent(hooked.tree, hooked.home) == [
        place / "post-merge",
        place / "post-rewrite",
    ]
    hook_files.restore(hooked.tree, hooked.home, str(hooked.python))
    assert hook_files.silent(hooked.tree, hooked.home) == []
    hooked.git("merge", "--quiet", "--no-edit", "--no-ff", hooked.feature())
    assert len(hooked.calls(1)) == 1
    hook_files.remove(hooked.tree, hooked.home)
    assert not path.exists()
    assert (place / "post-merge").read_text("utf-8") == HUSKY


def test_hooks_of_an_older_release_are_wanted_too(hooked: Hooked) -> None:
    """It wrote nothing down: its hooks say what they are for, wherever git looks now."""
    hooked.install()
    (hooked.home / "run" / hook_files.WANTED).unlink()
    prepare(hooked.project)
    assert hook_files.wanted(hooked.tree, hooked.home) == hooked.settings(hooked.tree)


def test_hooks_that_were_taken_away_are_not_put_back(hooked: Hooked) -> None:
    hooked.install()
    hook_files.remove(hooked.tree, hooked.home)
    assert hook_files.restore(hooked.tree, hooked.home, str(hooked.python)) == []
    assert [state.present for state in hook_files.look(hooked.tree)] == [False, False]


def test_a_hook_that_cannot_be_executed_tells_nobody(hooked: Hooked) -> None:
    """Git passes over such a hook with a hint at most."""
    (path, _) = hooked.install()
    path.chmod(0o644)
    assert hook_files.silent(hooked.tree, hooked.home) == [path]
    assert hook_files.restore(hooked.tree, hooked.home, str(hooked.python)) == [path]
    assert hook_files.silent(hooked.tree, hooked.home) == []


def test_where_git_looks_nowhere_it_is_said(hooked: Hooked) -> None:
    """`core.hooksPath=/dev/null` is how people switch hooks off."""
    hooked.install()
    hooked.project.git("config", "core.hooksPath", os.devnull)
    assert len(hook_files.silent(hooked.tree, hooked.home)) == 2
    with pytest.raises(HookConflict, match="/dev/null/post-merge") as caught:
        hook_files.restore(hooked.tree, hooked.home, str(hooked.python))
    assert "core.hooksPath" in caught.value.hint
