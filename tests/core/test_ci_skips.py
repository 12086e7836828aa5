"""What a check may skip: what a machine forbids, never what nobody installed."""

from __future__ import annotations

import re

import pytest

from tests.cluster import network
from tests.mutants import ROOT
from tests.process import etcd_server, shifted_clock

SCRIPT = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def may_skip(reason: str) -> bool:
    (listed,) = re.findall(r"^SKIPS_ALLOWED=\((.*?)^\)", SCRIPT, re.MULTILINE | re.DOTALL)
    rules = re.findall(r"^    '(.*?)'", listed, re.MULTILINE)
    return any(re.fullmatch(rule, reason) for rule in rules)


def test_hosts_of_their_own_are_skipped_where_a_machine_forbids_namespaces() -> None:
    assert may_skip(network.FORBIDDEN)


@pytest.mark.parametrize(
    ("reason", "package"),
    [
        (etcd_server.ABSENT, "etcd-server"),
        (etcd_server.CTL_ABSENT, "etcd-client"),
        (shifted_clock.ABSENT, "libfaketime"),
    ],
)
def test_a_program_that_is_absent_is_installed_or_fails_the_check_by_name(
    reason: str, package: str
) -> None:
    """A check without etcd would prove nothing of several hosts, and say that all is well."""
    assert f"missing+=({package})" in SCRIPT
    assert not may_skip(reason)
