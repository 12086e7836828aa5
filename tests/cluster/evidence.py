"""What a series on a cluster adds up to, by the venue's count and the journals of both hosts.

Owns the verdict. The engine's own account is compared with what was seen outside: every order that
it says was carried out was, once, and none that it says was not.
"""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from bench.chained import next_link
from handoff.limits import NS
from state.cycle_audit import audit_cycles, effective
from state.journal_reader import read_lines, verify_chain
from state.local_store import read_only_generation
from state.open_struct import decode_open
from state.record import Fate, Record
from tests.cluster.clocks import Clocks
from tests.cluster.exchange import BOOKS
from tests.cluster.faults import LEASE_S, OF_OWNER, OUTAGES, Fault
from tests.cluster.stage import CATCH_UP_S, PERIOD_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from state.journal_frames import Line
    from tests.cluster.exchange import Counts
    from tests.cluster.series import Deployed, Untouched
    from tests.cluster.stage import Stage
    from tests.cluster.striking import Blow

MS: Final = 1_000_000
COMMIT_S_MAX: Final = 2.0
LEASE_TAKEOVER_S_MAX: Final = LEASE_S + 1.0
LEADER_TAKEOVER_S_MAX: Final = 2 * LEASE_S + 2.0
CONFIRMED: Final = "confirmed"
ENDED_OTHERWISE: Final = frozenset({"expired", "refused"})


class Found(NamedTuple):
    """What was found when all was over.

    Attributes:
        first: The first cycle that is counted.
        last: The last one.
        lines: The journal, of the host whose journal is proven furthest.
        same: Whether the other host's journal says the same, as far as it goes.
        counts: What the venue counted.
        ends: How each order ended, as the engine says.
        waiting: Orders without an end.
        chain: The body's own chain.
    """

    first: int
    last: int
    lines: Sequence[Line]
    same: bool
    counts: Counts
    ends: Mapping[str, str]
    waiting: Sequence[str]
    chain: str


def gather(stage: Stage, *, first: int, last: int) -> Found:
    """Read both journals, prove their chains, and return what is to be judged."""
    newest = stage.newest()
    assert newest is not None, "a series leaves a record"
    body = msgspec.json.decode(newest.record.body)
    ends = dict(body["ends"]) | {
        each.effect_id: each.outcome.value for each in newest.record.receipts
    }
    journals = []
    for home in stage.homes:
        found = read_only_generation(home.home / "state")
        verify_chain(home.home / "journal", digest=found.digest, cycle=found.record.progress.cycle)
        journals.append(list(effective(read_lines(home.home / "journal"))))
    journals.sort(key=len)
    shorter, longer = ([each.result for each in lines] for lines in journals)
    return Found(
        first=first,
        last=last,
        lines=journals[-1],
        same=longer[: len(shorter)] == shorter,
        counts=stage.exchange.counts(),
        ends=ends,
        waiting=[each.effect_id for each in newest.record.outbox],
        chain=str(body["chain"]),
    )


def doubtful_in(lines: Iterable[Line]) -> tuple[int, int]:
    """Return how many orders were in doubt in any line, and of how many that was unproven."""
    doubtful: set[str] = set()
    unproven: set[str] = set()
    for line in lines:
        has_header = bytes(line.header) not in {b"", b"null"}
        outbox = decode_open(line.header, Record).outbox if has_header else ()
        doubtful |= {each.effect_id for each in outbox if each.fate is Fate.DOUBTFUL}
        unproven |= {each.effect_id for each in outbox if each.unproven}
    return len(doubtful), len(unproven)


def judge(
    found: Found,
    blows: Sequence[Blow],
    deploys: Sequence[Deployed],
    outages: Sequence[Untouched],
    clocks: Clocks = Clocks(),  # noqa: B008 - nothing can change it
) -> dict[str, Any]:
    """Return the report; `passed` is its verdict."""
    cycles = cycles_of(found, blows)
    orders = orders_of(found)
    takeovers = takeovers_of(found.lines, blows)
    takes = takes_of(found.lines)
    commits = [each.commit_s for each in blows if each.commit_s is not None]
    bounds = {
        "commit after the leader's death": _within(
            [b.commit_s for b in blows if b.fault == Fault.LEADER_KILLED and b.commit_s],
            COMMIT_S_MAX,
        ),
        "takeover after a host's death": _within(
            takeovers.get(Fault.OWNER_HOST_KILLED, ()), LEASE_TAKEOVER_S_MAX
        ),
        "takeover after a host's and the leader's death": _within(
            takeovers.get(Fault.OWNER_HOST_AND_LEADER_KILLED, ()), LEADER_TAKEOVER_S_MAX
        ),
    }
    touched = [each for each in outages if each.before != each.after]
    passed = (
        not cycles["skipped"]
        and not cycles["doubled"]
        and not cycles["broken_chain"]
        and not orders["doubled"]
        and not orders["contradicted"]
        and not orders["waiting"]
        and not touched
        and found.same
        and not takes["late"]
        and not clocks.wrong
    )
    return {
        "passed": passed,
        "blows": dict(Counter(each.fault for each in blows if each.met)),
        "clocks": {"ahead_ms": list(clocks.ahead_ms), "wrong": list(clocks.wrong)},
        "cycles": cycles,
        "orders": orders,
        "takes": takes,
        "commits_s": [round(each, 2) for each in commits],
        "unstruck": unstruck_in(found.lines, blows),
        "takeovers_s": {name: [round(each, 2) for each in s] for name, s in takeovers.items()},
        "bounds": bounds,
        "deploys": dict(Counter(each.outcome for each in deploys)),
        "refused": [f"{each.fault}: {each.reason}" for each in deploys if each.reason],
        "outages": {"held": len(outages), "touched": [str(each) for each in touched]},
    }


def cycles_of(found: Found, blows: Iterable[Blow]) -> dict[str, Any]:
    """Return what became of each cycle that was due, and how late it was begun."""
    lines = [each for each in found.lines if found.first <= each.cycle <= found.last]
    audit = audit_cycles(lines)
    decided = {each.cycle: each for each in lines if each.kind == "decide"}
    excused = _excused(blows)
    lost = [cycle for cycle in range(found.first, found.last + 1) if cycle not in decided]
    late_s = {
        cycle: ((line.started_ms or line.at_ms) - (line.scheduled_ms or 0.0)) / 1000
        for cycle, line in decided.items()
    }
    times = Counter(each.cycle for each in lines if each.kind == "decide")
    return {
        "due": found.last + 1 - found.first,
        "decided": len(decided),
        "skipped": [cycle for cycle in lost if cycle not in excused],
        "given_up_for_want_of_a_majority": [cycle for cycle in lost if cycle in excused],
        "doubled": sorted({*audit.doubled, *(c for c, often in times.items() if often > 1)}),
        "broken_chain": _chain_of(found.lines) != found.chain,
        "late_s": {
            "median": round(median(late_s.values()), 3) if late_s else None,
            "above_a_period": sum(each > PERIOD_S for each in late_s.values()),
            "most": round(max(late_s.values(), default=0.0), 2),
            "most_but_for_outages": round(
                max((s for cycle, s in late_s.items() if cycle not in excused), default=0.0), 2
            ),
        },
    }


def _excused(blows: Iterable[Blow]) -> set[int]:
    """Return the cycles whose time to be decided met an outage of the majority."""
    period_ns, reach_ns = round(PERIOD_S * NS), round(CATCH_UP_S * NS)
    found: set[int] = set()
    for each in blows:
        if each.fault in OUTAGES:
            first = (each.at_ns - reach_ns) // period_ns + 1
            found |= set(range(first, each.mended_ns // period_ns + 1))
    return found


def _chain_of(lines: Iterable[Line]) -> str:
    chain = ""
    for line in lines:
        if line.kind == "decide":
            chain = next_link(chain, line.cycle, bytes(line.inputs))
    return chain


def orders_of(found: Found) -> dict[str, Any]:
    """Return what became of the orders, by both accounts."""
    done = found.counts.done
    contradicted = [
        f"{name}: {end}, carried out {done.get(name, 0)} times"
        for name, end in found.ends.items()
        if (end == CONFIRMED) != bool(done.get(name)) and end in {CONFIRMED, *ENDED_OTHERWISE}
    ]
    unknown = [name for name, end in found.ends.items() if end not in {CONFIRMED, *ENDED_OTHERWISE}]
    nobody = [name for name in done if name not in found.ends and name not in found.waiting]
    doubtful, unproven = doubtful_in(found.lines)
    settled = {f"{book}-{found.last + extra}" for book in BOOKS for extra in range(3)}
    return {
        "ended": len(found.ends),
        "carried_out": len(done),
        "sent_again": sum(often - 1 for often in found.counts.arrived.values()),
        "refused_as_known": found.counts.known,
        "doubled": [name for name, often in done.items() if often > 1],
        "contradicted": contradicted + [f"{name}: nobody decided it" for name in nobody],
        "not_carried_out": [name for name in found.ends if not done.get(name)],
        "unknown": unknown,
        "in_doubt_for_a_while": doubtful,
        "of_them_unproven": unproven,
        "waiting": [name for name in found.waiting if name not in settled],
    }


def takeovers_of(lines: Iterable[Line], blows: Iterable[Blow]) -> dict[str, list[float]]:
    """Return the seconds from each blow against an owner to the next owner's first commit."""
    seizes = [each for each in lines if each.kind == "seize"]
    found: dict[str, list[float]] = {}
    for blow in (each for each in blows if each.fault in OF_OWNER):
        until = next((each for each in seizes if each.epoch == blow.epoch + 1), None)
        if until is not None and blow.met and until.at_ms * MS >= blow.at_ns:
            seconds = (until.at_ms * MS - blow.at_ns) / NS
            found.setdefault(blow.fault, []).append(seconds)
    return found


def unstruck_in(lines: Iterable[Line], blows: Iterable[Blow]) -> int:
    """Return how many owners were seized from although nobody had struck them."""
    struck = {each.epoch + 1 for each in blows if each.fault in OF_OWNER and each.met}
    seizes = [each for each in lines if each.kind == "seize"]
    return sum(each.epoch not in struck for each in seizes[1:])


def takes_of(lines: Iterable[Line]) -> dict[str, Any]:
    """Return the planned takeovers, and how long before its boundary each was.

    One of an owner that was behind already, and stepped aside for it, comes when it comes.
    """
    takes, settled_ms = [], 0.0
    for each in lines:
        settled_ms = each.at_ms if each.kind == "settle" else settled_ms
        if each.kind == "take" and settled_ms <= (each.scheduled_ms or 0.0):
            takes.append(each)
    early_ms = [(each.scheduled_ms or 0.0) - each.at_ms for each in takes]
    return {
        "planned": len(takes),
        "late": [each.cycle for each, ms in zip(takes, early_ms, strict=True) if ms <= 0],
        "least_before_its_boundary_s": round(min(early_ms, default=0.0) / 1000, 2),
    }


def _within(seconds: Iterable[float], limit_s: float) -> dict[str, Any]:
    measured = sorted(seconds)
    return {
        "limit_s": limit_s,
        "times": len(measured),
        "most_s": round(measured[-1], 2) if measured else None,
        "within": all(each <= limit_s for each in measured),
    }
