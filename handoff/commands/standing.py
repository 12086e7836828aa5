"""How an installation stands, in one sentence that is true.

Owns the facts that the sentence is made of, and its words. Nobody may conclude from it that
something decides that does not: stopped, never started, baking and owned by nobody each have words
of their own. No file, clock or process enters here.
"""

from __future__ import annotations

import msgspec

from handoff.plurals import counted

LATE_S_MIN = 5.0  # less is the time that a look takes


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at one moment.

    Attributes:
        running: A launcher answers.
        stopping: It was asked to stop.
        started: There is a record.
        release: The newest owner's release, or an empty string.
        worker: Pid of the owner that the record names; 0 for none.
        lives: That process is not proven dead.
        cycle: The newest cycle; None where none was decided.
        settled: Nothing of it is under way.
        late_s: How long ago the next cycle should have begun, seconds; 0 where it is not due.
        catches_up: The owner came to it late, and has not had its time yet.
        clean: Clean cycles of a bake so far.
        of: How many it needs; 0 where nothing bakes.
        promoted: The next clean cycle is its last, by an operator's word.
        lacks: It gets too little of the world for a clean one.
        paused: Nothing new is taken on.
        halted: Nothing at all is sent.
        away: When the record went out of reach, in words; empty while it is within reach.
        host: The owner's, where that is another one than this; empty otherwise.
        put_back: Why its etcd is taken to be put back from a copy; empty where it is not.
        other_account: Why this host may not act for its etcd's record; empty where it may.
    """

    running: bool = False
    stopping: bool = False
    started: bool = False
    release: str = ""
    worker: int = 0
    lives: bool = False
    cycle: int | None = None
    settled: bool = True
    late_s: float = 0.0
    catches_up: bool = False
    clean: int = 0
    of: int = 0
    promoted: bool = False
    lacks: bool = False
    paused: bool = False
    halted: bool = False
    away: str = ""
    host: str = ""
    put_back: str = ""
    other_account: str = ""

    @property
    def owner(self) -> str:
        """The newest owner's release, and its host where that is another one."""
        return f"{self.release} on {self.host}" if self.host else self.release

    @property
    def is_owned(self) -> bool:
        """Whether somebody may decide the next cycle, and lives."""
        return self.worker != 0 and self.lives


def sentence(standing: Standing) -> str:
    """Return how it stands, as one sentence, and a second one where a wish holds."""
    first = _away(standing) if standing.running and standing.away else _first(standing)
    return " ".join(
        filter(None, (first, _put_back(standing), _other_account(standing), _wish(standing)))
    )


def _first(now: Standing) -> str:  # noqa: PLR0911 - one sentence for each way of standing
    if not now.running:
        return _without_launcher(now)
    if not now.started or now.cycle is None:
        return "It is starting: nobody has decided a cycle yet."
    if not now.is_owned:
        return f"Nobody owns: the launcher runs, and no worker decides. {_last(now)}"
    if now.stopping:
        return f"It is stopping: {now.owner} {_goes_on(now)} cycle {now.cycle}."
    if now.late_s >= LATE_S_MIN:
        late = f"cycle {now.cycle + 1} should have begun {now.late_s:.0f} s ago"
        how = "catches up" if now.catches_up else "is late"
        return f"{now.owner} owns and {how}: {late}."
    if now.promoted:
        return f"{now.owner} decides and bakes: {_promoted(now)}."
    if now.of:
        bake = bake_words(now.clean, now.of)
        return f"{now.owner} decides and bakes: {bake}, the way back is kept."
    return f"{now.owner} decides: cycle {now.cycle} is {_phase(now)}."


def bake_words(clean: int, of: int) -> str:
    """Return how far a bake has come, in words."""
    if is_promoted(clean, of):
        return f"{counted(clean, 'clean cycle')}, promoted: the next one is the last"
    return f"{clean} of {counted(of, 'clean cycle')}"


def is_promoted(clean: int, of: int) -> bool:
    """Tell whether a bake under way lasts only because an operator ended it: none is done else."""
    return clean >= of


def _promoted(now: Standing) -> str:
    if now.lacks:
        return "it was promoted, but its inputs fail: no cycle is clean"
    return "it was promoted, and its next clean cycle makes it permanent"


def _without_launcher(now: Standing) -> str:
    if not now.started:
        return "It was never started: there is no record."
    if now.is_owned and now.host:
        return f"No launcher runs here. {now.owner} decided last, as far as this host knows."
    if now.is_owned:
        who = f"{now.release} goes on without one as pid {now.worker}"
        return f"No launcher runs; {who}, and nobody starts it again."
    return f"It is stopped. {_last(now)}"


def _goes_on(now: Standing) -> str:
    return "is at" if now.host else "finishes"


def _last(now: Standing) -> str:
    if now.cycle is None or not now.release:
        return "No cycle was decided yet."
    return f"Cycle {now.cycle}, {_phase(now)}, was the last, by {now.release}."


def _phase(now: Standing) -> str:
    return "settled" if now.settled else "under way"


def _away(now: Standing) -> str:
    """Return what is true while nobody can look: nothing of it says that somebody is dead."""
    stopping = "It is stopping. " if now.stopping else ""
    away = f"The etcd with its record is out of reach since {now.away}"
    return f"{stopping}{away}: this host decides nothing. As last known: {_known(now)}"


def _known(now: Standing) -> str:
    if not now.started or now.cycle is None:
        return "no cycle was decided yet."
    who = f", {now.owner} owns" if now.worker else ", nobody owns"
    return f"cycle {now.cycle} is {_phase(now)}{who}."


def _put_back(now: Standing) -> str:
    if not now.put_back:
        return ""
    remedy = "stop the launchers of all hosts, then run `state repair` on each of them"
    return f"The {now.put_back}. Nothing is decided or started until it is repaired: {remedy}."


def _other_account(now: Standing) -> str:
    if not now.other_account:
        return ""
    remedy = "name the same account on every host, or `etcdctl del` that key while nobody owns"
    return f"Nobody is started here, for {now.other_account}: {remedy}."


def _wish(now: Standing) -> str:
    if not now.started:
        return ""
    if now.halted:
        return "It is halted: nothing at all is sent."
    return "It is paused: nothing new is taken on." if now.paused else ""
