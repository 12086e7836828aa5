"""How an etcd lets a store in: by certificates, by name and password, and anew when they end."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from state.errors import EtcdRefuses, EtcdShut
from state.etcd import wire
from state.etcd.address import Cluster, Credentials, Source
from state.etcd.client import Client, NotSent, Unclear
from tests.process.etcd_door import (
    PASSWORD,
    USER,
    certificates,
    with_certificates,
    with_users,
)
from tests.process.etcd_server import Server, etcd_store, tell
from tests.process.test_etcd_store import wait_until
from tests.records import note, run_cycles, settle, started

if TYPE_CHECKING:
    from pathlib import Path

    from state.etcd.watch import Watch
    from state.etcd_store import EtcdStore

pytestmark = pytest.mark.usefixtures("patient")


def known(cluster: Cluster, user: str) -> Cluster:
    return cluster._replace(credentials=Credentials(user=user, password=PASSWORD))


def test_a_store_logs_in_and_does_so_again_when_its_token_is_worth_nothing(
    own_etcd: Server,
) -> None:
    """It expires, or the user was changed; a bot must not stop for that."""
    server = own_etcd
    server.start()
    with_users(server)
    store = etcd_store(known(server.cluster(), USER), silence_s=0.2)
    run_cycles(started(store), 1)
    wait_until(lambda: store.token() is not None)
    changed = {"name": USER, "password": PASSWORD}
    tell(known(server.cluster(), "root"), "/v3/auth/user/changepw", changed)
    wait_until(lambda: raw_watch(store).opened > 2)
    before = store.token()
    assert run_cycles(store, 1).progress.cycle == 12
    wait_until(lambda: store.token() != before)
    guest = etcd_store(known(server.cluster(), "guest"))
    with pytest.raises(EtcdRefuses, match="permission denied"):
        guest.read()
    nobody = etcd_store(server.cluster())
    with pytest.raises(EtcdRefuses, match="user name is empty"):
        nobody.transact(settle, note("settle"))
    for each in (store, guest, nobody):
        each.close()


def test_a_password_that_is_changed_in_its_file_lets_a_store_in_again(
    own_etcd: Server, tmp_path: Path
) -> None:
    """Whichever is changed first, etcd or the file: a bot waits meanwhile, and ends for neither."""
    own_etcd.start()
    with_users(own_etcd)
    file = tmp_path / "cluster.toml"

    def write(password: str) -> None:
        file.write_text(f'user = "{USER}"\npassword = "{password}"')
        file.chmod(0o600)

    def change(password: str) -> None:
        words = {"name": USER, "password": password}
        tell(known(own_etcd.cluster(), "root"), "/v3/auth/user/changepw", words)

    write(PASSWORD)
    store = etcd_store(known(own_etcd.cluster(), USER)._replace(source=Source(str(file))))
    run_cycles(started(store), 1)
    change("in etcd first")
    for _ in range(2):  # the second try asks nobody
        with pytest.raises(EtcdShut, match="authentication failed"):
            store.read()
    write("in etcd first")
    assert run_cycles(store, 1).progress.cycle == 12
    write("in the file first")
    assert run_cycles(store, 1).progress.cycle == 13, "its token is worth something yet"
    change("in the file first")
    assert run_cycles(store, 1).progress.cycle == 14
    store.close()


def raw_watch(store: EtcdStore) -> Watch:
    (watch,) = store._watches  # noqa: SLF001 - how often it was opened is asked of nobody else
    return watch


def test_certificates_are_shown_and_those_of_the_server_are_checked(
    own_etcd: Server, tmp_path: Path
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
    ours, theirs = certificates(mine), certificates(other)
    server = own_etcd
    with_certificates(server, ours)
    server.start()
    store = etcd_store(server.cluster())
    assert run_cycles(started(store), 1).progress.cycle == 11
    store.close()
    strangers = [
        theirs,  # neither knows the other
        theirs._replace(ca=ours.ca),  # the server does not know us
        ours._replace(ca=theirs.ca),  # we do not know the server
        Credentials(),
    ]
    for stranger in strangers:
        client = Client(server.cluster()._replace(credentials=stranger))
        with pytest.raises((NotSent, Unclear)):
            client.call(wire.TXN, wire.Transaction(success=(wire.get(b"x"),)))
        client.close()


def test_a_certificate_that_is_renewed_in_its_place_is_shown_with_the_next_connection(
    own_etcd: Server, tmp_path: Path
) -> None:
    """A worker lives for months, a certificate often for days; what is half renewed is not."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
    ours, theirs = certificates(mine), certificates(other)
    with_certificates(own_etcd, ours)
    own_etcd.start()
    held = ours._replace(
        certificate=str(tmp_path / "certificate.pem"), key=str(tmp_path / "key.pem")
    )

    def renew(to: Credentials, *names: str) -> None:
        for name in names:
            new = tmp_path / "new.pem"
            shutil.copy(getattr(to, name), new)
            new.replace(getattr(held, name))

    renew(theirs, "certificate", "key")
    client = Client(own_etcd.cluster()._replace(credentials=held))
    asked = wire.Transaction(success=(wire.get(b"x"),))
    with pytest.raises((NotSent, Unclear)):
        client.call(wire.TXN, asked)
    renew(ours, "certificate")
    with pytest.raises((NotSent, Unclear)):
        client.call(wire.TXN, asked)  # its key is another one's as yet
    renew(ours, "key")
    assert client.call(wire.TXN, asked)
    client.close()
