"""An address of an etcd is read as it is meant, or refused with what to write instead."""

from __future__ import annotations

import pytest

from state.etcd.address import (
    Cluster,
    ClusterInvalid,
    Credentials,
    Endpoint,
    cluster_of,
    credentials_of,
    is_cluster,
)

KNOWN = Credentials(ca="/ca", certificate="/me", key="/key")


def test_an_address_names_members_and_an_application() -> None:
    assert cluster_of("etcd://127.0.0.1,localhost:2400,[::1]:9/bot-1") == Cluster(
        (Endpoint("127.0.0.1"), Endpoint("localhost", 2400), Endpoint("::1", 9)), "bot-1"
    )
    found = cluster_of("etcd://h1,h2,h3/app", KNOWN)
    assert found.words() == "h1:2379,h2:2379,h3:2379"
    assert Endpoint("::1").words() == "[::1]:2379"
    assert found.is_encrypted
    assert is_cluster("etcd://")
    assert not is_cluster("")


@pytest.mark.parametrize(
    "state",
    [
        "etcd://127.0.0.1",
        "etcd://127.0.0.1/",
        "etcd:///app",
        "etcd://127.0.0.1/a/b",
        "etcd://127.0.0.1/-a",
        "etcd://127.0.0.1:0/app",
        "etcd://127.0.0.1:65536/app",
        "etcd://127.0.0.1:x/app",
        "etcd://user@127.0.0.1/app",
        "etcd://127.0.0.1,/app",
        "etcd://127.0.0.1,127.0.0.1/app",
        "etcd://::1/app",
        "http://127.0.0.1/app",
        "etcd://" + ",".join(f"127.0.0.{n}" for n in range(1, 11)) + "/app",
    ],
)
def test_what_is_no_address_is_refused_with_what_one_looks_like(state: str) -> None:
    with pytest.raises(ClusterInvalid) as refused:
        cluster_of(state)
    assert refused.value.hint == 'write it as "etcd://h1,h2,h3/app"'


@pytest.mark.parametrize("host", ["h1", "10.0.0.1", "127.0.0.1.example", "[fe80::1]"])
def test_nothing_leaves_the_host_without_client_certificates(host: str) -> None:
    """Without them whoever reaches the port can renew leases and compact, passwords or not."""
    with pytest.raises(ClusterInvalid, match="without client certificates"):
        cluster_of(f"etcd://127.0.0.1,{host}/app")
    with pytest.raises(ClusterInvalid, match="without client certificates"):
        cluster_of(f"etcd://{host}/app", Credentials(user="u", password="p"))  # noqa: S106
    assert cluster_of(f"etcd://{host}/app", KNOWN).is_encrypted


def test_credentials_are_whole_or_refused() -> None:
    assert credentials_of({}) == Credentials()
    assert credentials_of({"ca": "/ca", "certificate": "/me", "key": "/key"}) == KNOWN
    both = {"user": "u", "password": "p"}
    assert credentials_of(both) == Credentials(user="u", password="p")  # noqa: S106
    for plain in ({"ca": "/ca"}, {"user": "u"}, {"token": "t"}, {"user": 7, "password": "p"}):
        with pytest.raises(ClusterInvalid):
            credentials_of(plain)
