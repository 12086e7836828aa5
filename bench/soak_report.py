"""What a soak adds up to: the witness's count, the chain, the takes, the lateness.

Owns the reading of what a run left behind and the verdict. Everything is counted from
files that the workers and the witness wrote; nothing the engine says of itself is taken
for granted but what stands in its journal, whose own chain is checked on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from bench.chained import Body, next_link
from bench.ratios import Spread, ratio_of_medians, spread
from foresight.evidence.count import begun_ns, count_performed
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.installation import Installation
    from bench.launcher_weight import Weight
    from foresight.evidence.report import Report
    from state.journal_frames import Line

_MS: Final = 1_000_000


class Done(NamedTuple):
    """One deploy of the soak.

    Attributes:
        number: From 1; also the version that it stamps.
        release: Its release.
        aimed: Whether its approval was aimed at a boundary.
        padded: Whether its boot was made longer.
        phase: How it ended.
        reason: Why, if it was not permanent.
        approved_ms: When it was approved, relative to the nearest boundary.
        seconds: From its start to its end.
        bare_late_ns: Lateness of a fresh process's timer beside it.
    """

    number: int
    release: str
    aimed: bool
    padded: bool
    phase: str
    reason: str
    approved_ms: float
    seconds: float
    bare_late_ns: tuple[int, ...]


class Takes(NamedTuple):
    """What the take lines of the journal say.

    Attributes:
        takes: How many there are.
        both_alive: In how many the old owner was seen alive, another process than the new.
        seizes: How often ownership changed in the other way.
    """

    takes: int
    both_alive: int
    seizes: int


class Chain(NamedTuple):
    """The chain in the bodies against the one recomputed from the journal's inputs.

    Attributes:
        links: Decisions chained again.
        bodies: Bodies compared: each that a line carries, and the record's at the end.
        broken: Cycles whose body carries another chain.
        misstamped: Cycles whose body carries the version of another release.
    """

    links: int
    bodies: int
    broken: tuple[int, ...]
    misstamped: tuple[int, ...]


def make(
    installation: Installation,
    *,
    done: Sequence[Done],
    windows: Sequence[tuple[int, int]],
    weight: Weight | None,
    period_ns: int,
    seconds: float,
) -> dict[str, Any]:
    """Return the whole report; `passed` is its verdict.

    Args:
        installation: Stopped.
        done: Its deploys.
        windows: First and last cycle of each stretch in which it ran.
        weight: What the launcher weighed.
        period_ns: Length of a cycle.
        seconds: How long this run took.
    """
    reports = installation.reports()
    lines = list(effective(read_lines(installation.home / "journal")))
    seen = count_performed(reports, first=windows[0][0], last=windows[-1][1], period_ns=period_ns)
    in_window = [cycle for cycle in seen.late if any(a <= cycle <= b for a, b in windows)]
    audit = audit_cycles(lines)
    versions = {each.release: str(each.number) for each in done}
    takes, chain = takes_in(lines), chain_in(lines, installation, versions)
    outcomes = _tally(each.phase for each in done)
    permanent = outcomes.get("permanent", 0)
    passed = (
        seen.is_exact
        and audit.is_complete
        and not audit.missed
        and not (chain.broken or chain.misstamped)
        and permanent == len(done)
        # An interrupted run may have taken once more than it could note.
        and takes.both_alive == takes.takes >= permanent
        and (weight is None or weight.is_light)
    )
    return {
        "passed": passed,
        "deploys": len(done),
        "outcomes": outcomes,
        "aimed": sum(each.aimed for each in done),
        "padded": sum(each.padded for each in done),
        "seconds": round(seconds, 1),
        "period_ms": period_ns / _MS,
        "witness": {**seen._asdict(), "late": in_window},
        "journal": {
            "decided": audit.decided,
            "settled": audit.settled,
            "missed": len(audit.missed),
            "doubled": audit.doubled,
            "complete": audit.is_complete,
        },
        "chain": chain._asdict(),
        "takes": takes._asdict(),
        "lateness_ms": _lateness(reports, lines, done, windows, period_ns),
        "launcher": None if weight is None else {**weight._asdict(), "ratio": weight.ratio},
    }


def takes_in(lines: Iterable[Line]) -> Takes:
    """Count the changes of owner, and in how many of them two processes lived."""
    takes = [line for line in lines if line.kind == "take"]
    return Takes(
        takes=len(takes),
        both_alive=sum(1 for line in takes if _both_alive(line)),
        # The first seize makes the first worker the owner.
        seizes=sum(1 for line in lines if line.kind == "seize") - 1,
    )


def _both_alive(line: Line) -> bool:
    said = line.evidence
    old = (said.get("old_pid"), said.get("old_start_ticks"))
    new = (said.get("new_pid"), said.get("new_start_ticks"))
    return said.get("old_alive") == 1 and None not in old + new and old != new


def chain_in(
    lines: Iterable[Line], installation: Installation, versions: Mapping[str, str]
) -> Chain:
    """Chain every recorded decision again and compare with every body there is.

    Args:
        lines: The journal's.
        installation: Stopped.
        versions: What each release stamps; `0` where none is given.
    """
    chain, links, bodies = "", 0, 0
    broken: list[int] = []
    misstamped: list[int] = []
    stamped = ""
    for line in lines:
        if line.kind == "decide":
            chain, links = next_link(chain, line.cycle, bytes(line.inputs)), links + 1
            stamped = versions.get(line.release, "0")
        if bytes(line.body) != b"null":
            bodies += 1
            body = msgspec.json.decode(line.body, type=Body)
            broken += [line.cycle] * ((body.chain, body.links) != (chain, links))
            misstamped += [line.cycle] * (body.version != stamped)
    record = installation.record()
    assert record is not None, "a soak leaves a record"
    body = msgspec.json.decode(record.body, type=Body)
    broken += [record.progress.cycle] * ((body.chain, body.links) != (chain, links))
    misstamped += [record.progress.cycle] * (body.version != stamped)
    return Chain(links, bodies + 1, tuple(broken), tuple(misstamped))


def _lateness(
    reports: Sequence[Report],
    lines: Sequence[Line],
    done: Sequence[Done],
    windows: Sequence[tuple[int, int]],
    period_ns: int,
) -> dict[str, Any]:
    """Compare first cycles of a new owner with ordinary ones, and a fresh timer likewise."""
    firsts = {line.cycle + 1 for line in lines if line.kind == "take"}
    seen = {
        cycle: (at_ns - cycle * period_ns) / _MS
        for cycle, at_ns in begun_ns(reports).items()
        if any(first <= cycle <= last for first, last in windows)
    }
    woken = {
        line.cycle: line.started_ms - line.scheduled_ms
        for line in lines
        if line.kind == "decide" and line.started_ms and line.scheduled_ms and line.cycle in seen
    }
    bare = [[late / _MS for late in each.bare_late_ns] for each in done if each.bare_late_ns]
    return {
        "observe": _compared(*_split(seen, firsts)),
        "wake_up": _compared(*_split(woken, firsts)),
        "bare_timer": _compared(
            [late[0] for late in bare], [each for late in bare for each in late[1:]]
        ),
    }


def _split(late: dict[int, float], firsts: set[int]) -> tuple[list[float], list[float]]:
    first = [value for cycle, value in late.items() if cycle in firsts]
    return first, [value for cycle, value in late.items() if cycle not in firsts]


def _compared(first: list[float], ordinary: list[float]) -> dict[str, Any]:
    if not first or not ordinary:
        return {}
    return {
        "first": _rounded(spread(first)),
        "ordinary": _rounded(spread(ordinary)),
        "ratio": {
            name: round(value, 3)
            for name, value in ratio_of_medians(first, ordinary)._asdict().items()
        },
    }


def _rounded(values: Spread) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values._asdict().items()}


def _tally(words: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return found


def as_text(report: dict[str, Any]) -> str:
    """Return the report for a reader."""
    seen, chain, takes = report["witness"], report["chain"], report["takes"]
    journal = report["journal"]
    rows = [
        f"{report['deploys']} deploys in {report['seconds']:.0f} s: {report['outcomes']}",
        f"  a period of {report['period_ms']:g} ms; {report['aimed']} aimed at a boundary",
        f"  {report['padded']} with a boot of three periods more",
        f"witness    expected {seen['expected']}, run {seen['run']}",
        f"  missed {len(seen['missed'])}, doubled {len(seen['doubled'])}",
        f"  begun only after their period {len(seen['late'])}",
        f"journal    decided {journal['decided']}, complete: {journal['complete']}",
        f"chain      {chain['links']} links again, {chain['bodies']} bodies compared",
        f"  broken {len(chain['broken'])}, misstamped {len(chain['misstamped'])}",
        f"takes      {takes['takes']}, old and new alive together in {takes['both_alive']}",
        f"  changes of owner in another way {takes['seizes']}",
    ]
    rows += _lateness_rows(report["lateness_ms"])
    if report["launcher"]:
        rows.append(_launcher_row(report["launcher"]))
    rows.append("passed" if report["passed"] else "FAILED")
    return "\n".join(rows)


def _lateness_rows(lateness: dict[str, Any]) -> list[str]:
    rows = ["lateness in ms            count   median      p95      p99      max"]
    for name, values in lateness.items():
        for which in ("first", "ordinary"):
            each = values.get(which)
            if each:
                rows.append(
                    f"  {name:<11} {which:<10} {each['samples']:6.0f} {each['median']:8.3f} "
                    f"{each['p95']:8.3f} {each['p99']:8.3f} {each['maximum']:8.3f}"
                )
        if values:
            ratio = values["ratio"]
            rows.append(
                f"  {name:<11} ratio of medians {ratio['ratio']:.2f} "
                f"[{ratio['low']:.2f}, {ratio['high']:.2f}]"
            )
    return rows


def _launcher_row(launcher: dict[str, Any]) -> str:
    return (
        f"launcher   {launcher['launcher_rss']} KiB resident, a bare interpreter "
        f"{launcher['bare_rss']} KiB: {launcher['ratio']:.2f} x "
        f"(proportional {launcher['launcher_pss']} and {launcher['bare_pss']} KiB); "
        f"foreign files {launcher['foreign_files']}, modules {launcher['foreign_modules']}"
    )
