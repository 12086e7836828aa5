"""Replay with other code: recorded cycles decided once more, and what comes out otherwise.

Owns what passes from the release that runs to the one that wants to, the walk that makes it,
and the comparison. The running release's own code leads from checkpoint to checkpoint; what
it does not lead to again, it did not decide from its arguments alone. Bodies may differ
between releases, effects are what the world sees: they are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from handoff.deciding import cycle_of, decide_once, encode_bodies, inputs_of, shape_fault
from handoff.errors import NotComparable, WorkloadFaulty
from handoff.replay.appraisal import Aftermath, appraisal_words
from handoff.workload import Appraisal, Cycle, Workload
from state.cycle_audit import effective
from state.errors import SchemaMismatch
from state.open_struct import decode_open, encode_open
from state.record import EMPTY_BODY, Effect, Record, body_digest, encode_record
from state.recovery import assemble
from state.store import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from handoff.cadence import Schedule
    from state.journal_frames import Line

REPLAY_FORMAT: Final = 1
EXAMPLES_MAX: Final = 5  # of each sort; the rest is counted
WORDS_MAX: Final = 300  # of one example: a payload may be long
_EMPTY: Final = msgspec.Raw(EMPTY_BODY)


class Origin(msgspec.Struct, frozen=True, kw_only=True, tag="origin"):
    """The release that runs: what it says before its cycles.

    Attributes:
        format: Version of these messages.
        release: Its id.
        effect_kinds: Version of the payload of each kind of effect that it declares.
    """

    format: int = REPLAY_FORMAT
    release: str
    effect_kinds: dict[str, int] = {}


class Recorded(msgspec.Struct, frozen=True, kw_only=True, tag="cycle"):
    """A cycle as it was decided, with everything needed to decide it again.

    Attributes:
        cycle: As the application saw it.
        before: The record before it, body included.
        inputs: What was observed.
        inputs_schema: Version of the inputs' schema.
        unavailable: Why there were no inputs, or an empty string.
        effects: What was decided.
        body_digest: Digest of the body that was decided.
        impure: Why the release that decided it does not decide it again alike, or empty.
    """

    cycle: Cycle
    before: msgspec.Raw
    inputs: msgspec.Raw = _EMPTY
    inputs_schema: int = 0
    unavailable: str = ""
    effects: tuple[Effect, ...] = ()
    body_digest: str = ""
    impure: str = ""


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """A recorded cycle with no body to start from."""

    cycle: int


Message = Origin | Recorded | Lost


class Example(msgspec.Struct, frozen=True):
    """One cycle that shows what the counts are about."""

    cycle: int
    words: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found.

    Attributes:
        release: Whose cycles they are.
        cycles: Decided again.
        lost: Not decided again: no body to start from.
        differ: Cycles with other effects.
        raised: Cycles that this code cannot decide at all.
        incomparable: Cycles beside those, whose record lacks what this code asks for.
        impure: Cycles that the code that decided them does not decide again alike.
        bodies: Cycles with the same effects and another body.
        differing: The first of those that differ.
        raising: The first of those that raise.
        impurities: The first of those that are not pure.
        strange_kinds: Effects that this code declares and the other does not know.
        kinds_known: Whether the other one declares its effects at all.
        appraisal: What the differing effects would have come to, in numbers or in words;
            empty where the application cannot say, or an older release's engine compared.
    """

    release: str = ""
    cycles: int = 0
    lost: int = 0
    differ: int = 0
    raised: int = 0
    impure: int = 0
    bodies: int = 0
    differing: tuple[Example, ...] = ()
    raising: tuple[Example, ...] = ()
    impurities: tuple[Example, ...] = ()
    strange_kinds: tuple[str, ...] = ()
    kinds_known: bool = False
    appraisal: Appraisal | str = ""
    incomparable: int = 0


def origin_of(workload: Workload[Any, Any], release: str) -> Origin:
    """Return what a release says of itself."""
    return Origin(release=release, effect_kinds=_kinds(workload))


def recorded_cycles(
    lines: Iterable[Line],
    workload: Workload[Any, Any],
    schedule: Schedule,
    *,
    release: str,
    first: int,
) -> Iterator[Recorded | Lost]:
    """Yield recorded cycles with their bodies, decided again by the release's own code.

    Args:
        lines: A run of lines, oldest first, from a checkpoint before `first` on.
        workload: The running release's application.
        schedule: Its boundaries.
        release: Its id: cycles of other releases cannot prove anything about it.
        first: First cycle that is wanted.
    """
    record: Record | None = None
    for line in effective(lines):
        if line.kind != "decide":
            record = assemble(line, record)
            continue
        before, record = record, None
        if before is not None:
            recorded, record = _replayed(workload, schedule, before, line)
            if line.cycle >= first:
                # Another release may well have decided otherwise.
                yield recorded if line.release == release else replace(recorded, impure="")
        elif line.cycle >= first:
            yield Lost(line.cycle)
        record = record or assemble(line, None)


def recorded_of(before: Record, line: Line, schedule: Schedule) -> Recorded:
    """Return a cycle as its line tells it.

    Args:
        before: The record before it, proven to be its parent, body included.
        line: Its decide line.
        schedule: The boundaries.
    """
    outbox = decode_open(line.header, Record).outbox
    return Recorded(
        cycle=cycle_of(before, line.cycle, schedule, release=line.release),
        before=msgspec.Raw(encode_open(before)),
        inputs=line.inputs,
        inputs_schema=line.inputs_schema,
        unavailable=line.unavailable,
        effects=tuple(each for each in outbox if each.cycle == line.cycle),
        body_digest=line.body_digest,
    )


def compare(messages: Iterable[Message], workload: Workload[Any, Any]) -> Comparison:
    """Replay recorded cycles with this code; return how far it decides alike."""
    found, aftermath = Comparison(), Aftermath(workload)
    for message in messages:
        match message:
            case Origin():
                strange = _strange_kinds(_kinds(workload), message.effect_kinds)
                found = replace(
                    found,
                    release=message.release,
                    strange_kinds=strange,
                    kinds_known=bool(message.effect_kinds),
                )
            case Lost():
                found = replace(found, lost=found.lost + 1)
            case Recorded():
                again = replay_cycle(workload, message)
                found = count(found, message, again)
                if not again.raised and not again.incomparable:
                    _add(aftermath, message, again)
    return replace(found, appraisal=aftermath.appraisal())


class ReplayedCycle(msgspec.Struct, frozen=True, kw_only=True):
    """How a recorded cycle came out again: it raised, it differs, or it is the same.

    Attributes:
        raised: Why it cannot be decided, or empty.
        incomparable: What the record lacks to decide it, or empty: nothing speaks against it.
        difference: How its effects differ, or empty.
        same_body: The body came out the same, to the byte.
        effects: What is wanted now; nothing if it raised.
    """

    raised: str = ""
    incomparable: str = ""
    difference: str = ""
    same_body: bool = False
    effects: tuple[Effect, ...] = ()


def replay_cycle(workload: Workload[Any, Any], recorded: Recorded) -> ReplayedCycle:
    """Decide one recorded cycle again with this code; return how it came out."""
    before = decode_open(recorded.before, Record)
    known = workload.body.schema_id
    try:
        shape = shape_fault(known, before.schema)
        if shape:
            return ReplayedCycle(raised=shape)
        inputs = inputs_of(workload, _note(recorded))
        decision = decide_once(workload, before, recorded.cycle, inputs)
        body, _ = encode_bodies(workload, before, decision.body)
    except NotComparable as lacking:
        return ReplayedCycle(incomparable=str(lacking))
    except (WorkloadFaulty, SchemaMismatch) as error:
        return ReplayedCycle(raised=str(error))
    again = replace(before, body=body)
    return ReplayedCycle(
        difference=difference(recorded.effects, decision.effects),
        same_body=body_digest(again) == recorded.body_digest,
        effects=tuple(decision.effects),
    )


def count(found: Comparison, recorded: Recorded, again: ReplayedCycle) -> Comparison:
    """Return a comparison with one more cycle."""
    number = recorded.cycle.number
    if again.incomparable:
        found = replace(found, incomparable=found.incomparable + 1)
    else:
        found = replace(found, cycles=found.cycles + 1)
    if recorded.impure:
        impurities = _with(found.impurities, number, recorded.impure)
        found = replace(found, impure=found.impure + 1, impurities=impurities)
    if again.incomparable:
        return found
    if again.raised:
        raising = _with(found.raising, number, again.raised)
        return replace(found, raised=found.raised + 1, raising=raising)
    if again.difference:
        differing = _with(found.differing, number, again.difference)
        return replace(found, differ=found.differ + 1, differing=differing)
    return found if again.same_body else replace(found, bodies=found.bodies + 1)


def refusal_of(found: Comparison, *, differ_max: float) -> str:
    """Return why a comparison speaks against the code that was compared, or an empty string.

    Args:
        found: What a replay found.
        differ_max: Largest share of differing cycles, 0 to 1; a cycle that cannot be decided
            speaks against it whatever the share.
    """
    assert 0.0 <= differ_max <= 1.0
    if found.raised:
        first = found.raising[0]
        counted = f"{found.raised} of {found.cycles} recorded cycles cannot be decided"
    elif found.differ > differ_max * found.cycles:
        first = found.differing[0]
        share = f"{found.differ / found.cycles:.0%}, at most {differ_max:.0%}"
        counted = f"{found.differ} of {found.cycles} recorded cycles are decided otherwise"
        counted = f"{counted} ({share})"
    else:
        return ""
    return f"{counted}; cycle {first.cycle}: {first.words}"


def impurity_of(found: Comparison) -> str:
    """Return why the code that decided the cycles is not pure, or an empty string."""
    if not found.impure:
        return ""
    first = found.impurities[0]
    counted = f"it decides {found.impure} of {found.cycles} recorded cycles otherwise than it did"
    return f"{found.release} is not pure: {counted}; cycle {first.cycle}: {first.words}"


def words_of(found: Comparison) -> str:
    """Return a comparison in one line."""
    appraised = appraisal_words(found.appraisal)
    differ = f"{found.differ} differ ({appraised})" if appraised else f"{found.differ} differ"
    words = [f"{found.cycles} cycles, {differ}"]
    if found.bodies:
        words.append(f"{found.bodies} lead to another body only")
    if found.raised:
        words.append(f"{found.raised} cannot be decided")
    if found.impure:
        words.append(f"{found.impure} not pure in the running release")
    if found.incomparable:
        words.append(f"{found.incomparable} not comparable: they ask for what was not read then")
    if found.lost:
        words.append(f"{found.lost} without a body to start from")
    examples = [f"cycle {each.cycle}: {each.words}" for each in found.differing]
    return "; ".join([", ".join(words), *examples])


def difference(decided: Sequence[Effect], again: Sequence[Effect]) -> str:
    """Return how two decisions differ in what they want done, or an empty string."""
    before = {each.effect_id: _plain(each) for each in decided}
    after = {each.effect_id: _plain(each) for each in again}
    words = [f"{before[name]['kind']} {name} is not wanted" for name in before if name not in after]
    words += [f"{after[name]['kind']} {name} is new" for name in after if name not in before]
    for name, old in before.items():
        new = after.get(name, old)
        changed = (field for field in old if old[field] != new[field])
        words += [f"{field} of {name} was {old[field]!r}, is {new[field]!r}" for field in changed]
    if not words and list(before) != list(after):
        words.append("the same effects in another order")
    return "; ".join(words)


def _replayed(
    workload: Workload[Any, Any], schedule: Schedule, before: Record, line: Line
) -> tuple[Recorded, Record | None]:
    """Return a cycle as it was recorded, and the record after it if it came out alike."""
    recorded = recorded_of(before, line, schedule)
    try:
        decision = decide_once(workload, before, recorded.cycle, inputs_of(workload, line))
        body, fallback = encode_bodies(workload, before, decision.body)
    except (WorkloadFaulty, SchemaMismatch) as error:
        return replace(recorded, impure=str(error)), None
    wanted = difference(recorded.effects, decision.effects)
    after = replace(decode_open(line.header, Record), body=body, fallback=fallback)
    alike = encode_record(after)[1] == line.result
    reason = wanted or ("" if alike else "the same inputs lead to another body")
    return replace(recorded, impure=reason), after if alike else None


def _note(recorded: Recorded) -> Note:
    return Note(
        kind="decide",
        inputs=recorded.inputs,
        inputs_schema=recorded.inputs_schema,
        unavailable=recorded.unavailable,
    )


def _add(aftermath: Aftermath, recorded: Recorded, again: ReplayedCycle) -> None:
    aftermath.add(
        recorded.cycle,
        _note(recorded),
        before=recorded.before,
        decided=recorded.effects,
        wanted=again.effects,
        differs=bool(again.difference),
    )


def _plain(effect: Effect) -> dict[str, Any]:
    return {
        "kind": effect.kind,
        "payload": msgspec.json.decode(effect.payload),
        "schema_version": effect.schema_version,
        "delivery": effect.delivery.value,
        "lane": effect.lane,
        "after": effect.after,
        "not_after_ns": effect.not_after_ns,
    }


def _kinds(workload: Workload[Any, Any]) -> dict[str, int]:
    return {kind: each.schema_id.version for kind, each in workload.effect_kinds.items()}


def _strange_kinds(mine: dict[str, int], theirs: dict[str, int]) -> tuple[str, ...]:
    # Who declares nothing may know every kind: nothing can be said about it.
    if not theirs:
        return ()
    newer = (kind for kind, version in mine.items() if version > theirs.get(kind, 0))
    return tuple(f"{kind} version {mine[kind]}" for kind in sorted(newer))


def _with(examples: tuple[Example, ...], cycle: int, words: str) -> tuple[Example, ...]:
    if len(examples) >= EXAMPLES_MAX:
        return examples
    return (*examples, Example(cycle, words[:WORDS_MAX]))
