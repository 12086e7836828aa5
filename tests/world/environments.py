"""Every environment in which a bot's whole life is tried, and what each makes of it.

Owns the table. An environment is a few differences from an ordinary one: conditions that each
command inherits (`within`), variables, lines of the configuration, namespaces around all of it,
and directories. What is expected is that it works, or the words of the one refusal of `up`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack
    from pathlib import Path

NOBODY: Final = "54321"  # no account database of a test machine has it
NO_GROUP: Final = "54322"
IN_USER_NAMESPACE: Final = ("unshare", "--user")
AS_ITS_ROOT: Final = (*IN_USER_NAMESPACE, "--map-root-user", "--mount")
NOEXEC: Final = """
mount --bind "$1" "$1"
mount -o remount,bind,noexec,nosuid,nodev "$1"
shift
"$@"
"""
# Whoever is root of a namespace sees through `hidepid`, unless it gives its rights up.
HIDEPID: Final = """
mount -o remount,hidepid=2 /proc
setpriv --bounding-set=-all --inh-caps=-all "$@"
exit $?
"""


class World(NamedTuple):
    """One environment.

    Attributes:
        name: What is unkind about it.
        conditions: What every command inherits; names of `within.CONDITIONS`.
        variables: Variables that differ; an empty value removes one.
        engine: Lines for the section `[engine]` of the configuration; `{home}` stands for the
            home directory.
        around: A command that runs another one in namespaces of its own; `{home}` as above.
        home: Where the home directory is, from the place that the environment has.
        prepare: Makes directories or takes ports, for as long as the stack that it gets is open;
            returns more lines for `[engine]`.
        refused: Words of the one refusal; empty where it works.
    """

    name: str
    conditions: tuple[str, ...] = ()
    variables: Mapping[str, str] = MappingProxyType({})
    engine: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    home: str = "home"
    prepare: Callable[[Path, ExitStack], tuple[str, ...]] | None = None
    refused: str = ""


def as_user(uid: str, gid: str) -> tuple[str, ...]:
    """Return the command that runs another one under numbers that stand for our own."""
    return (*IN_USER_NAMESPACE, f"--map-user={uid}", f"--map-group={gid}", "--")


def can_be(world: World) -> bool:
    """Tell whether this machine can make the environment at all."""
    program = world.around[0] if world.around else ""
    if not program:
        return True
    probe = (*IN_USER_NAMESPACE, "--map-root-user", "--mount", "true")
    found = shutil.which(program) is not None
    return found and subprocess.run(probe, check=False, capture_output=True).returncode == 0


def take_ports(_: Path, stack: ExitStack) -> tuple[str, ...]:
    """Listen where the page is configured to be."""
    taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    return (f'page = "127.0.0.1:{taken.getsockname()[1]}"',)


def volume_of_a_group(place: Path, _: ExitStack) -> tuple[str, ...]:
    """Make the directory above the home one that its group may write to."""
    volume = place / "volume"
    volume.mkdir()
    volume.chmod(0o2775)
    return ()


def made_home(place: Path, _: ExitStack) -> tuple[str, ...]:
    """Make the home itself, so that something can be mounted on it."""
    (place / "home").mkdir(mode=0o700)
    return ()


NAMED: Final = 'home = "{home}"'
WORLDS: Final = (
    World(name="an ordinary one"),
    World(name="a uid without a passwd entry", engine=(NAMED,), around=as_user(NOBODY, NOBODY)),
    World(
        name="no HOME",
        engine=(NAMED,),
        variables={"HOME": "", "LOGNAME": "", "USER": "", "XDG_STATE_HOME": ""},
    ),
    World(name="no TTY", conditions=("terminal",)),
    World(name="closed streams", conditions=("streams",)),
    World(
        name="ASCII output",
        variables={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    ),
    World(name="SIGCHLD ignored", conditions=("children",)),
    World(name="TERM blocked", conditions=("term",)),
    World(name="umask 0", conditions=("open",)),
    World(name="umask 077", conditions=("shut",)),
    World(name="cwd deleted", conditions=("directory",)),
    World(name="a relative home", engine=('home = "kept/home"',), home="project/kept/home"),
    World(
        name="a noexec home",
        engine=(NAMED,),
        around=(*AS_ITS_ROOT, "sh", "-ec", NOEXEC, "sh", "{home}"),
        prepare=made_home,
        refused="noexec",
    ),
    World(name="taken ports", prepare=take_ports),
    World(name="pidfd_open refused", conditions=("pidfds",)),
    World(
        name="hidepid",
        engine=(NAMED,),
        around=(
            *(*AS_ITS_ROOT, "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-ec", HIDEPID, "sh"),
        ),
    ),
    World(name="20 descriptors", conditions=("descriptors",), refused="open files"),
    World(name="20 descriptors at first", conditions=("few descriptors",)),
    World(name="a home in /tmp", engine=(NAMED,), home="/tmp/{name}"),  # noqa: S108 - it is what is tried
    World(
        name="a group-writable ancestor",
        engine=(NAMED,),
        around=as_user(NOBODY, NO_GROUP),
        home="volume/home",
        prepare=volume_of_a_group,
        refused="trusted_group",
    ),
    World(
        name="a group-writable ancestor that is trusted",
        engine=(NAMED, f"trusted_group = {NO_GROUP}"),
        around=as_user(NOBODY, NO_GROUP),
        home="volume/home",
        prepare=volume_of_a_group,
    ),
    World(
        name="a container's gid 0",
        conditions=("group",),
        engine=(NAMED,),
        around=as_user(NOBODY, "0"),
        home="volume/home",
        prepare=volume_of_a_group,
    ),
)
# What CI tries at each run: one of each kind of thing that an environment can take away. One of
# them installs for all: the one in which an installer's failure could not be seen.
INSTALLING: Final = "SIGCHLD ignored"
FIXED_SIX: Final = (
    "a uid without a passwd entry",
    "closed streams",
    INSTALLING,
    "umask 0",
    "cwd deleted",
    "pidfd_open refused",
)
