"""What variables override in an installation: refused, told to its workers, kept, shown.

Owns the questions to a release about overrides, and what `up`, `status` and a plan say of them.
What travels and how it is called is `foresight.overrides`' matter.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from deploy import commands
from foresight import config as configuration
from foresight import overridden, overrides
from foresight.cli.output import detail, progress
from foresight.errors import ConfigError
from foresight.strategies.registry import parameters_unknown
from handoff.errors import HandoffError
from handoff.exit_codes import ExitCode
from handoff.launcher.children import child_environment
from handoff.launcher.engine_config import EngineConfigInvalid, read_engine_config
from handoff.logs import last_words
from handoff.release_files import read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from foresight.cli.installation import Installation

ANSWER_S_MAX: Final = 60.0  # importing a project's own strategies on a busy machine
_NO_MODULE: Final = f"No module named {overridden.MODULE}"


class Unaware(msgspec.Struct, frozen=True):
    """A release that answered nothing: an older one that ignores overrides, or one that failed.

    Attributes:
        reason: Why it did not answer; empty for an older one.
    """

    reason: str = ""


def refuse_contradictions(installation: Installation) -> None:
    """Refuse a variable that says otherwise than the file whose money it is.

    Raises:
        ConfigError: One does.
    """
    told = overrides.told_by(os.environ)
    wanted = {key: told[key] for key in overrides.FIXED if key in told}
    if not wanted:
        return
    venue = configuration.load(str(installation.config_path), {}, only="venue").venue
    for key, text in wanted.items():
        said = getattr(venue, key.removeprefix("venue."))
        if overrides.value_of(text, is_list=False) != said:
            place = installation.config_path
            what = f"{overrides.variable_of(key)} contradicts {place}, which says {said!r}"
            raise ConfigError(what, "whose money it is, the file alone says: correct one of them")


def say_changes(home: Path) -> None:
    """Say what holds no more, what is new, and which variables nobody uses."""
    for line in overrides.unused(os.environ):
        progress(line)
    for line in overrides.changes(kept_in(home), overrides.travelling(os.environ)):
        progress(line)


def kept_in(home: Path) -> dict[str, str]:
    """Return the overrides that are kept with an installation; none where it never ran."""
    try:
        return overrides.kept(dict(read_engine_config(home).environment))
    except (EngineConfigInvalid, ConfigError):
        return {}


def refuse_unknown(installation: Installation, release: str) -> None:
    """Refuse an override that neither this command nor the release that owns knows.

    Args:
        installation: Whose overrides are meant.
        release: The release that owns, or will.

    Raises:
        ConfigError: Nobody knows a key, or the release knows it and cannot do what it says.
    """
    told = overrides.travelling(os.environ)
    if not told:
        return
    answer = seen_by(installation.home, release, told)
    if isinstance(answer, Unaware):
        foreign = _unknown_here(installation, told)
        progress(_unaware(release, answer))
    else:
        ignored = {each.key for each in answer if each.ignored}
        foreign = ignored & _unknown_here(installation, told)
        for key in sorted(ignored - foreign):
            progress(f"override {key} is not known to {release}, which goes by its file")
    for key in sorted(foreign):
        section, _, name = key.rpartition(".")
        what = f"{overrides.variable_of(key)}: unknown key {name} in [{section}]"
        raise ConfigError(what, _nearest(section, name))


def seen_by(
    home: Path, release: str, told: Mapping[str, str]
) -> tuple[overridden.Seen, ...] | Unaware:
    """Ask a release what it makes of overrides; the answer is kept for as long as we run.

    Raises:
        ConfigError: It cannot run with them.
    """
    return _asked(home, release, tuple(sorted(told.items()))) if told else ()


@cache
def _asked(
    home: Path, release: str, told: tuple[tuple[str, str], ...]
) -> tuple[overridden.Seen, ...] | Unaware:
    try:
        manifest = read_manifest(home, release)
    except HandoffError as error:
        return Unaware(str(error))
    program = manifest.module(overridden.MODULE, manifest.tree)
    detail(f"{release} is asked about overrides: {' '.join(program)}")
    variables = {**manifest.variables(), **overrides.as_variable(dict(told))}
    done = commands.run(
        program, limit_s=ANSWER_S_MAX, environment=child_environment(tuple(variables.items()))
    )
    words = last_words(done.errors)
    if done.code == ExitCode.USAGE:
        what = f"{release} cannot run with these overrides: {words}"
        raise ConfigError(what, "correct the variable, or the file of the release")
    if done.code:
        return Unaware("" if _NO_MODULE in words else words or f"exit code {done.code}")
    lines = done.output.splitlines() or [b""]  # a project's own modules may have printed theirs
    try:
        return tuple(msgspec.json.decode(lines[-1], type=list[overridden.Seen]))
    except msgspec.DecodeError as error:
        return Unaware(f"its answer cannot be read: {error}")


def shown(installation: Installation, release: str) -> list[overridden.Seen]:
    """Return the overrides that are kept with an installation, as a release sees them."""
    kept = kept_in(installation.home)
    try:
        answer = seen_by(installation.home, release, kept)
    except ConfigError as error:
        answer = Unaware(str(error))
    if isinstance(answer, Unaware):
        # An older one ignores them; of one that did not answer nobody knows.
        reason = answer.reason
        return [
            overridden.Seen(key=key, value=text, ignored=not reason, unasked=reason)
            for key, text in kept.items()
        ]
    return list(answer)


def lines_of(found: list[overridden.Seen]) -> list[str]:
    """Return the overrides as lines of text, each with what it stands for."""
    return [f"override  {each.key} = {each.value}{_stands_for(each)}" for each in found]


def _stands_for(seen: overridden.Seen) -> str:
    if seen.unasked:
        return f"; the release could not be asked: {seen.unasked}"
    return ", which this release ignores" if seen.ignored else f" instead of {seen.instead_of}"


def _unaware(release: str, answer: Unaware) -> str:
    if answer.reason:
        return f"{release} could not be asked about overrides: {answer.reason}"
    return f"{release} is of an older Foresight, which ignores all overrides"


def _unknown_here(installation: Installation, told: Mapping[str, str]) -> set[str]:
    """Return what this command does not know; strategies of the project are not its to judge."""
    config = installation.config
    return {*configuration.unknown(told), *parameters_unknown(config, told, {})}


def _nearest(section: str, name: str) -> str:
    known = configuration.keys_of(section)
    return configuration.nearest(name, known) if known else "see [strategy] in foresight.toml"
