"""How an etcd lets a store in: by certificates, by name and password, and anew when they end."""

from __future__ import annotations

import datetime as dt
import ipaddress
from functools import partial
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from state.errors import EtcdRefuses
from state.etcd import wire
from state.etcd.address import Cluster, Credentials
from state.etcd.client import Client, NotSent, Unclear
from tests.process.etcd_server import Server, etcd_store, tell
from tests.process.test_etcd_store import wait_until
from tests.records import note, run_cycles, settle, started

if TYPE_CHECKING:
    from pathlib import Path

    from state.etcd.watch import Watch
    from state.etcd_store import EtcdStore

pytestmark = pytest.mark.usefixtures("patient")
USER, PASSWORD = "bot", "secret"
DAY = dt.timedelta(days=1)


def with_users(server: Server) -> None:
    """Let only those in who have a name: root, one that may use its keys, one that may nothing."""
    asked = partial(tell, server.cluster())
    for name in ("root", USER, "guest"):
        asked("/v3/auth/user/add", {"name": name, "password": PASSWORD})
    for role in ("root", "bots"):
        asked("/v3/auth/role/add", {"name": role})
    permission = {"permType": 2, "key": b"x/", "range_end": b"x0"}
    asked("/v3/auth/role/grant", {"name": "bots", "perm": permission})
    asked("/v3/auth/user/grant", {"user": "root", "role": "root"})
    asked("/v3/auth/user/grant", {"user": USER, "role": "bots"})
    asked("/v3/auth/enable", {})


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


def raw_watch(store: EtcdStore) -> Watch:
    watch = store._watch  # noqa: SLF001 - how often it was opened is asked of nobody else
    assert watch is not None
    return watch


def certificates(folder: Path) -> Credentials:
    """Make an authority, and one certificate for 127.0.0.1 that serves both sides."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = dt.datetime.now(dt.UTC)

    def certificate(
        name: str, public: ec.EllipticCurvePublicKey, *, is_authority: bool
    ) -> x509.Certificate:
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        place = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=is_authority,
            crl_sign=is_authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([place]), critical=False)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(authority_key, hashes.SHA256())
        )

    pem = serialization.Encoding.PEM
    made = {
        "ca": certificate("authority", authority_key.public_key(), is_authority=True).public_bytes(
            pem
        ),
        "certificate": certificate("bot", key.public_key(), is_authority=False).public_bytes(pem),
        "key": key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return Credentials(**{name: str(folder / name) for name in made})


def test_certificates_are_shown_and_those_of_the_server_are_checked(
    own_etcd: Server, tmp_path: Path
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
    ours, theirs = certificates(mine), certificates(other)
    server = own_etcd
    server.tls = ours
    server.options = (
        "--client-cert-auth",
        f"--trusted-ca-file={ours.ca}",
        f"--cert-file={ours.certificate}",
        f"--key-file={ours.key}",
    )
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
