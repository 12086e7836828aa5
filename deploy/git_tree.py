"""What git knows: which commit is meant, what is in it, and its files on disk.

Owns every git command. A tree is written from the objects themselves (`cat-file --batch`),
not from `git archive`: the bytes are those that were committed, whatever export-ignore,
export-subst, end-of-line or filter attributes say, and git has checked their hashes.
Nothing is ever written into the user's repository, and nothing is registered there.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import pwd
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from deploy import commands
from deploy.errors import (
    GitFailed,
    LargeFilesPresent,
    NotARepository,
    PathUnsafe,
    RepositoryForeign,
    SubmodulesPresent,
    TreeDirty,
    UnknownRef,
)
from handoff.clean_text import cleaned_line

if TYPE_CHECKING:
    from collections.abc import Sequence

GIT_LIMIT_S: Final = 60.0  # a cold repository of 100,000 files answers in a few seconds
GIT_KEEPS: Final = (*("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "USER", "LOGNAME", "GNUPGHOME"),)
COMMITS_MAX: Final = 1000  # listed between two releases; more is not read by anybody
LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
LFS_POINTER_BYTES_MAX: Final = 1024  # the specification's own bound

_BATCH: Final = "cat-file"
_ENCODING: Final = "i18n.logOutputEncoding=UTF-8"
_COMMON: Final = "--git-common-dir"
_LINK: Final = 0o120000
_SUBMODULE: Final = 0o160000
_EXECUTABLE: Final = 0o100
_SEPARATOR: Final = "\x1f"
_ATTACHED_PATH: Final = re.compile(r"(?:^|/)(?:\.\.|\.git)(?:/|$)|^/", re.IGNORECASE)


class Commit(NamedTuple):
    """One commit, for humans and for the history.

    Attributes:
        commit: Full hash.
        subject: First line of its message.
        author: Name of who wrote it.
        time_s: When it was committed, seconds since 1970 UTC.
    """

    commit: str
    subject: str
    author: str
    time_s: int


class Blob(NamedTuple):
    """One file of a commit.

    Attributes:
        path: Where it is, relative to the root of the tree.
        mode: Git's file mode, in which links and submodules differ from files.
        oid: Hash of its content.
        size: Bytes; 0 for a submodule.
    """

    path: str
    mode: int
    oid: str
    size: int


class WorkingTree(NamedTuple):
    """How the files of the user's directory differ from HEAD.

    Attributes:
        changed: Files under git with uncommitted changes.
        untracked: Files that git does not know and does not ignore.
    """

    changed: tuple[str, ...]
    untracked: tuple[str, ...]


class GitTree:
    """One git repository, read only.

    Attributes:
        root: Top of its working tree; of a bare repository, the repository itself.
    """

    def __init__(self, directory: Path) -> None:
        """Find the repository that a directory is in.

        Raises:
            NotARepository: It is in none.
            RepositoryForeign: It is another user's, and we cannot act as that user.
        """
        if not directory.is_dir():
            raise NotARepository(str(directory))
        self.root = directory.resolve()
        self._account = _account_for(self.root)
        bare = self._said("rev-parse", "--is-bare-repository")
        self.bare = bare == "true"
        self.root = Path(
            self._said("rev-parse", "--absolute-git-dir" if self.bare else "--show-toplevel")
        )

    def commit(self, ref: str) -> Commit:
        """Return the commit that a branch, tag, hash or expression means.

        Raises:
            UnknownRef: None goes by that name.
        """
        done = self._run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        )
        if done.code != 0:
            raise UnknownRef(ref, str(self.root))
        (found,) = self._commits("--max-count=1", done.output.decode().strip())
        return found

    def head(self, branch: str) -> Commit:
        """Return the newest commit of a branch.

        Raises:
            UnknownRef: There is no such branch.
        """
        return self.commit(f"refs/heads/{branch}")

    def message(self, commit: str) -> str:
        """Return a commit's whole message."""
        output = self._output("log", "--max-count=1", "--no-show-signature", "--format=%B", commit)
        return output.decode(errors="replace")

    def is_signed(self, commit: str, *, by_tag: bool) -> bool:
        """Tell whether git accepts the signature of a commit, or of a tag that names it.

        Whose signatures git accepts is the matter of its own configuration and key ring.
        """
        if not by_tag:
            return self._run("verify-commit", commit).code == 0
        tags = self._said("tag", "--points-at", commit).splitlines()
        return any(self._run("verify-tag", "--", tag).code == 0 for tag in tags)

    def branch(self) -> str:
        """Return the name of the branch that is checked out, or an empty string."""
        done = self._run("symbolic-ref", "--quiet", "--short", "HEAD")
        return os.fsdecode(done.output).removesuffix("\n") if done.code == 0 else ""

    def common_directory(self) -> Path:
        """Return the directory that all working trees of this repository share, absolute."""
        return (self.root / self._said("rev-parse", _COMMON)).resolve()

    def hooks_directory(self) -> Path:
        """Return where git looks for this repository's hooks, core.hooksPath included."""
        return self.root / self._said("rev-parse", "--git-path", "hooks")

    def commit_to_deploy(self, ref: str | None) -> Commit:
        """Return the commit that a user means: HEAD, unless he names another.

        Raises:
            UnknownRef: None goes by that name.
            TreeDirty: None was named, and HEAD is not what is in the user's directory.
        """
        if ref is not None:
            return self.commit(ref)
        changed = self.working_tree().changed
        if changed:
            raise TreeDirty(changed)
        return self.commit("HEAD")

    def working_tree(self) -> WorkingTree:
        """Return what is not committed."""
        if self.bare:
            return WorkingTree((), ())
        output = self._output("status", "--porcelain=v1", "-z", "--untracked-files=normal")
        changed: list[str] = []
        untracked: list[str] = []
        fields = iter(os.fsdecode(output).split("\0"))
        for field in filter(None, fields):
            state, path = field[:2], field[3:]
            (untracked if state == "??" else changed).append(path)
            if "R" in state or "C" in state:
                next(fields)  # the name it had
        return WorkingTree(tuple(changed), tuple(untracked))

    def commits_between(self, old: str, new: str) -> list[Commit]:
        """Return the commits that are in `new` and not in `old`, newest first."""
        return self._commits(f"--max-count={COMMITS_MAX}", new, f"^{old}")

    def files_between(self, old: str, new: str) -> list[str]:
        """Return the files that differ between two commits, whichever way round."""
        output = self._output("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)
        return [name for name in os.fsdecode(output).split("\0") if name]

    def files(self, commit: str) -> list[Blob]:
        """Return the files of a commit that can become a release.

        Raises:
            SubmodulesPresent: Part of it is in other repositories.
            PathUnsafe: A path would leave the tree.
        """
        listing = self._output("ls-tree", "-r", "-z", "-l", commit)
        blobs = [_blob(row) for row in listing.split(b"\0") if row]
        submodules = [blob.path for blob in blobs if blob.mode == _SUBMODULE]
        if submodules:
            raise SubmodulesPresent(submodules)
        for blob in blobs:
            if _ATTACHED_PATH.search(blob.path):
                raise PathUnsafe(blob.path, "it leads out of the tree")
        return blobs

    def content(self, commit: str, path: str) -> bytes | None:
        """Return one file of a commit, or None if it has no such file."""
        listing = self._output("ls-tree", "-z", commit, "--", f":(literal){path}")
        if not listing:
            return None
        return self._output(_BATCH, "blob", listing.split(b"\t")[0].split()[2].decode())

    def extract(self, blobs: Sequence[Blob], target: Path) -> None:
        """Write files into a directory that is not there yet.

        Args:
            blobs: What `files` returned.
            target: The directory; its parent must exist.

        Raises:
            LargeFilesPresent: Some are Git LFS pointers.
            PathUnsafe: A link leads out of the tree, or two names are one on this disk.
        """
        target.mkdir(mode=0o700)
        names = "".join(f"{blob.oid}\n" for blob in blobs)
        with tempfile.TemporaryFile(dir=target.parent) as stream:
            self._output(_BATCH, "--batch", feed=names.encode(), into=stream)
            stream.seek(0)
            pointers = [blob.path for blob in blobs if _write(stream, blob, target)]
        if pointers:
            raise LargeFilesPresent(pointers)

    def _commits(self, *selection: str) -> list[Commit]:
        pretty = _SEPARATOR.join(("%H", "%s", "%an", "%ct"))
        options = ("-z", "--no-show-signature", f"--format={pretty}")
        output = self._output("log", *options, *selection, "--")
        rows = output.decode(errors="replace").split("\0")
        parts = [row.split(_SEPARATOR) for row in rows if row]
        return [
            Commit(row[0], cleaned_line(row[1]), cleaned_line(row[-2]), int(row[-1]))
            for row in parts
        ]

    def _said(self, *arguments: str) -> str:
        return os.fsdecode(self._output(*arguments)).removesuffix("\n")

    def _output(self, *arguments: str, feed: bytes = b"", into: BinaryIO | None = None) -> bytes:
        done = self._run(*arguments, feed=feed, into=into)
        if done.code == 0:
            return done.output
        words = done.errors.decode(errors="replace")
        if "not a git repository" in words:
            raise NotARepository(str(self.root))
        if "dubious ownership" in words:
            raise _foreign(self.root)
        raise GitFailed(arguments[0], "it took too long" if done.timed_out else words)

    def _run(
        self, *arguments: str, feed: bytes = b"", into: BinaryIO | None = None
    ) -> commands.Finished:
        return commands.run(
            # A file system monitor would be started and stay behind; what we read is UTF-8,
            # whatever the user's own terminal wants.
            ["git", "-c", "core.fsmonitor=false", "-c", _ENCODING, *arguments],
            limit_s=GIT_LIMIT_S,
            environment=child_environment(os.environ, self._account),
            directory=self.root,
            feed=feed,
            into=into,
            account=self._account,
        )


def opened(git_directory: Path) -> tuple[str, Path]:
    """Return what a git directory has checked out, and the directory it shares with others.

    Args:
        git_directory: Of a repository or of a linked working tree, absolute.

    Returns:
        Name of the branch, or an empty string; and the shared directory, absolute.

    Raises:
        GitFailed: It is no git directory.
    """
    words = []
    for question in (["symbolic-ref", "--quiet", "--short", "HEAD"], ["rev-parse", _COMMON]):
        done = commands.run(
            ["git", f"--git-dir={git_directory}", *question],
            limit_s=GIT_LIMIT_S,
            environment=child_environment(os.environ, _account_for(git_directory)),
            directory=git_directory,
            account=_account_for(git_directory),
        )
        if done.code > 1:
            raise GitFailed(question[0], done.errors.decode(errors="replace"))
        words.append(os.fsdecode(done.output).removesuffix("\n"))
    return words[0], (git_directory / words[1]).resolve()


def child_environment(
    own: os._Environ[str] | dict[str, str], account: commands.Account | None = None
) -> dict[str, str]:
    """Return the environment of a git command: what it needs of ours, nothing that redirects it.

    A hook runs with GIT_DIR and GIT_INDEX_FILE set; a git command that inherits them works
    on that repository wherever it is started. Loaders and pagers have variables as well.
    """
    kept = {name: value for name, value in own.items() if name in GIT_KEEPS}
    if account is not None:
        kept.pop("HOME", None)  # ours says nothing about somebody else's
        with contextlib.suppress(KeyError):
            kept["HOME"] = pwd.getpwuid(account.user).pw_dir
    quiet = {
        "GIT_OPTIONAL_LOCKS": "0",  # `status` would otherwise write the user's index
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",  # the commit itself, not what stands in for it locally
        "GIT_NO_LAZY_FETCH": "1",  # a missing object is an error, not a download
        "LC_ALL": "C",
    }
    return kept | quiet


def _account_for(directory: Path) -> commands.Account | None:
    status = directory.stat()
    if status.st_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        return None  # git itself decides whether it trusts the owner
    return commands.Account(status.st_uid, status.st_gid)


def _foreign(directory: Path) -> RepositoryForeign:
    return RepositoryForeign(str(directory), owner=directory.stat().st_uid, user=os.geteuid())


def _blob(row: bytes) -> Blob:
    facts, _, path = row.partition(b"\t")
    mode, _, oid, size = facts.decode().split()
    return Blob(os.fsdecode(path), int(mode, 8), oid, 0 if size == "-" else int(size))


def _write(stream: BinaryIO, blob: Blob, target: Path) -> bool:
    """Write the next object of a batch; return whether it is a pointer to somewhere else."""
    header = stream.readline().split()
    if len(header) != 3 or header[1] != b"blob":  # noqa: PLR2004 - oid, kind, size
        raise GitFailed(_BATCH, f"{blob.path}: {b' '.join(header).decode()}")
    content = stream.read(int(header[2]))
    stream.read(1)
    path = target / blob.path
    _make_parents(target, blob)
    try:
        _place(path, content, blob)
    except FileExistsError as error:
        raise PathUnsafe(blob.path, "this disk takes it for the same name as another") from error
    return len(content) <= LFS_POINTER_BYTES_MAX and content.startswith(LFS_POINTER)


def _make_parents(target: Path, blob: Blob) -> None:
    """Make the directories of a file, none of which may be a link that the tree itself brought."""
    here = target
    for part in posixpath.dirname(blob.path).split("/"):
        here /= part
        here.mkdir(exist_ok=True)
        if here.is_symlink():
            raise PathUnsafe(blob.path, f"it would be written through the link {part}")


def _leads_out(aim: str, place: str) -> bool:
    # Only first of all does `..` mean what it says: after a name, it is relative to wherever that
    # name leads.
    steps = aim.split("/")
    names = [index for index, step in enumerate(steps) if step not in ("", ".", "..")]
    turns_back = bool(names) and ".." in steps[names[0] :]
    return posixpath.isabs(aim) or place.startswith("..") or turns_back


def _place(path: Path, content: bytes, blob: Blob) -> None:
    if blob.mode == _LINK:
        aim = os.fsdecode(content)
        place = posixpath.normpath(posixpath.join(posixpath.dirname(blob.path), aim))
        if _leads_out(aim, place):
            raise PathUnsafe(blob.path, f"the link leads out of the tree, to {aim}")
        path.symlink_to(aim)
        return
    with path.open("xb") as file:
        file.write(content)
    path.chmod(0o555 if blob.mode & _EXECUTABLE else 0o444)
