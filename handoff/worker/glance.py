"""Whether a release gets less of the world than another one did, or does beside it.

Owns the comparison: a release's own mistake (a wrong address, a missing file, a changed token) can
look like weather, so what one release gets is held against what another one gets of the same
cycles. Values in, values out; who observes is in `beside`, who asks in `control_group` and in
`observe_gate`.
"""

from __future__ import annotations

import statistics
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from state.heard import Heard, counting
from state.journal_frames import Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BASELINE_CYCLES: Final = 8  # their median: one bad cycle is no standard
GATE_TRIES_MAX: Final = 3  # that are evidence
GATE_TRIES_MIN: Final = 2  # fewer refuse nobody: one may be chance
BLAMED_CYCLES: Final = 2  # running: in one alone the world may have answered one and not the other
_NEWEST_LINES: Final = 64  # among them the owner's newest cycle, or nobody owns to speak of
_ROUNDING: Final = 1e-9  # of a share: 3 of 4 is not below 1.0 - 0.25


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """What one observation beside the owner got.

    Attributes:
        cycle: The cycle that was observed.
        health: How much of what was asked for was answered; None where the release raised.
        fault: What the release raised, in words, or an empty string.
        words: Why there were no inputs, or an empty string.
        seconds: How long it took.
        budget_s: How long it might have taken.
    """

    cycle: int
    health: Health | None = None
    fault: str = ""
    words: str = ""
    seconds: float = 0.0
    budget_s: float = 0.0

    @property
    def is_evidence(self) -> bool:
        """Whether it says anything: where nothing was asked, nothing was learnt."""
        return bool(self.fault) or (self.health is not None and self.health.asked > 0)


class Try(msgspec.Struct, frozen=True):
    """What a candidate got of a cycle, and what its owner got; None where nobody counted."""

    mine: Glance
    owner: Health | None


class Judged(msgspec.Struct, frozen=True):
    """What the gate says: whether the candidate may go on, and on what evidence."""

    passed: bool
    words: str


def share(health: Health) -> float:
    """Return the answered part, 0 to 1; where nothing was asked nothing is missing."""
    return health.answered / health.asked if health.asked else 1.0


def words_of(health: Health) -> str:
    """Return what was answered, in words."""
    return f"{health.answered} of {health.asked} answered"


def baseline(newest_first: Iterable[Heard], release: str) -> float | None:
    """Return the median share of a release's newest cycles; None where none says.

    Args:
        newest_first: The journal's lines.
        release: The release that decided them.
    """
    told = (
        share(line.health)
        for line in counting(newest_first)
        if line.kind == "decide" and line.release == release and line.health is not None
    )
    shares = list(islice(told, BASELINE_CYCLES))
    return statistics.median(shares) if shares else None


def decided(newest_first: Iterable[Heard], cycle: int) -> Heard | None:
    """Return the line in which a cycle was decided; None where there is none among the newest."""
    for line in counting(islice(newest_first, _NEWEST_LINES)):
        if line.kind == "decide" and line.cycle == cycle:
            return line
    return None


def newest_evidence(newest_first: Iterable[Heard], release: str) -> Heard | None:
    """Return a release's newest cycle in which anything was asked, among the newest lines."""
    for line in counting(islice(newest_first, _NEWEST_LINES)):
        if line.kind != "decide":
            continue
        if line.release != release:
            return None
        if line.unavailable or (line.health is not None and line.health.asked):
            return line
    return None


def is_low(mine: Health, reference: float, drop: float) -> bool:
    """Tell whether a share is further below another than it may be.

    Args:
        mine: What was asked and answered.
        reference: The share that it is held against, 0 to 1.
        drop: How far below it may be, 0 to 1.
    """
    return share(mine) < reference - drop - _ROUNDING


def is_lacking(line: Heard, usual: float | None, drop: float) -> bool:
    """Tell whether a decided cycle got too little to say anything of its release.

    Args:
        line: The cycle.
        usual: Median share that was got before, or None where nobody knows.
        drop: How far below it a share may lie, 0 to 1.
    """
    health = line.health
    if line.unavailable:
        return True
    if health is None or not health.asked:
        return False
    return not health.answered or (usual is not None and is_low(health, usual, drop))


def is_more(mine: Health, other: Health, drop: float) -> bool:
    """Tell whether a share is at least so much above another."""
    return share(mine) >= share(other) + drop - _ROUNDING and share(mine) > share(other)


def judge(tries: Sequence[Try], usual: float | None, *, drop: float, last: bool) -> Judged | None:
    """Return what the gate says of a candidate; None while another try may speak for it.

    A candidate passes as soon as one try is good, or as bad as the owner's.

    Args:
        tries: What it got, oldest first, without those that are no evidence.
        usual: Median share of the owner's newest cycles, or None where none says.
        drop: How far below the lower of the two it may be.
        last: No further try comes.
    """
    if not tries:
        return Judged(passed=True, words="nothing could be compared") if last else None
    newest = tries[-1]
    if not _is_bad(newest, usual, drop):
        return Judged(passed=True, words=_evidence(newest, usual, drop))
    faults = [each.mine.fault for each in tries]
    if len(tries) < GATE_TRIES_MAX and not last:
        return None
    if len(tries) < GATE_TRIES_MIN and not faults[-1]:
        words = f"{_evidence(newest, usual, drop)}; one try alone refuses nobody"
        return Judged(passed=True, words=words)
    return Judged(passed=False, words=f"in {len(tries)} tries {_evidence(newest, usual, drop)}")


def _is_bad(tried: Try, usual: float | None, drop: float) -> bool:
    if tried.mine.health is None:
        return True
    references = _references(tried, usual)
    return bool(references) and is_low(tried.mine.health, min(references), drop)


def _references(tried: Try, usual: float | None) -> list[float]:
    now = None if tried.owner is None else share(tried.owner)
    return [each for each in (now, usual) if each is not None]


def _evidence(tried: Try, usual: float | None, drop: float) -> str:
    mine = tried.mine
    if mine.health is None:
        return mine.fault
    took = f"in {mine.seconds:.2f} s, {mine.seconds / mine.budget_s:.0%} of the budget"
    got = f"{words_of(mine.health)} {took}"
    why = f" ({mine.words})" if mine.words else ""
    if not _references(tried, usual):
        return f"{got}{why}; there is nothing to compare it with"
    owner = "the owner's line does not say"
    if tried.owner is not None:
        owner = f"the owner had {words_of(tried.owner)}"
    median = "" if usual is None else f", {usual:.0%} in the median of its cycles"
    as_little = tried.owner is not None and usual is not None and is_low(mine.health, usual, drop)
    said = ""
    if as_little and not _is_bad(tried, usual, drop):
        said = ": it gets as little, so the bake will tell"
    return f"{got}{why}, {owner}{median}{said}"
