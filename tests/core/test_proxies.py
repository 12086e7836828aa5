"""What is reached by way of a proxy, what never is, and what nobody reads of its address."""

from __future__ import annotations

import urllib.request

import pytest

from handoff.clean_text import without_passwords
from handoff.launcher.children import child_environment
from handoff.proxies import LOOPBACK, PROXY_VARIABLES, loopback_direct, proxies_of

PROXY = "http://proxy.invalid:3128"


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_child_gets_the_proxies_and_reaches_this_host_directly(
    without: pytest.MonkeyPatch, name: str
) -> None:
    """Proxies reached nobody; and a local exchange asked through one answers nothing."""
    without.setenv(name, PROXY)
    found = child_environment([])
    assert found[name] == PROXY
    without.setenv("no_proxy", found["no_proxy"])
    for host in ("127.0.0.1", "127.0.0.1:8080", "localhost", "[::1]:80"):
        assert urllib.request.proxy_bypass(host)
    assert not urllib.request.proxy_bypass("example.invalid")


def test_what_goes_directly_already_still_does() -> None:
    found = loopback_direct({"HTTP_PROXY": PROXY, "NO_PROXY": "one.invalid, localhost"})
    assert found["NO_PROXY"] == found["no_proxy"]
    direct = found["NO_PROXY"].split(",")
    assert direct[:2] == ["one.invalid", "localhost"]
    assert set(LOOPBACK) < set(direct)
    assert len(direct) == len(set(direct))
    both = {"http_proxy": PROXY, "no_proxy": "low.invalid", "NO_PROXY": "high.invalid"}
    assert loopback_direct(both)["NO_PROXY"].startswith("low.invalid,")


def test_without_a_proxy_nothing_is_added() -> None:
    for environment in ({}, {"NO_PROXY": "x"}, {"HTTP_PROXY": ""}):
        assert loopback_direct(environment) == environment
        assert proxies_of(environment) == {}


def test_a_child_gets_what_it_is_passed_and_nothing_like_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The place of a key is for workers alone."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x")
    monkeypatch.setenv("FORESIGHT_LIVE", "1")
    found = child_environment([], ["CREDENTIALS_DIRECTORY", "ABSENT"])
    assert found["CREDENTIALS_DIRECTORY"] == "/run/credentials/x"
    assert "ABSENT" not in found
    assert not {"CREDENTIALS_DIRECTORY", "FORESIGHT_LIVE"} & child_environment([]).keys()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("407 from http://mia:pass@proxy:3128/x", "407 from http://***@proxy:3128/x"),
        ("socks5h://mia@proxy", "socks5h://***@proxy"),
        ("http://a:p@ss@b https://c:d@e", "http://***@b https://***@e"),
        ("https://index/simple/@scope", "https://index/simple/@scope"),
        ("mail mia@host.invalid", "mail mia@host.invalid"),
    ],
)
def test_an_address_does_not_say_who_logs_in(text: str, shown: str) -> None:
    """Installers and venues repeat the address of the proxy in their errors."""
    assert without_passwords(text) == shown
