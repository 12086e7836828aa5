"""Break one rule of the protocol at a time and see that the simulation finds it.

Each mutant is one or more replacements of text in a copy of the tree; the simulation then runs
there, seed after seed, until it reports a violation. What it does not find within the bound would
be a rule that the simulation does not hold.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent.parent
COPIED: Final = ("state", "handoff", "tests/sim")
SEEDS_MAX: Final = 1000
TIMEOUT_S: Final = 900

TRANSITIONS: Final = "state/transitions.py"
BELIEF: Final = "handoff/believed_clock.py"
REQUIREMENTS: Final = "state/requirements.py"
OUTBOX: Final = "state/outbox.py"
ATTEMPTS: Final = "state/attempts.py"
FOLLOWER: Final = "handoff/worker/follower.py"
REQUESTS: Final = "handoff/worker/requests.py"
LANES: Final = "handoff/worker/lanes.py"
ABSENCE: Final = "state/absence.py"
WORKER: Final = "handoff/worker/life.py"
WARMING: Final = "handoff/worker/warming.py"
CYCLE: Final = "handoff/worker/cycle.py"
RECOVERY: Final = "state/recovery.py"
LIVENESS: Final = "handoff/liveness.py"
DISK: Final = "tests/sim/disk.py"
SUPERVISION: Final = "handoff/launcher/supervision.py"


class Edit(NamedTuple):
    """One replacement: the file, the text that is there once, what takes its place."""

    path: str
    source: str
    replacement: str


class Mutant(NamedTuple):
    """One broken rule."""

    name: str
    edits: tuple[Edit, ...]


def _one(name: str, path: str, source: str, replacement: str) -> Mutant:
    return Mutant(name, (Edit(path, source, replacement),))


MUTANTS: Final = (
    _one(
        "take does not compare its evidence",
        TRANSITIONS,
        "    require_evidence(record, seen)\n    require_other(record, candidate)\n",
        "    require_other(record, candidate)\n",
    ),
    _one(
        "seize does not compare its evidence",
        TRANSITIONS,
        "    require_evidence(record, seen)\n    require_other(record, worker)\n",
        "    require_other(record, worker)\n",
    ),
    _one(
        "decide does not compare the owner and its epoch",
        TRANSITIONS,
        "    require_owner(record, worker=worker, epoch=epoch)\n"
        "    require_next(record, cycle)\n    require_attempts_left(record)\n",
        "    require_next(record, cycle)\n    require_attempts_left(record)\n",
    ),
    _one(
        "settle does not compare the owner and its epoch",
        TRANSITIONS,
        "    require_owner(record, worker=worker, epoch=epoch)\n    require_in_hand(record, cycle)",
        "    require_in_hand(record, cycle)",
    ),
    _one(
        "the epoch stands still",
        TRANSITIONS,
        "epoch=held.epoch + 1,",
        "epoch=held.epoch,",
    ),
    _one(
        "having sent SIGKILL counts as death",
        FOLLOWER,
        "if self._watch_owner(owner).gone():",
        "if self._killed == owner or self._watch_owner(owner).gone():",
    ),
    _one(
        "an effect with an unknown outcome is sent again blindly",
        LANES,
        "return await self._ask_about(effect, may_send=not isinstance(answer, Pending))",
        "return await self._send_until(effect)",
    ),
    _one(
        "a doubtful effect is sent again",
        LANES,
        "            case Delivery.BY_ID:\n",
        "            case Delivery.BY_ID if effect.fate is Fate.DOUBTFUL:\n"
        "                return await self._send_until(effect)\n"
        "            case Delivery.BY_ID:\n",
    ),
    _one(
        "a new owner sends what the dead one planned without asking",
        LANES,
        "        if effect.fate is Fate.PLANNED and self._fresh:",
        "        if effect.fate is Fate.PLANNED:",
    ),
    Mutant(
        "a cycle settles without fates",
        (
            Edit(CYCLE, "fates=fates,", "fates={},"),
            Edit(
                OUTBOX,
                'raise Refused(Refusal.EFFECT_PENDING, f"{effect.effect_id} has no fate yet")',
                'return _receipt(effect, Outcome.EXPIRED, "")',
            ),
        ),
    ),
    _one(
        "the fallback is not written",
        TRANSITIONS,
        "fallback=fallback if record.rollout is not None else NO_FALLBACK,",
        "fallback=NO_FALLBACK,",
    ),
    _one(
        "absence is final although a request may be under way",
        ABSENCE,
        "(absence.quiet and not effect.unproven)",
        "(not effect.unproven)",
    ),
    _one(
        "what is absent is sent again although a request may be under way",
        ABSENCE,
        "        return final or absence.repeatable",
        "        return True",
    ),
    Mutant(
        "a take has no deadline, and the owner does not read before it decides",
        (
            Edit(REQUIREMENTS, "if now_ns >= deadline_ns:", "if now_ns < 0:"),
            Edit(FOLLOWER, "if parts.clock.now_ns() >= deadline_ns:", "if deadline_ns < 0:"),
            Edit(
                WORKER,
                "        # Read under the lock: a take in flight has landed now, a later one is too"
                " late.\n        return parts.store.read()",
                "        return record",
            ),
        ),
    ),
    Mutant(
        "a take with a cycle in hand: the old owner goes on performing",
        (
            Edit(
                TRANSITIONS,
                "    require_settled(record)\n    require_none_planned(record.outbox)\n"
                "    returning",
                "    returning",
            ),
            Edit(FOLLOWER, "if record.progress.phase is not Phase.SETTLED:", "if record is None:"),
        ),
    ),
    _one(
        "receipts are handed over twice",
        TRANSITIONS,
        "        receipts=(),",
        "        receipts=record.receipts,",
    ),
    _one(
        "a return keeps the bake",
        TRANSITIONS,
        "back = replace(record, ownership=ownership, rollout=None, fallback=NO_FALLBACK)",
        "back = replace(record, ownership=replace(record.ownership))",
    ),
    _one(
        "a candidate that seizes does not bake",
        TRANSITIONS,
        "if rollout is None or held.newest is None or held.release == worker.release:",
        "if rollout is None or held.newest is not None:",
    ),
    _one(
        "the previous release gets the body of the new one",
        TRANSITIONS,
        "return replace(back, schema=record.fallback.schema, body=record.fallback.body)",
        "return back",
    ),
    Mutant(
        "the bound of requests under way is counted on the wall clock",
        (
            Edit(
                REQUESTS,
                "self._owned_since_ns = clock.monotonic_ns()",
                "self._owned_since_ns = clock.now_ns()",
            ),
            Edit(
                REQUESTS,
                "self._sent_ns[effect.effect_id] = self._clock.monotonic_ns()",
                "self._sent_ns[effect.effect_id] = self._clock.now_ns()",
            ),
            Edit(
                REQUESTS,
                "self._asked_ns[effect.effect_id] = self._clock.monotonic_ns()",
                "self._asked_ns[effect.effect_id] = self._clock.now_ns()",
            ),
        ),
    ),
    Mutant(
        "an overdue owner without another standby is left alone",
        (
            Edit(
                SUPERVISION,
                "if overdue and len(overdue) == len(standbys):",
                "if overdue and len(overdue) > len(standbys):",
            ),
            Edit(
                SUPERVISION,
                "if overdue and _nobody_came(standbys, overdue[0], situation.now_s):",
                "if overdue and len(overdue) > len(standbys):",
            ),
        ),
    ),
    _one(
        "a line ahead of the record never happened",
        RECOVERY,
        "    if newest is None or newest.digest == last.parent:\n        return Standing.BEHIND\n",
        "    if newest is None or newest.digest == last.parent:\n        return Standing.BEYOND\n",
    ),
    _one(
        "an older record that was put back is decided upon",
        RECOVERY,
        "Standing.BEHIND if behind or is_earlier(newest) else Standing.BEYOND",
        "Standing.BEYOND",
    ),
    _one(
        "what is found decided after a restart counts as its own and unsent",
        WORKER,
        "record = await runner.finish(record, fresh=runner.is_unsent(record))",
        "record = await runner.finish(record, fresh=True)",
    ),
    _one(
        "one reading of the clock is believed",
        BELIEF,
        "    if abs(reading.offset_ns - belief.offset_ns) <= CLOCK_DIFFERENCE_NS_MAX:\n",
        "    if reading:\n",
    ),
    _one(
        "an owner is never overdue",
        FOLLOWER,
        "return waited_ns > schedule.bounds.overdue_ns and (",
        "return waited_ns < 0 and (",
    ),
    Mutant(
        "what a release sees is held against nobody's sight",
        (
            Edit(
                WARMING,
                "if is_candidate and not self._follower.is_known(parts.store.read()):",
                "if is_candidate and parts.store.read() is None:",
            ),
            Edit(
                FOLLOWER,
                "return (asked or bool(self._control_group.reason)) and",
                "return asked and",
            ),
        ),
    ),
    _one(
        "a cycle that kills its owners is tried for ever",
        ATTEMPTS,
        "    return record.progress.attempts >= ATTEMPTS_MAX",
        "    return record.progress.attempts > ATTEMPTS_MAX",
    ),
    _one(
        "who lives in another home counts as alive in this one",
        LIVENESS,
        "        return Judgement(Verdict.HERE) if here else Judgement(Verdict.COPY, seen.holds)",
        "        return Judgement(Verdict.HERE)",
    ),
    _one(
        "whoever ended in another home is not proven dead",
        LIVENESS,
        "return Judgement(Verdict.MOVED, _OTHER_HOME) if moved",
        "return Judgement(Verdict.UNPROVEN, _OTHER_HOME) if moved",
    ),
    _one(
        # What the simulation says of the engine's rule; `store_mutants` breaks the rule itself.
        "a forked helper keeps the record's lock",
        DISK,
        "        self.has_lock = False ",
        "        self.has_lock = True ",
    ),
    _one(
        "a release slower than its period is never bad",
        CYCLE,
        "if self._slow_cycles <= SLOW_CYCLES_MAX:",
        "if self._slow_cycles >= 0:",
    ),
)


def try_mutants(only: str | None, seeds: int | None) -> int:
    """Try the mutants; return 1 if one is not found.

    Args:
        only: Name of the mutant to try alone, or None.
        seeds: How many seeds to run at most; None means a thousand.
    """
    chosen = [mutant for mutant in MUTANTS if only in {None, mutant.name}]
    if not chosen:
        sys.stderr.write(f"no mutant is called {only!r}\n")
        return 2
    survivors = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda mutant: seeds_needed(mutant, seeds or SEEDS_MAX), chosen)
        for mutant, found in zip(chosen, results, strict=True):
            survivors += found is None
            verdict = "SURVIVED" if found is None else f"{found[0]:4} seeds"
            words = "" if found is None else f": {found[1]}"
            sys.stdout.write(f"{verdict}  {mutant.name}{words}\n")
            sys.stdout.flush()
    return 1 if survivors else 0


def seeds_needed(mutant: Mutant, seeds: int) -> tuple[int, str] | None:
    """Return how many seeds it took to find a mutant and what was found, or None.

    Raises:
        RuntimeError: The simulation did not run at all.
    """
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        tree = Path(name)
        for part in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, tree / part, ignore=ignored)
        for edit in mutant.edits:
            target = tree / edit.path
            text = applied(mutant, edit, target.read_text(encoding="utf-8"))
            target.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "tests.sim", "--jobs", "1", "--until-found"]
        done = subprocess.run(  # noqa: S603 - this interpreter, on a module of this folder
            [*command, "--seeds", str(seeds)],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    if done.returncode == 0:
        return None
    match = re.match(r"seed (\d+): (.*)", done.stdout)
    if match is None:
        message = f"{mutant.name}: the simulation did not run\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
    return int(match.group(1)), match.group(2)


def applied(mutant: Mutant, edit: Edit, text: str) -> str:
    """Return the mutated source.

    Raises:
        ValueError: The source does not hold the text to be replaced exactly once.
    """
    found = text.count(edit.source)
    if found != 1:
        message = f"{mutant.name}: {edit.source!r} occurs {found} times in {edit.path}"
        raise ValueError(message)
    return text.replace(edit.source, edit.replacement)
