"""The verdict on a home after a fault: what is torn, lost or doubled, by everything there is.

The record's digest, the journal's chain, the count of cycles, the hash chain in the body, the
replay of every recorded cycle, the commits that were acknowledged and the effects that
were sent must all agree.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from state.cycle_audit import audit_cycles, effective
from state.errors import JournalBroken, StateUnusable
from state.journal_frames import GENESIS, Line
from state.journal_reader import read_lines, verify_chain
from state.open_struct import decode_open
from state.record import Record
from state.record_file import RECORD, read_generation
from state.replay import replay_lines
from tests.crash.victim import chain_after, chain_in, decided_again, nonce_of

if TYPE_CHECKING:
    from pathlib import Path

    from state.commit import Generation


class Verdict(NamedTuple):
    """What is wrong, in words; nothing anywhere is what must come out."""

    torn: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return not (self.torn or self.lost or self.doubled)


def judge(home: Path, acks: Path, *, lied: bool = False) -> Verdict:
    """Judge a home in which a survivor has finished what was in hand.

    Args:
        home: The home.
        acks: What was told outside.
        lied: The disk said that it had written what it had not. The journal may then have a
            gap, and has to say so; the record must hold all that was acknowledged.
    """
    try:
        found = read_generation(home / "state" / RECORD)
        if lied and _has_gap(home):
            return _reached(found, _told(acks))
        verify_chain(home / "journal", digest=found.digest, cycle=found.record.progress.cycle)
        lines = list(effective(read_lines(home / "journal")))
    except StateUnusable as error:
        return Verdict(torn=(str(error),))
    told = _told(acks)
    # What retention removed cannot be asked any more; what the fault was about is kept.
    recent = told if lines[0].kind == GENESIS else told[told.index(["begin"]) :]
    return Verdict(
        torn=tuple(_torn(found, lines)),
        lost=tuple(_lost(lines, told, recent)),
        doubled=tuple(_doubled(lines, told, recent)),
    )


def _has_gap(home: Path) -> bool:
    try:
        return bool(audit_cycles(read_lines(home / "journal")).gaps)
    except JournalBroken:
        return True  # said, and at its place


def _reached(found: Generation, told: list[list[str]]) -> Verdict:
    """Compare the body alone with what was acknowledged: as many links as decisions.

    Who was killed may have landed one that it never came to acknowledge.
    """
    decisions = [words for words in told if words[0] == "done" and words[1].startswith("decide")]
    lives = [words[0] for words in told if words[0] in {"begin", "end"}]
    deaths = sum(each == ("begin", "begin") for each in pairwise(lives))
    wrong = len(decisions) - chain_in(found.record.body)[1]
    lost = (f"{wrong} decisions are not in the body",) if wrong > 0 else ()
    doubled = (f"{-wrong} decisions too many",) if -wrong > deaths else ()
    return Verdict(lost=lost, doubled=doubled)


def _told(acks: Path) -> list[list[str]]:
    if not acks.exists():
        return []
    return [line.split(" ") for line in acks.read_text(encoding="ascii").splitlines()]


def _torn(found: Generation, lines: list[Line]) -> list[str]:
    wrong = [] if lines[-1].result == found.digest else ["the journal ends elsewhere"]
    again = replay_lines(lines, decided_again)
    wrong += [f"cycle {each.cycle} comes out differently" for each in again.deviations]
    whole = lines[0].kind == GENESIS
    if whole and again.skipped:
        wrong.append(f"{again.skipped} cycles cannot be replayed")
    chain, links = "", 0
    for line in lines:
        if line.kind == "decide":
            chain, links = chain_after(chain, line.cycle, nonce_of(line)), links + 1
    if whole and chain_in(found.record.body) != (chain, links):
        wrong.append("the body's chain is not the one of the recorded inputs")
    return wrong


def _lost(lines: list[Line], told: list[list[str]], recent: list[list[str]]) -> list[str]:
    report = audit_cycles(lines)
    wrong = [f"cycles {each.first} to {each.last} are missing" for each in report.missing]
    wrong += [f"cycle {cycle} was never settled" for cycle in report.unsettled]
    wrong += [f"gap at cycle {gap.cycle}" for gap in report.gaps]
    happened = {line.attempt for line in lines}
    wrong += [f"{each} was acknowledged" for each in _words(recent, "done") if each not in happened]
    sent = set(_words(told, "sent"))
    return [*wrong, *(f"{each} was never sent" for each in _settled_effects(lines) - sent)]


def _doubled(lines: list[Line], told: list[list[str]], recent: list[list[str]]) -> list[str]:
    wrong = [f"cycle {cycle} was run twice" for cycle in audit_cycles(lines).doubled]
    attempts = Counter(line.attempt for line in lines if line.kind in {"decide", "settle"})
    wrong += [f"{each} happened {count} times" for each, count in attempts.items() if count > 1]
    sent = Counter(_words(told, "sent"))
    wrong += [f"{each} was sent {count} times" for each, count in sent.items() if count > 1]
    stray = set(_words(recent, "sent")) - _decided_effects(lines)
    wrong += [f"{each} was sent, its decision never happened" for each in stray]
    failed = set(_words(recent, "failed")) & {line.attempt for line in lines}
    return [*wrong, *(f"{each} was refused and happened" for each in failed)]


def _words(told: list[list[str]], kind: str) -> list[str]:
    return [words[1] for words in told if words[0] == kind]


def _decided_effects(lines: list[Line]) -> set[str]:
    return {each for line in lines if line.kind == "decide" for each in _effects(line)}


def _settled_effects(lines: list[Line]) -> set[str]:
    settled = {line.cycle for line in lines if line.kind == "settle"}
    decides = [line for line in lines if line.kind == "decide" and line.cycle in settled]
    return {each for line in decides for each in _effects(line)}


def _effects(line: Line) -> list[str]:
    outbox = decode_open(line.header, Record).outbox
    return [each.effect_id for each in outbox if each.cycle == line.cycle]
