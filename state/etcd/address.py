"""Where an etcd is: its endpoints, the name of the application in it, and how to be let in.

Owns the shape of `etcd://h1,h2:2379,h3/app`, the rule that nothing leaves the host in plain
text or without a certificate, and the members of a file of credentials. No file is read here.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from state.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME: Final = "etcd://"
PORT: Final = 2379  # registered for etcd's clients
ENDPOINTS_MAX: Final = 9  # etcd advises seven members at most
_APP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\]")
_PORT_MAX: Final = 65535


class ClusterInvalid(StateError):
    """An address or credentials of an etcd that nobody can use."""

    def __init__(self, reason: str, hint: str) -> None:
        """Keep what is wrong and what to do."""
        super().__init__(reason)
        self.hint = hint


class Endpoint(NamedTuple):
    """One member's client port."""

    host: str
    port: int = PORT

    @property
    def is_loopback(self) -> bool:
        """Whether nothing that is sent there leaves the host."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False  # a name may be anybody's

    def words(self) -> str:
        """Return it as people write it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Credentials(NamedTuple):
    """How etcd knows us and we know it.

    Attributes:
        ca: Path of the certificates that vouch for the servers.
        certificate: Path of our certificate, or empty.
        key: Path of its key.
        user: Name in etcd's own list of users, or empty.
        password: Its password.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    user: str = ""
    password: str = ""

    @property
    def has_certificate(self) -> bool:
        """Whether we can show a certificate and check theirs."""
        return bool(self.ca and self.certificate and self.key)


class Source(NamedTuple):
    """Where credentials come from: what is changed there counts from the next log-in on.

    Attributes:
        path: Of their file, absolute.
        places: Directories made for secrets.
        trusted_group: May read the file as well.
    """

    path: str
    places: tuple[str, ...] = ()
    trusted_group: int | str = ""


class Cluster(NamedTuple):
    """An etcd and the application in it.

    Attributes:
        endpoints: Its members, or some of them.
        prefix: What the keys of the application begin with.
        credentials: How to be let in.
        source: Where those are read again; None where they came from no file.
    """

    endpoints: tuple[Endpoint, ...]
    prefix: str
    credentials: Credentials = Credentials()
    source: Source | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether it is spoken to by TLS."""
        return bool(self.credentials.ca)

    def words(self) -> str:
        """Return the endpoints as people write them."""
        return ",".join(each.words() for each in self.endpoints)


def is_cluster(state: str) -> bool:
    """Tell whether `[engine] state` speaks of an etcd."""
    return state.startswith(SCHEME)


def cluster_of(
    state: str, credentials: Credentials | None = None, source: Source | None = None
) -> Cluster:
    """Return the cluster that an address names.

    Args:
        state: `etcd://host[:port],.../app`.
        credentials: How to be let in; None where nothing is asked.
        source: Where they were read.

    Raises:
        ClusterInvalid: The address cannot be read, or leaves the host without certificates.
    """
    places, _, app = state.removeprefix(SCHEME).partition("/")
    hint = 'write it as "etcd://h1,h2,h3/app"'
    if not is_cluster(state) or not _APP.fullmatch(app):
        message = f"{state!r} names no application in an etcd"
        raise ClusterInvalid(message, hint)
    endpoints = tuple(_endpoint(place, hint) for place in places.split(","))
    if len(endpoints) > ENDPOINTS_MAX or len({*endpoints}) < len(endpoints):
        message = f"{state!r} names more than {ENDPOINTS_MAX} endpoints, or one twice"
        raise ClusterInvalid(message, hint)
    cluster = Cluster(endpoints, app, credentials or Credentials(), source)
    outside = [each.words() for each in endpoints if not each.is_loopback]
    if outside and not cluster.credentials.has_certificate:
        message = f"etcd at {', '.join(outside)} would be spoken to without client certificates"
        raise ClusterInvalid(
            message, "name ca, certificate and key in the file of [engine] cluster_credentials"
        )
    return cluster


def credentials_of(plain: Mapping[str, object]) -> Credentials:
    """Return credentials from the members of their file.

    Raises:
        ClusterInvalid: A member is unknown or no text, or a pair is not complete.
    """
    hint = f"its members are {', '.join(Credentials._fields)}, all of them texts"
    for name, value in plain.items():
        if name not in Credentials._fields or not isinstance(value, str):
            message = f"credentials with {name} cannot be used"
            raise ClusterInvalid(message, hint)
    found = Credentials(**{name: str(value) for name, value in plain.items()})
    certificates = (found.ca, found.certificate, found.key)
    if any(certificates) and not all(certificates):
        message = "ca, certificate and key belong together, one of them is missing"
        raise ClusterInvalid(message, hint)
    if bool(found.user) != bool(found.password):
        message = "user and password belong together, one of them is missing"
        raise ClusterInvalid(message, hint)
    return found


def _endpoint(place: str, hint: str) -> Endpoint:
    match = re.fullmatch(rf"(?P<host>{_HOST.pattern})(?::(?P<port>[0-9]{{1,5}}))?", place)
    port = int(match["port"] or PORT) if match else 0
    if match is None or not 0 < port <= _PORT_MAX:
        message = f"{place!r} is no host of an etcd"
        raise ClusterInvalid(message, hint)
    return Endpoint(match["host"].strip("[]"), port)
