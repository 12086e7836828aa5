"""The installation that a command speaks of: its configuration, home and repository.

Owns how these are found from the global options. A missing configuration is an error, not
a default: whoever types `foresight up` in the wrong directory wants to know.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

import click

from deploy import history
from foresight import config as configuration
from foresight import overrides
from foresight.cli.output import complain, detail, progress
from foresight.errors import ConfigError
from foresight.places import place_of, started_in
from foresight.running_bots import homes_of
from foresight.shown import require, shown_in
from handoff.account import asker, user_directory
from handoff.cadence import Cadence, Schedule
from handoff.commands import control
from handoff.limits import NS
from handoff.plain_text import is_storable
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind, Message
from state.local_store import read_only_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from foresight.shown import Asked, Shown
    from state.record import Record
    from state.store import Note


class Installation:
    """What the global options say."""

    def __init__(self, config_path: Path) -> None:
        """Keep the path; nothing is read before it is needed.

        Attributes:
            asked: Who asked for the command by way of the page; None at a terminal.

        Raises:
            ConfigError: It is relative, and the directory we stand in is gone.
        """
        try:
            self.config_path = config_path.absolute()
        except FileNotFoundError as error:
            what = f"there is no {config_path} here: this was started in {started_in()}"
            raise ConfigError(what, "say -C DIR, with the whole path") from error

        self.asked: Asked | None = None

    @cached_property
    def config(self) -> configuration.Config:
        """The configuration file's content."""
        self._require_project()
        detail(f"configuration {self.config_path}")
        environment = overrides.gathered(os.environ)
        for key in configuration.unknown(overrides.kept(environment)):
            progress(f"{overrides.variable_of(key)} is no key that this Foresight knows")
        return configuration.load(str(self.config_path), environment)

    @cached_property
    def engine(self) -> configuration.Engine:
        """`[engine]`, which is the installation's own, also where a release's part is wrong."""
        try:
            return self.config.engine
        except ConfigError as error:
            engine = self.engine_alone()
            complain(f"{error}; [engine] holds all the same", error.hint)
            return engine

    def engine_alone(self) -> configuration.Engine:
        """Return `[engine]`, whatever else the file says.

        Raises:
            ConfigError: There is no file, or that section is wrong itself.
        """
        self._require_project()
        return configuration.load(str(self.config_path), os.environ, only="engine").engine

    @cached_property
    def home(self) -> Path:
        """The state directory, absolute."""
        environment = os.environ | {"HOME": user_directory(os.environ)}
        whole = configuration.Config(engine=self.engine)
        home = self.place_of(configuration.home_of(whole, environment))
        detail(f"home {home}")
        return home

    def home_in_need(self) -> Path:
        """Return the home for who wants less of a bot: where one runs, whatever says otherwise.

        A file may be half of a merge, and a shell without its variables names another home.

        Raises:
            ConfigError: The file does not say it, and not just one bot of this project runs.
        """
        try:
            if (self.home / "state").exists():
                return self.home
            app, why, hint = self.engine.app, f"nothing ever ran under {self.home}", ""
        except ConfigError as error:
            app, why, hint = "", str(error), error.hint
            if len(homes_of(self.config_path.parent)) != 1:
                raise
        running = homes_of(self.config_path.parent, app)
        if len(running) == 1:
            complain(f"{why}; meant is the bot of {running[0]}, which runs here", hint)
            self.home = running[0]
        return self.home

    @property
    def repository(self) -> Path:
        """Where the project's git repository is.

        Raises:
            ConfigError: There is no project: what git says of the place is of no use then.
        """
        self._require_project()
        return self.config_path.parent

    def _require_project(self) -> None:
        if not self.config_path.is_file():
            what = f"there is no configuration at {self.config_path}"
            raise ConfigError(what, "change to the project's directory, or say -c FILE or -C DIR")

    def place_of(self, named: str) -> Path:
        """Return where a path is that the configuration names, absolute.

        Raises:
            ConfigError: It begins with `~`, and nothing says where that is.
        """
        return place_of(named, self.config_path.parent, os.environ)

    def record(self) -> Record:
        """Return the newest record.

        Raises:
            StateUnusable: There is none, or it cannot be used.
        """
        return read_only_snapshot(self.home / "state")

    def write(self, change: Callable[[Record], Record], note: Note) -> None:
        """Change the record by a rule, whoever owns it.

        Args:
            change: From the record as it is to the one that is wanted.
            note: What the journal says of it.

        Raises:
            StateError: There is no record, or it cannot be used.
        """
        control.write(self.home, self.as_shown(change), note)

    def asker(self) -> str:
        """Return who asks: this account, and by way of the page also from where."""
        return asker() if self.asked is None else f"page, {asker()}, {self.asked.peer}"

    def require_shown(self) -> None:
        """Refuse what was asked of a page that showed something else than there is now.

        Raises:
            ShownChanged: It did.
            StateError: There is no record, or it cannot be used.
        """
        if self.asked is not None:
            self._require(self.asked.shown, self.record())

    def as_shown(self, change: Callable[[Record], Record]) -> Callable[[Record], Record]:
        """Return a change that refuses what was asked of a page that showed something else."""
        asked = self.asked
        if asked is None:
            return change

        def shown(known: Record) -> Record:
            self._require(asked.shown, known)  # under the record's lock: nothing comes between
            return change(known)

        return shown

    def _require(self, shown: Shown, known: Record) -> None:
        require(shown, shown_in(known, history.read_current(self.home)))

    def schedule(self, record: Record) -> Schedule:
        """Return the boundaries of the cycles that the record speaks of."""
        # What its numbers mean, the record says; a file that cannot be read is not asked.
        held = record.cadence
        period_ns = held.period_ns if held is not None else round(self.engine.period_s * NS)
        return Schedule(Cadence(period_ns=period_ns), record.timeline)

    def launcher_status(self) -> Message:
        """Return what the launcher says of itself.

        Raises:
            NotRunning: There is no launcher.
        """
        with LauncherClient(self.home) as client:
            return client.ask(Kind.STATUS)


def as_text(name: Path | str) -> str:
    """Return a path or a branch's name as others can be told it, in a file or a message.

    Raises:
        ConfigError: It is no text, and escaped it would be the name of something else.
    """
    if not is_storable(str(name)):
        what = f"{name}: a name in it is no text in UTF-8"
        raise ConfigError(what, "rename it: whoever deploys it could not be told which it is")
    return str(name)


pass_installation = click.make_pass_decorator(Installation)
