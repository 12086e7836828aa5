"""Users, and certificates of its own, for an etcd that a test starts."""

from __future__ import annotations

import datetime as dt
import ipaddress
from functools import partial
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from state.etcd.address import Credentials
from tests.process.etcd_server import Server, tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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


def certificates(folder: Path, addresses: Sequence[str] = ("127.0.0.1",)) -> Credentials:
    """Make an authority, and one certificate for some addresses that serves both sides."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = dt.datetime.now(dt.UTC)

    def certificate(
        name: str, public: ec.EllipticCurvePublicKey, *, is_authority: bool
    ) -> x509.Certificate:
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        places = [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
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
            .add_extension(x509.SubjectAlternativeName(places), critical=False)
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


def with_certificates(server: Server, ours: Credentials) -> None:
    """Let only those in who show a certificate of the authority; call it before the start."""
    server.tls = ours
    server.options = (
        "--client-cert-auth",
        f"--trusted-ca-file={ours.ca}",
        f"--cert-file={ours.certificate}",
        f"--key-file={ours.key}",
    )
