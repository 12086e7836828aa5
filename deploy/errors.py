"""What can go wrong between a commit and a release that can be started.

Owns every exception of this package. Leaves carry facts as attributes; the text is derived
from them, and `hint` says what to do next. No I/O and no decision enters here.

- `SourceRefused`: the repository or the commit is not fit. Whoever wrote it acts.
- `BuildFailed`: the release could not be made. The old one goes on; look, then try again.
- `HostLacking`: the machine has too little of something. The operator acts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handoff.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES_SHOWN_MAX: Final = 5  # of a longer list of files the rest is counted


class DeployError(Exception):
    """Base of every error of this package.

    Attributes:
        hint: What to do next, or an empty string.
    """

    hint = ""


class SourceRefused(DeployError):
    """The repository or the commit cannot become a release as it is."""


class NotARepository(SourceRefused):
    """The directory is not under git."""

    hint = "run it inside the project's git repository, or name one with -C"

    def __init__(self, path: str) -> None:
        """Keep the directory."""
        super().__init__(f"{path} is not in a git repository")
        self.path = path


class RepositoryForeign(SourceRefused):
    """The repository belongs to another user, and git does not trust it."""

    hint = "run it as the user who owns the repository"

    def __init__(self, path: str, *, owner: int, user: int) -> None:
        """Keep the directory, its owner and who asked, as user ids."""
        super().__init__(f"{path} belongs to user {owner}, this is user {user}")
        self.path = path
        self.owner = owner
        self.user = user


class UnknownRef(SourceRefused):
    """No commit goes by that name."""

    hint = "see `git log` for commits and `git branch -a` for names; fetch first if it is remote"

    def __init__(self, ref: str, repository: str) -> None:
        """Keep what was asked for and where."""
        super().__init__(f"{ref!r} names no commit of {repository}")
        self.ref = ref
        self.repository = repository


class ReleaseOther(SourceRefused):
    """A commit becomes another release here than on the host that runs it."""

    hint = "give this host the Python and the engine of the others"

    def __init__(self, wanted: str, made: str) -> None:
        """Keep both ids."""
        super().__init__(f"its commit becomes {made} here, not {wanted}: another environment")
        self.wanted = wanted
        self.made = made


class TreeDirty(SourceRefused):
    """Files differ from the commit that would be deployed."""

    def __init__(self, files: Sequence[str]) -> None:
        """Keep the changed files; they are named in the hint."""
        super().__init__(f"the working tree has {counted(len(files), 'uncommitted change')}")
        self.files = tuple(files)
        self.hint = (
            f"commit or stash {_listed(files)}; or name the commit to deploy (for example HEAD)"
        )


class SubmodulesPresent(SourceRefused):
    """The commit has submodules, whose content is not in it."""

    hint = "make the code part of the repository, or a locked requirement"

    def __init__(self, paths: Sequence[str]) -> None:
        """Keep where the submodules are."""
        super().__init__(f"the commit has submodules: {_listed(paths)}")
        self.paths = tuple(paths)


class LargeFilesPresent(SourceRefused):
    """The commit holds Git LFS pointers in the place of files."""

    hint = "keep the file itself in git, or let the program fetch it when it warms up"

    def __init__(self, paths: Sequence[str]) -> None:
        """Keep which files are pointers."""
        super().__init__(f"Git LFS pointers stand in the place of files: {_listed(paths)}")
        self.paths = tuple(paths)


class PathUnsafe(SourceRefused):
    """A path or a link of the commit leads out of its tree, or two become one file."""

    hint = "rename the file, or point the link at something inside the repository"

    def __init__(self, path: str, reason: str) -> None:
        """Keep the path and what is wrong with it."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class LockFileMissing(SourceRefused):
    """The commit does not say which requirements it runs with."""

    hint = (
        "commit a lock with hashes: uv pip compile --universal --generate-hashes "
        "pyproject.toml -o requirements.lock (an empty file if there are none)"
    )

    def __init__(self, name: str, commit: str) -> None:
        """Keep the file looked for and the commit."""
        super().__init__(f"commit {commit[:12]} has no {name}")
        self.name = name
        self.commit = commit


class EntryInvalid(SourceRefused):
    """The commit does not say, in a readable way, how its worker is made."""

    hint = 'write entry = "module:factory" under [tool.foresight] in pyproject.toml'

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(f"pyproject.toml: {reason}")
        self.reason = reason


class BuildFailed(DeployError):
    """The release could not be made; what runs is not touched."""


class GitFailed(BuildFailed):
    """A git command failed for a reason that has no name of its own.

    Attributes:
        command: The git command, without its arguments.
        output: What it said.
    """

    hint = "run the same git command by hand; `git fsck` finds a damaged repository"

    def __init__(self, command: str, output: str) -> None:
        """Keep the command and its words."""
        super().__init__(f"git {command} failed: {output.strip() or 'it said nothing'}")
        self.command = command
        self.output = output


class ProgramMissing(BuildFailed):
    """A program that is needed is not installed."""

    def __init__(self, program: str) -> None:
        """Keep the program's name."""
        super().__init__(f"{program} is not installed or not in PATH")
        self.program = program
        self.hint = f"install {program}"


class EnvironmentFailed(BuildFailed):
    """The requirements could not be installed.

    Attributes:
        log: Path of the file with all that the installers said.
        tail: The end of it.
    """

    def __init__(self, reason: str, *, log: str, tail: str) -> None:
        """Keep the reason and what the installers said."""
        super().__init__(f"the environment could not be built: {reason}\n{tail}".rstrip())
        self.reason = reason
        self.log = log
        self.tail = tail
        self.hint = f"read {log}; make sure that the package index can be reached"


class WheelMissing(EnvironmentFailed):
    """Installers found no wheel of something that the lock pins."""

    def __init__(self, reason: str, *, packages: Sequence[str], log: str, tail: str) -> None:
        """Keep which packages, as `name==version`, and what the installers said."""
        super().__init__(f"no wheel of {', '.join(packages)} ({reason})", log=log, tail=tail)
        self.packages = tuple(packages)
        self.hint = (
            "only wheels are installed: build one once (pip wheel --no-deps --wheel-dir wheels "
            f"{packages[0]}), lock its hash, commit both (docs/guide.md, A package without a "
            f"wheel); if there should be one, read {log}"
        )


class LockBuilds(BuildFailed):
    """The lock lets an installer run a program that no hash pins."""

    hint = (
        "pin name==version with the hashes of wheels; how to bring a package that has none: "
        "docs/guide.md, A package without a wheel"
    )

    def __init__(self, name: str, lines: Sequence[str]) -> None:
        """Keep the lock's name and its lines in question."""
        super().__init__(f"{name} lets an installer build from source: {_listed(lines)}")
        self.name = name
        self.lines = tuple(lines)


class BuildBusy(BuildFailed):
    """Another build held the lock for longer than a build may take."""

    hint = "wait for the other deploy, or stop it with `deploy --abort`"

    def __init__(self, lock: str, limit_s: float) -> None:
        """Keep the lock file and how long it was waited for, in seconds."""
        super().__init__(f"another build has held {lock} for more than {limit_s:.0f} s")
        self.lock = lock
        self.limit_s = limit_s


class ReleaseConflict(BuildFailed):
    """A release of that name is there and differs in a way that its name does not tell."""

    hint = "state the entry in [tool.foresight] of pyproject.toml, so that the commit decides"

    def __init__(self, release: str, *, field: str, found: str, wanted: str) -> None:
        """Keep the release, the field that differs and both of its values."""
        super().__init__(f"release {release} exists with {field} {found!r}, wanted {wanted!r}")
        self.release = release
        self.field = field
        self.found = found
        self.wanted = wanted


class HistoryBusy(DeployError):
    """Another process held the history's lock for too long."""

    hint = "another deploy is writing its result; try again"

    def __init__(self, lock: str) -> None:
        """Keep the lock file."""
        super().__init__(f"{lock} was not free in time")
        self.lock = lock


class HistoryUnreadable(DeployError):
    """What says which deploy is under way is no such thing."""

    hint = "look at the file and remove it; the record alone says who owns"

    def __init__(self, path: str, reason: str) -> None:
        """Keep the file and what is wrong with it."""
        super().__init__(f"{path} cannot be read: {reason}")
        self.path = path
        self.reason = reason


class InterpreterMissing(BuildFailed):
    """A release was made for a Python that is not here any more."""

    hint = "install that Python beside what is there, then start again"

    def __init__(self, release: str, minor: str, reason: str) -> None:
        """Keep which release, the minor version that it needs, and what became of its own."""
        what = f"release {release} runs with Python {minor} alone, and none is here: {reason}"
        super().__init__(what)
        self.release = release
        self.minor = minor


class InterpreterOther(BuildFailed):
    """An environment has to be installed by the Python that it is for, and we run another one."""

    def __init__(self, release: str, minor: str) -> None:
        """Keep which release, and the minor version that it needs."""
        super().__init__(f"the environment of {release} is for Python {minor}")
        self.hint = f"run this command with Python {minor}"
        self.release = release
        self.minor = minor


class HostLacking(DeployError):
    """The machine has too little of something; nothing was started."""


class DiskLacking(HostLacking):
    """There is no room for the release and its environment."""

    hint = "free disk space, or remove old releases"

    def __init__(
        self, path: str, *, free_bytes: int, needed_bytes: int, files_free: int | None = None
    ) -> None:
        """Keep the place and both sizes; say how many files may still be made, where known."""
        have, want = _mebibytes(free_bytes), _mebibytes(needed_bytes)
        more = "" if files_free is None else f" and room for {files_free} more files (inodes)"
        super().__init__(f"{path} has {have} free{more}, a build needs {want}")
        self.path = path
        self.free_bytes = free_bytes
        self.needed_bytes = needed_bytes


class LimitLacking(HostLacking):
    """The launcher may have too few files open for what a deploy runs beside the owner."""

    def __init__(self, reason: str) -> None:
        """Keep how many are permitted and needed, in words."""
        remedy = "raise the limit where the launcher is started, and start it anew"
        super().__init__(f"{reason}; {remedy}")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN_MAX])
    rest = len(names) - NAMES_SHOWN_MAX
    return f"{shown} and {rest} more" if rest > 0 else shown


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


class RequestMissing(DeployError):
    """There is no such deploy under way."""

    hint = "`foresight deploys` lists those that ended"

    def __init__(self, deploy: str) -> None:
        """Keep which deploy."""
        super().__init__(f"deploy {deploy} is not under way")
        self.deploy = deploy


class TurnTimeout(DeployError):
    """The deploy before it did not end."""

    hint = "`foresight deploys` shows it; `foresight deploy --abort` ends it"

    def __init__(self, limit_s: float) -> None:
        """Keep how long was waited."""
        super().__init__(f"the deploy before it has not ended within {limit_s:g} s")
        self.limit_s = limit_s


class RequestsBusy(DeployError):
    """Another process writes a request and does not get done."""

    hint = "try again; if it stays so, see what holds run/deploys.lock"

    def __init__(self, limit_s: float) -> None:
        """Keep how long was waited."""
        super().__init__(f"somebody else has written a request for {limit_s:g} s")
        self.limit_s = limit_s


class InputsTimeout(DeployError):
    """What runs got no inputs for as long as anybody waits."""

    hint = "see to what the running release asks, then `foresight deploy`"

    def __init__(self, limit_s: float) -> None:
        """Keep how long was waited."""
        super().__init__(f"no inputs came within {limit_s:g} s")
        self.limit_s = limit_s


class GateRefused(DeployError):
    """A gate of the host says no; nothing was started."""

    def __init__(self, gate: str, reason: str) -> None:
        """Keep which gate, and its word."""
        super().__init__(f"{gate}: {reason}")
        self.gate = gate
        self.reason = reason


class PolicyMissing(DeployError):
    """Nothing says which branch this installation follows."""

    hint = "say it with `foresight hook install`"

    def __init__(self, path: str, reason: str) -> None:
        """Keep the file and what is wrong with it."""
        super().__init__(f"{path} does not say which branch to follow: {reason}")
        self.path = path
        self.reason = reason


class HookConflict(SourceRefused):
    """A hook is in the way that is not ours to replace."""

    def __init__(self, path: str, reason: str, hint: str) -> None:
        """Keep the hook, why it is in the way and what to do."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.hint = hint


class BranchUnnamed(SourceRefused):
    """No branch is checked out, and none was named."""

    hint = "check one out, or name it: [engine] branch"

    def __init__(self, repository: str) -> None:
        """Keep the repository."""
        super().__init__(f"{repository} has no branch checked out")
        self.repository = repository


class AddressesUnusable(DeployError):
    """Nobody can be told: the file of addresses cannot be used."""

    hint = "one address a line, in a file of mode 0600; see the runbook"

    def __init__(self, path: str, reason: str) -> None:
        """Keep the file and what is wrong with it; never an address."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
