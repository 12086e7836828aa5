"""The report of a series on a cluster, as people read it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster.faults import LEASE_S
from tests.cluster.stage import PERIOD_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def as_text(report: Mapping[str, Any]) -> str:
    """Return the report for a reader."""
    title = f"{report['seconds']:.0f} s, seed {report['seed']}, a period of {PERIOD_S:g} s"
    rows = [
        f"{title}, a lease of {LEASE_S:g} s",
        "blows      " + _counted(report["blows"]),
        f"clocks     ahead by {report['clocks']['ahead_ms']} ms",
        *(f"  {each} warns too little or too much" for each in report["clocks"]["wrong"]),
        *_cycles(report["cycles"]),
        *_orders(report["orders"]),
        *_owners(report),
        "deploys    " + _counted(report["deploys"]),
        *(f"  {each}" for each in report["refused"]),
        f"outages    {report['outages']['held']}",
        f"  in which somebody was touched: {len(report['outages']['touched'])}",
        *(f"  {each}" for each in report["outages"]["touched"]),
    ]
    return "\n".join([*rows, "passed" if report["passed"] else "FAILED"])


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _cycles(cycles: Mapping[str, Any]) -> Iterator[str]:
    late, given_up = cycles["late_s"], cycles["given_up_for_want_of_a_majority"]
    yield f"cycles     due {cycles['due']}, decided {cycles['decided']}"
    yield f"  skipped {len(cycles['skipped'])}, doubled {len(cycles['doubled'])}"
    yield f"  given up for want of a majority {len(given_up)}"
    yield f"  begun after the boundary: median {late['median']} s, most {late['most']} s"
    yield f"  outages apart: most {late['most_but_for_outages']} s"


def _orders(orders: Mapping[str, Any]) -> Iterator[str]:
    yield f"orders     ended {orders['ended']}, carried out {orders['carried_out']}"
    yield f"  arrived again {orders['sent_again']}, refused as known {orders['refused_as_known']}"
    yield f"  doubled {len(orders['doubled'])}, contradicted {len(orders['contradicted'])}"
    yield f"  in doubt for a while {orders['in_doubt_for_a_while']}"
    yield f"    of them after a seize without proof {orders['of_them_unproven']}"
    yield f"  unknown {len(orders['unknown'])}, without an end {len(orders['waiting'])}"
    yield f"  not carried out, and said so {len(orders['not_carried_out'])}"


def _owners(report: Mapping[str, Any]) -> Iterator[str]:
    takes = report["takes"]
    yield f"takes      planned {takes['planned']}, after their boundary {len(takes['late'])}"
    yield f"  least before it {takes['least_before_its_boundary_s']} s"
    for name, seconds in sorted(report["takeovers_s"].items()):
        yield f"seizes     {name}: {seconds} s"
    yield f"  of owners whom nobody had struck: {report['unstruck']}"
    for name, each in report["bounds"].items():
        within = "" if each["within"] else ", NOT within"
        yield f"bound      {name}: {each['most_s']} s of {each['limit_s']:g} s{within}"
