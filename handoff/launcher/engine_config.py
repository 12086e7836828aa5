"""What the launcher is told about an installation: `run/engine.json`.

Owns the shape of that file. Whoever starts the launcher writes it (`handoff run`,
or an application's own command); the launcher reads it at start and on HUP. Standard
library only. It holds no secret.
"""

from __future__ import annotations

import json
import os

from handoff.errors import HandoffError
from handoff.light_typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

ENGINE_FILE: Final = "engine.json"
ENGINE_FORMAT: Final = 1


class EngineConfigInvalid(HandoffError):
    """The engine's configuration cannot be read."""

    hint = "start again with `up`, which writes it"


class Companion(NamedTuple):
    """A program that is kept alive beside the workers.

    Attributes:
        name: Its name in `status` and in the logs.
        argv: Program, absolute, and arguments; `{fd}` becomes the descriptor of its
            listening socket.
        listen: `host:port` that the launcher holds for it, or an empty string.
        environment: What it gets on top of the allowed environment.
        told: Variable in which workers are told `http://host:port` of it; while none of them
            lives, another port may be chosen where its own is taken. Empty for a fixed address.
        in_release: The same program out of the permanent release: a module and its arguments, where
            `{release}` becomes the release; `argv` is what there is without one. Empty where only
            the installation brings it; a launcher before 0.3 knows `argv` alone.
    """

    name: str
    argv: tuple[str, ...]
    listen: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    told: str = ""
    in_release: tuple[str, ...] = ()


class Job(NamedTuple):
    """A program that runs once, to its end.

    Attributes:
        name: Its name in `status` and in the logs.
        argv: Program, absolute, and arguments.
    """

    name: str
    argv: tuple[str, ...]


class EngineConfig(NamedTuple):
    """An installation.

    Attributes:
        app: Name of the application.
        first_release: Release to begin with while no worker ever owned the record.
        origin_ns: Timeline origin, nanoseconds UTC.
        speed: Timeline speed.
        standby: Keep a warm standby at all times.
        companions: Programs kept alive.
        environment: What workers and jobs get on top of the allowed environment.
        force_filesystem: Accept a network or volatile file system for the state.
        account: Name of what one launcher of this user at a time may act for, or empty.
        accounts: Directory with the lock files of accounts, absolute; empty for the usual one.
        passed: Names of variables that workers get as the launcher was started with them: what
            they say is another thing at each start, and is not kept.
        jobs: Programs that were under way when the launcher before this one ended: each is run
            once more at the start, unless it lives.
        make: Makes a release that another host runs and this one lacks: a program, absolute, and
            its arguments, where `{release}` becomes the release. Empty where nothing can.
    """

    app: str
    first_release: str
    origin_ns: int = 0
    speed: int = 1
    standby: bool = False
    companions: tuple[Companion, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    force_filesystem: bool = False
    account: str = ""
    accounts: str = ""
    passed: tuple[str, ...] = ()
    jobs: tuple[Job, ...] = ()
    make: tuple[str, ...] = ()


def with_address(config: EngineConfig, name: str, address: str) -> EngineConfig:
    """Return a configuration in which a companion listens elsewhere, and workers are told so."""
    told = {each.told: f"http://{address}" for each in config.companions if each.name == name}
    return config._replace(
        companions=tuple(
            each._replace(listen=address) if each.name == name else each
            for each in config.companions
        ),
        environment=tuple((key, told.get(key, value)) for key, value in config.environment),
    )


def write_engine_config(home: Path, config: EngineConfig) -> None:
    """Write the configuration for the next start or HUP."""
    plain = config._asdict() | {
        "format": ENGINE_FORMAT,
        "companions": [companion._asdict() for companion in config.companions],
        "jobs": [job._asdict() for job in config.jobs],
    }
    write_json(home / "run" / ENGINE_FILE, plain)


def read_engine_config(home: Path) -> EngineConfig:
    """Read the configuration.

    Raises:
        EngineConfigInvalid: It is absent, damaged or of a newer format.
    """
    path = home / "run" / ENGINE_FILE
    try:
        plain: dict[str, Any] = json.loads(path.read_bytes())
        if plain["format"] > ENGINE_FORMAT:
            message = f"{path} has format {plain['format']}, which is newer"
            raise EngineConfigInvalid(message)
        companions = tuple(_companion(each) for each in plain.get("companions", ()))
        known = {name: plain[name] for name in EngineConfig._fields if name in plain}
        for words in ("passed", "make"):
            known[words] = tuple(str(each) for each in plain.get(words, ()))
        known["jobs"] = tuple(
            Job(each["name"], tuple(each["argv"])) for each in plain.get("jobs", ())
        )
        known |= {"companions": companions, "environment": _pairs(plain.get("environment", ()))}
        return EngineConfig(**known)
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path}: {error}"
        raise EngineConfigInvalid(message) from error


def _companion(plain: dict[str, Any]) -> Companion:
    return Companion(
        name=plain["name"],
        argv=tuple(plain["argv"]),
        listen=plain.get("listen", ""),
        environment=_pairs(plain.get("environment", ())),
        told=plain.get("told", ""),
        in_release=tuple(str(each) for each in plain.get("in_release", ())),
    )


def _pairs(plain: Any) -> tuple[tuple[str, str], ...]:  # noqa: ANN401 - plain JSON
    return tuple((str(name), str(value)) for name, value in plain)


def write_json(path: Path, plain: object) -> None:
    """Replace a small file as a whole; it is advice for the next start, not state."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # in a container every launcher has the same pid
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask
        file.write(json.dumps(plain, indent=1))
    temporary.rename(path)
