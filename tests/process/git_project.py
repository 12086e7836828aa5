"""A git repository that tests let grow by commits, and a look into a release made of it."""

import subprocess
from pathlib import Path

from deploy import releases_dir
from deploy.git_tree import GitTree
from handoff.release_files import Manifest

ENTRY_TABLE = '[tool.foresight]\nentry = "app.worker:create"\n'


class Project:
    """A git repository that grows by commits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write("requirements.lock", "# nothing\n")
        self.write("pyproject.toml", ENTRY_TABLE)
        self.write("handoff/__init__.py", "")  # brings its engine, so that none is copied
        self.write("app/__init__.py", "")
        self.write("app/worker.py", "VERSION = 1\n")
        self.commit("First")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Mia", "-c", "user.email=mia@example.invalid"]
        quiet = ["-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null"]
        command = ["git", "-C", str(self.path), *identity, *quiet, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def commit(self, subject: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def build(self, home: Path, ref: str = "HEAD") -> Manifest:
        tree = GitTree(self.path)
        return releases_dir.build(home, tree, tree.commit(ref))


def said(manifest: Manifest, code: str) -> str:
    """Run code the way a worker starts: isolated, and from a directory that has nothing."""
    command = [manifest.python, "-I", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    return done.stdout.strip()
