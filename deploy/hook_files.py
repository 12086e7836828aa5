"""Git hooks that let a merge go live: put in place, put back, taken away, looked at.

Owns the files in git's directory of hooks. A hook that is there already is kept byte for byte
under a second name, called first, and put back on removal. Others own that directory as well:
managers of hooks write theirs anew at every install, or have git look somewhere else. That ours
are wanted is therefore written down in the home, and they are put back where git looks now.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from deploy.errors import HookConflict
from deploy.hook_script import BARE_HOOKS, HOOKS, KEPT, Settings, script, settings_of
from state.atomic_file import SystemFiles, make_directory, replace_file

if TYPE_CHECKING:
    from deploy.git_tree import GitTree

WANTED: Final = "hook.json"

_MODE: Final = 0o755
_IGNORE: Final = ".gitignore"


class State(NamedTuple):
    """One hook as it is.

    Attributes:
        name: Which hook.
        path: Where it is.
        settings: What it knows; None where it is absent or not ours.
        present: Whether any hook is there.
        kept: Whether another one is kept beside it.
        current: Whether it is word for word what would be installed with its settings.
    """

    name: str
    path: Path
    settings: Settings | None
    present: bool
    kept: bool
    current: bool


def look(repository: GitTree) -> list[State]:
    """Return the state of each hook."""
    names = BARE_HOOKS if repository.bare else HOOKS
    return [_look(repository.hooks_directory() / name) for name in names]


def install(repository: GitTree, settings: Settings) -> list[Path]:
    """Put our hooks in place, for good; what is there is kept. Doing it twice changes nothing.

    Raises:
        HookConflict: A hook acts for another installation, two strangers' hooks are there, or git
            looks where nothing can be written.
    """
    states = look(repository)
    for state in states:
        _require_ours_or_free(state, settings)
    for state in states:
        try:
            _place(state, settings)
        except OSError as error:
            hint = "see where git looks: `git config --show-origin core.hooksPath`"
            raise HookConflict(str(state.path), error.strerror or str(error), hint) from error
    _remember(settings)
    return [state.path for state in states]


def wanted(repository: GitTree, home: Path) -> Settings | None:
    """Return what the hooks of this repository are to know, or None if it is to have none.

    A home of a release that wrote nothing down is answered by the hooks that are there.
    """
    shared = str(repository.common_directory())
    found: Settings | None
    try:
        found = msgspec.json.decode((home / "run" / WANTED).read_bytes(), type=Settings)
    except (OSError, msgspec.MsgspecError):
        known = [state.settings for state in _everywhere(repository)]
        ours = (each for each in known if each is not None and each.home == str(home))
        found = next((each for each in ours if each.shared == shared), None)
    return found if found is not None and found.shared == shared else None


def restore(repository: GitTree, home: Path, python: str) -> list[Path]:
    """Put hooks back that are wanted and are not there any more; return those that were not.

    Args:
        repository: Whose hooks.
        home: The state directory.
        python: The interpreter of the installation, as it is now.

    Raises:
        HookConflict: As of `install`: somebody wrote over ours what no tool would write again.
    """
    known = wanted(repository, home)
    if known is None:
        return []
    settings = msgspec.structs.replace(known, python=python)
    lost = [state.path for state in look(repository) if not _is_as_wanted(state, settings)]
    if lost:
        install(repository, settings)
    return lost


def silent(repository: GitTree, home: Path) -> list[Path]:
    """Return the hooks that are wanted and that tell nobody of a merge as they are."""
    settings = wanted(repository, home)
    if settings is None:
        return []
    return [state.path for state in look(repository) if not _tells(state, settings)]


def remove(repository: GitTree, home: Path) -> list[Path]:
    """Take our hooks for a home away and put back what was there before them.

    Returns:
        The hooks that were removed. A stranger's hook stays, also one that was written over
        ours; what had been kept then stays kept.
    """
    shared = str(repository.common_directory())
    removed: list[Path] = []
    (home / "run" / WANTED).unlink(missing_ok=True)
    for state in _everywhere(repository):
        ours = state.settings
        if ours is not None and (ours.home, ours.shared) != (str(home), shared):
            continue
        if state.kept and (ours is not None or not state.present):
            _kept(state.path).rename(state.path)
        elif ours is not None:
            state.path.unlink()
        elif state.kept and _is_rewritten(state.path):
            _kept(state.path).unlink()
        else:
            continue
        removed.append(state.path)
    return removed


def _everywhere(repository: GitTree) -> list[State]:
    """Return the hooks where git looks now, and those where it looked before somebody moved it."""
    states = look(repository)
    usual = repository.common_directory() / "hooks"
    places = {state.path.parent.resolve() for state in states}
    if usual.resolve() not in places:
        states += [_look(usual / state.name) for state in states]
    return states


def _is_as_wanted(state: State, settings: Settings) -> bool:
    return state.current and state.settings == settings and os.access(state.path, os.X_OK)


def _tells(state: State, settings: Settings) -> bool:
    ours = state.settings
    if ours is None or (ours.home, ours.shared) != (settings.home, settings.shared):
        return False
    return os.access(state.path, os.X_OK) and os.access(ours.python, os.X_OK)


def _place(state: State, settings: Settings) -> None:
    state.path.parent.mkdir(parents=True, exist_ok=True)
    if state.present and state.settings is None:
        state.path.rename(_kept(state.path))  # over one that its tool has written anew
    _write(state.path, script(state.name, settings))


def _remember(settings: Settings) -> None:
    path = Path(settings.home) / "run" / WANTED
    make_directory(SystemFiles(), path.parent)
    replace_file(SystemFiles(), path, msgspec.json.encode(settings))


def _look(path: Path) -> State:
    try:
        text = path.read_bytes()
    except OSError:  # also where git was told to look in no directory at all
        text = b""
    settings = settings_of(text)
    return State(
        name=path.name,
        path=path,
        settings=settings,
        present=os.path.lexists(path),
        kept=os.path.lexists(_kept(path)),
        current=settings is not None and script(path.name, settings) == text,
    )


def _require_ours_or_free(state: State, settings: Settings) -> None:
    known = state.settings
    if known is not None and (known.home, known.shared) != (settings.home, settings.shared):
        reason = f"it acts for {known.shared} and {known.home}"
        hint = "take it away first: `foresight hook remove`, with that installation's -c"
        raise HookConflict(str(state.path), reason, hint)
    if state.present and known is None and state.kept and not _is_rewritten(state.path):
        reason = f"it was written over ours, and {_kept(state.path).name} is kept beside it"
        raise HookConflict(str(state.path), reason, "join the two into one, remove the other")


def _is_rewritten(path: Path) -> bool:
    """Tell whether a hook is the newer of what is kept beside it: its tool wrote it once more.

    Word for word, or in a directory that git ignores as a whole because a tool makes all of it.
    """
    with contextlib.suppress(OSError):
        if path.read_bytes() == _kept(path).read_bytes():
            return True
        return (path.parent / _IGNORE).read_text("utf-8", "replace").split() == ["*"]
    return False


def _kept(path: Path) -> Path:
    return path.with_name(path.name + KEPT)


def _write(path: Path, text: bytes) -> None:
    fresh = path.with_name(f"{path.name}.foresight-{os.getpid()}")
    fresh.write_bytes(text)
    fresh.chmod(_MODE)
    fresh.rename(path)
