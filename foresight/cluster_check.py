"""What `foresight doctor` looks at in an etcd: reach, door, version, size, alarms, account, clocks.

Owns what follows from what the etcd says. It is asked, never changed.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from foresight.finding import Finding, Verdict
from handoff.commands.host_words import CLOCK_REMEDY, warnings_of
from state.errors import AccountOther, StateError
from state.etcd import forgetting
from state.etcd.bystander import overheard
from state.etcd.client import EtcdError
from state.etcd.survey import REVISIONS_KEPT_MAX, Survey, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.etcd.address import Cluster

VERSION_MIN: Final = (3, 4)  # the gateway's paths are those of `/v3` since then
SIZE_BYTES_MAX: Final = 1 << 30  # etcd refuses writes at 2 GiB, unless it was told otherwise
_MIB: Final = 1 << 20


def examine_cluster(cluster: Cluster, account: str = "") -> Iterator[Finding]:
    """Yield what each check of an etcd finds.

    Args:
        cluster: Where it is.
        account: What names the account that this host acts for, as workers are told; perhaps empty.
    """
    try:
        found = survey(cluster)
    except (OSError, ssl.SSLError) as error:  # of the files with the certificates
        yield Finding("etcd", Verdict.BAD, str(error), "see [engine] cluster_credentials")
        return
    yield _reach(found)
    yield _strangers(found, is_loopback=all(each.is_loopback for each in cluster.endpoints))
    if found.has_majority:
        yield _versions(found)
        yield _size(found)
        yield _alarms(found)
        yield _compaction(found)
        yield _account(cluster, account)
        yield _clocks(cluster)


def _reach(found: Survey) -> Finding:
    if found.is_mixed:
        remedy = "start them as one cluster (`--initial-cluster`): each would keep a record"
        return Finding("etcd", Verdict.BAD, "its members do not know each other", remedy)
    silent = [f"{each.endpoint}: {each.why}" for each in found.members if each.status is None]
    if not found.has_majority:
        remedy = "start its members; without a majority nothing is decided"
        said = "; ".join(silent) or "no member knows a leader"
        return Finding("etcd", Verdict.BAD, said, remedy)
    if silent:
        return Finding("etcd", Verdict.ODD, "; ".join(silent), "it has no member to lose now")
    return Finding("etcd", Verdict.GOOD, f"{len(found.members)} members answer")


def _strangers(found: Survey, *, is_loopback: bool) -> Finding:
    check = "etcd's door"
    opened = [
        f"{each.endpoint} lets anybody {' and '.join(each.open_for)}"
        for each in found.members
        if each.open_for
    ]
    if not opened:
        return Finding(check, Verdict.GOOD, "shut for whoever shows no certificate or password")
    verdict = Verdict.ODD if is_loopback else Verdict.BAD
    return Finding(check, verdict, "; ".join(opened), "run it with --client-cert-auth")


def _versions(found: Survey) -> Finding:
    versions = sorted({each.status.version for each in found.members if each.status is not None})
    words = ", ".join(versions)
    old = [version for version in versions if _numbers(version) < VERSION_MIN]
    if old:
        return Finding("etcd's version", Verdict.BAD, words, "use 3.4 or newer")
    return Finding("etcd's version", Verdict.GOOD, words)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _size(found: Survey) -> Finding:
    size = max(each.status.dbSize for each in found.members if each.status is not None)
    words = f"{size / _MIB:.1f} MiB"
    if size > SIZE_BYTES_MAX:
        remedy = "compact and defragment it; at its quota it refuses every write"
        return Finding("etcd's size", Verdict.ODD, words, remedy)
    return Finding("etcd's size", Verdict.GOOD, words)


def _alarms(found: Survey) -> Finding:
    if found.alarms:
        remedy = "`etcdctl alarm list`; a full one refuses every write until it is disarmed"
        return Finding("etcd's alarms", Verdict.BAD, ", ".join(found.alarms), remedy)
    return Finding("etcd's alarms", Verdict.GOOD, "none")


def _compaction(found: Survey) -> Finding:
    check = "etcd's history"
    words = f"revision {found.revision}"
    if found.is_compacted:
        return Finding(check, Verdict.GOOD, f"{words}, compacted")
    remedy = "run it with --auto-compaction-retention; a bot compacts nothing"
    if found.is_compacted is None:
        return Finding(check, Verdict.ODD, f"{words}; whether it is compacted is not told", remedy)
    if found.revision > REVISIONS_KEPT_MAX:
        old = f"{words}, older than {REVISIONS_KEPT_MAX} are kept"
        return Finding(check, Verdict.BAD, old, remedy)
    return Finding(check, Verdict.ODD, f"{words}, not compacted so far", remedy)


def _account(cluster: Cluster, account: str) -> Finding:
    """Whether the record acts for this host's account; whose it is, is nobody's to read."""
    check = "etcd's account"
    try:
        forgetting.require_account(cluster, account)
    except AccountOther as error:
        return Finding(check, Verdict.BAD, str(error), error.hint)
    except StateError as error:
        return Finding(check, Verdict.ODD, str(error), "look again")
    return Finding(check, Verdict.GOOD, "this host's, or nobody's yet")


def _clocks(cluster: Cluster) -> Finding:
    """Whether the clocks of the hosts that say what they are agree with this one's."""
    check = "hosts' clocks"
    try:
        seen = overheard(cluster)
    except EtcdError as error:
        return Finding(check, Verdict.ODD, f"they could not be heard: {error}", "look again")
    warned = warnings_of(seen)
    if warned:
        return Finding(check, Verdict.ODD, " ".join(warned), CLOCK_REMEDY)
    known = {host.name: host.clock for host in seen.hosts if host.clock is not None}
    if not known:
        return Finding(check, Verdict.GOOD, "no host says what time it is there")
    furthest_s = max(max(abs(each.low_ms), abs(each.high_ms)) for each in known.values()) / 1e3
    found = f"{', '.join(sorted(known))}: within {furthest_s:.2f} s of this host's"
    return Finding(check, Verdict.GOOD, found)
