"""What deciding otherwise would have come to: asked of the application, and said in words.

Owns what is kept of a replay for that question, the guarded call, and the words of the answer.
What an effect is worth only the application knows; a fault of its appraisal is said and refuses
nobody. No file, process or clock enters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from handoff.deciding import inputs_of
from handoff.outside import words_of
from handoff.workload import Appraisal, Cycle, TwiceDecided, Workload
from state.open_struct import decode_open
from state.record import Effect, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from state.store import Note

WORDS_MAX: Final = 300  # of an application: its words end up in a line of the history
_CENT_MICRO: Final = 10_000


class _Kept(NamedTuple):
    cycle: Cycle
    note: Note
    decided: tuple[Effect, ...]
    wanted: tuple[Effect, ...]


class Aftermath:
    """The cycles of a replay from the first one that differs on.

    Inputs are kept as they were told and decoded when they are asked for. Of the bodies only the
    first is kept: they are as large as all inputs of an hour.

    Args:
        workload: The application that decides again.
    """

    def __init__(self, workload: Workload[Any, Any]) -> None:
        """Start without a cycle that differs."""
        self._workload = workload
        self._body: object = None
        self._kept: list[_Kept] = []

    def add(
        self,
        cycle: Cycle,
        note: Note,
        *,
        before: msgspec.Raw,
        decided: Sequence[Effect],
        wanted: Sequence[Effect],
        differs: bool,
    ) -> None:
        """Take in a cycle that this code could decide.

        Args:
            cycle: The cycle.
            note: Its inputs.
            before: The record before it, as it was told.
            decided: The effects that were decided.
            wanted: The effects that this code wants.
            differs: Whether the two are different.
        """
        if not self._kept:
            if not differs:
                return
            record = decode_open(before, Record)
            self._body = self._workload.body.decode(record.body, record.schema)
        # Raw JSON is a view of the message it came in: without a copy all bodies would be kept.
        apart = tuple(replace(each, payload=each.payload.copy()) for each in decided)
        kept = replace(note, inputs=note.inputs.copy())
        self._kept.append(_Kept(cycle, kept, apart, tuple(wanted)))

    def appraisal(self) -> Appraisal | str:
        """Return what the application says of it; no words where it cannot tell."""
        if not self._kept:
            return ""
        try:
            said = self._workload.appraise(self._body, self._cycles())
            # It crosses a pipe: what the other end could not read is this application's fault.
            said = msgspec.json.decode(msgspec.json.encode(said), type=Appraisal | str)
        except Exception as error:  # noqa: BLE001 - the application's code may raise anything
            said = f"appraise raised {words_of(error)}"
        return said[:WORDS_MAX] if isinstance(said, str) else said

    def _cycles(self) -> Iterator[TwiceDecided[Any]]:
        for each in self._kept:
            inputs = inputs_of(self._workload, each.note)
            yield TwiceDecided(
                cycle=each.cycle, inputs=inputs, decided=each.decided, wanted=each.wanted
            )


def appraisal_words(said: Appraisal | str) -> str:
    """Return an appraisal in words, or an empty string where there is none."""
    if isinstance(said, str):
        return said
    if not said.more + said.fewer + said.changed:
        return f"no other {said.of}"
    counts = ((said.more, "more"), (said.fewer, "fewer"), (said.changed, "changed"))
    first, *others = [(count, how) for count, how in counts if count]
    words = [f"{first[0]} {first[1]} {said.of}", *(f"{count} {how}" for count, how in others)]
    return "; ".join([", ".join(words), *_earned(said)])


def _earned(said: Appraisal) -> list[str]:
    if not said.unit:
        return []
    words = ["what the difference would have earned cannot be said"]
    if said.judged:
        amount = f"{_amount(said.amount_micro)} {said.unit}"
        words = [f"the difference would have earned {amount} {said.basis}".rstrip()]
    if said.unended:
        words.append(f"{said.unended} not ended yet")
    if said.unjudged:
        words.append(f"{said.unjudged} cannot be judged")
    return [", ".join(words)]


def _amount(micro: int) -> str:
    # Rounded half away from zero, by whole numbers: an amount is exact up to here.
    cents = (2 * abs(micro) + _CENT_MICRO) // (2 * _CENT_MICRO)
    sign = "" if not cents else "-" if micro < 0 else "+"
    return f"{sign}{cents // 100}.{cents % 100:02d}"
