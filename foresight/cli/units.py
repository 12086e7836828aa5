"""`unit install|remove|show`: this installation as a service of systemd.

Owns where the unit goes and what is said about it. Its text is `deploy.unit_file`'s matter.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

import click

import deploy
from deploy.commands import run as run_command
from deploy.unit_file import Credential, Service, unit_text
from foresight.cli.installation import Installation, pass_installation
from foresight.cli.output import emit_text, progress
from foresight.cli.overriding import refuse_contradictions
from foresight.errors import ConfigError, ForesightError
from foresight.overrides import FIXED, KEY_FILE, key_of
from handoff.account import name_of, user_directory
from handoff.clean_text import without_passwords
from handoff.exit_codes import ExitCode
from handoff.proxies import PROXY_VARIABLES

VERIFY_S_MAX = 60.0
TEMPLATE = Path(deploy.__file__).parent / "units" / "foresight.service"
SYSTEM_UNITS = Path("/etc/systemd/system")
PASSED_ON = ("XDG_STATE_HOME", "XDG_CONFIG_HOME")  # they decide where home is

system_option = click.option(
    "--system/--user", default=False, show_default=True, help="For the system's manager."
)
live_option = click.option("--live", is_flag=True, help="Start with real money (`up --live`).")


@click.group()
def unit() -> None:
    """Run this installation as a service of systemd."""


@unit.command()
@system_option
@live_option
@pass_installation
def show(installation: Installation, *, system: bool, live: bool) -> int:
    """Print the unit."""
    _say_left_out(installation)
    emit_text(_text(_service(installation, system=system, live=live)))
    return ExitCode.DONE


@unit.command()
@system_option
@live_option
@pass_installation
def install(installation: Installation, *, system: bool, live: bool) -> int:
    """Write the unit, and say how to start it."""
    _say_left_out(installation)
    service = _service(installation, system=system, live=live)
    path = _place(service, system=system)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_text(service), encoding="utf-8")
    emit_text(str(path))
    _verify(path, system=system)
    manager = "systemctl" if system else "systemctl --user"
    progress(f"next: {manager} daemon-reload && {manager} enable --now {service.unit}")
    if not system:
        progress(f"to run while nobody is logged in: loginctl enable-linger {_user(os.geteuid())}")
    return ExitCode.DONE


@unit.command()
@system_option
@pass_installation
def remove(installation: Installation, *, system: bool) -> int:
    """Take the unit away; what runs goes on until it is stopped."""
    service = _service(installation, system=system, live=False)
    path = _place(service, system=system)
    if not path.exists():
        progress(f"there is no {path}")
        return ExitCode.DONE
    path.unlink()
    emit_text(str(path))
    manager = "systemctl" if system else "systemctl --user"
    progress(f"next: {manager} disable --now {service.unit}; {manager} daemon-reload")
    return ExitCode.DONE


def installed(installation: Installation) -> list[Path]:
    """Return the units of this installation that are there, the user's and the system's."""
    places: list[Path] = []
    for system in (False, True):
        with contextlib.suppress(ConfigError):  # an account without a directory has no units
            places.append(_place(_service(installation, system=system, live=False), system=system))
    return [place for place in places if place.exists()]


def _service(installation: Installation, *, system: bool, live: bool) -> Service:
    config = installation.config
    command = [sys.executable, "-I", "-m", "foresight", "-c", str(installation.config_path), "up"]
    key_file = config.venue.key_file if config.venue.live else ""
    return Service(
        app=config.engine.app,
        command=[*command, "--live"] if live else command,
        directory=str(installation.repository),
        home=str(installation.home),
        user=_user(installation.repository.stat().st_uid) if system else "",
        variables={name: os.environ[name] for name in sorted(os.environ) if _is_carried(name)},
        credential=credential_of(installation.place_of(key_file)) if key_file else None,
    )


def _is_carried(name: str) -> bool:
    """Tell whether a variable that is set goes into the unit: a reboot must change nothing."""
    if name in PROXY_VARIABLES:
        return not _has_password(name)
    key = key_of(name)
    return name in PASSED_ON or (bool(key) and key not in FIXED and name != KEY_FILE)


def _has_password(name: str) -> bool:
    return without_passwords(os.environ[name]) != os.environ[name]


def _say_left_out(installation: Installation) -> None:
    """Say what a unit cannot carry; refuse what `up` would refuse.

    Raises:
        ConfigError: A variable contradicts the file.
    """
    refuse_contradictions(installation)
    for name in sorted(os.environ):
        if name in PROXY_VARIABLES and _has_password(name):
            progress(
                f"{name} holds a password and stays out of the unit, which others may read: "
                f"name a file of mode 0600 as EnvironmentFile by `systemctl edit`"
            )


def credential_of(key_file: Path) -> Credential:
    """Return the key of the venue as the service is handed it."""
    return Credential(name="venue-key", file=str(key_file), variable=KEY_FILE)


def _text(service: Service) -> str:
    return unit_text(TEMPLATE.read_text(encoding="utf-8"), service)


def _place(service: Service, *, system: bool) -> Path:
    if system:
        return SYSTEM_UNITS / service.unit
    base, user = os.environ.get("XDG_CONFIG_HOME", ""), user_directory(os.environ)
    if not base and not user:
        what = "nothing says where a user's units are"
        raise ConfigError(what, "set HOME or XDG_CONFIG_HOME, or say --system")
    return Path(base or f"{user}/.config") / "systemd" / "user" / service.unit


def _verify(path: Path, *, system: bool) -> None:
    """Let systemd read the unit where it is installed.

    Raises:
        ForesightError: It does not understand it.
    """
    program = shutil.which("systemd-analyze")
    if program is None:
        progress("systemd-analyze is not installed: nobody has checked the unit")
        return
    # A user's manager is asked where one runs; the other one reads the same grammar.
    manager = ["--user"] if not system and "XDG_RUNTIME_DIR" in os.environ else []
    done = run_command(
        [program, *manager, "verify", str(path)],
        limit_s=VERIFY_S_MAX,
        environment=dict(os.environ),
    )
    words = (done.output + done.errors).decode("utf-8", "replace").strip()
    if done.code != 0 or path.name in words:
        what = f"systemd does not understand {path}: {words}"
        raise ForesightError(what)
    progress("systemd-analyze verify: nothing to say")


def _user(uid: int) -> str:
    """Return what systemd calls an account: its name, or its number where it has none."""
    return name_of(uid) or str(uid)
