"""Replay of a whole journal, each part by the release that decided it, one process after another.

Owns the parts into which a journal falls, the hand-over of the record from one release to the
next, and the processes. What a release finds is `handoff.replay.verify`'s, what the user hears is
the caller's.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from deploy import commands
from handoff.errors import ReleaseUnusable
from handoff.launcher.children import child_environment
from handoff.launcher.engine_config import EngineConfigInvalid, read_engine_config
from handoff.logs import last_words
from handoff.release_files import read_manifest
from handoff.replay.verify import Knowledge, Otherwise, Part, Verified
from state.cycle_audit import effective
from state.journal_reader import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMIT_S: Final = 3600.0  # 60 000 cycles at 60 ms; one release rarely has as many
AnswerT = TypeVar("AnswerT")


class Unanswered(msgspec.Struct, frozen=True):
    """A release that could not be asked, and why; its cycles are not decided again."""

    release: str
    reason: str


class ReplayedJournal(msgspec.Struct, frozen=True, kw_only=True):
    """What all releases together say of the journal.

    Attributes:
        checked: Cycles that came out alike.
        skipped: Cycles that were not decided again: no body to start from, or no release.
        deviations: Cycles that came out otherwise.
        unanswered: Releases that could not be asked.
    """

    checked: int = 0
    skipped: int = 0
    deviations: tuple[Otherwise, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()


def parts_of(journal: Path, since_cycle: int | None) -> Iterator[tuple[Part, int]]:
    """Yield the journal's parts, oldest first, with the number of cycles decided in each."""
    part: Part | None = None
    decided = 0
    for line in effective(read_lines(journal, since_cycle)):
        other = part is not None and line.kind == "decide" and line.release != part.release
        if part is not None and other and decided:
            yield part, decided
            part, decided = None, 0
        if part is None:
            first, cycle = line.seq, line.cycle
            part = Part(release="", first_seq=first, last_seq=first, since_cycle=cycle)
        # What stands before the first decision belongs to its release: the body is there.
        release = line.release if line.kind == "decide" else part.release
        part = msgspec.structs.replace(part, release=release, last_seq=line.seq)
        decided += line.kind == "decide"
    if part is not None and decided:
        yield part, decided


def replay_journal(
    home: Path,
    since_cycle: int | None,
    *,
    progress: Callable[[str], None],
    detail: Callable[[str], None],
) -> ReplayedJournal:
    """Replay every recorded cycle, each with the code of the release that decided it.

    Args:
        home: The state directory.
        since_cycle: The first cycle to decide again, or None for all that are recorded.
        progress: Told which release is at work.
        detail: Told how it is asked.

    Raises:
        JournalBroken: The journal does not hold.
    """
    found = ReplayedJournal()
    before = msgspec.Raw(b"null")
    for part, decided in parts_of(home / "journal", since_cycle):
        progress(f"{part.release}: {decided} cycles")
        told = msgspec.json.encode(msgspec.structs.replace(part, before=before))
        answer = ask(home, part.release, "verify", Verified, told=told, detail=detail)
        if isinstance(answer, Unanswered):
            unanswered = (*found.unanswered, answer)
            found = _more(found, skipped=found.skipped + decided, unanswered=unanswered)
            before = msgspec.Raw(b"null")
        else:
            found = _more(
                found,
                checked=found.checked + answer.checked,
                skipped=found.skipped + answer.skipped,
                deviations=found.deviations + answer.deviations,
            )
            before = answer.after
    return found


def knowledge_of(
    home: Path, release: str, *, detail: Callable[[str], None]
) -> Knowledge | Unanswered:
    """Ask a release which schemas it knows."""
    return ask(home, release, "knowledge", Knowledge, detail=detail)


def ask(
    home: Path,
    release: str,
    question: str,
    kind: type[AnswerT],
    *,
    told: bytes = b"",
    detail: Callable[[str], None],
) -> AnswerT | Unanswered:
    """Run one of a release's internal commands and return its answer."""
    try:
        manifest = read_manifest(home, release)
    except ReleaseUnusable as error:
        return Unanswered(release, str(error))
    program = manifest.program(question, "--home", str(home), "--release", release)
    detail(f"{release} is asked: {shlex.join(program)}")
    extra = [*engine_environment(home), *manifest.variables().items()]
    answer_file = home / "run" / f".{question}.{os.getpid()}"
    try:
        with answer_file.open("w+b") as into:
            done = commands.run(
                program,
                limit_s=LIMIT_S,
                environment=child_environment(extra),
                feed=told,
                into=into,
            )
            into.seek(0)
            answer = into.read()
    finally:
        answer_file.unlink(missing_ok=True)
    if done.code:
        return Unanswered(release, last_words(done.errors) or f"exit code {done.code}")
    return msgspec.json.decode(answer, type=kind)


def engine_environment(home: Path) -> tuple[tuple[str, str], ...]:
    """Return what an installation tells its workers, as it is kept; nothing where it never ran."""
    try:
        return read_engine_config(home).environment
    except EngineConfigInvalid:
        return ()  # it never ran here: a restored home


def _more(found: ReplayedJournal, **changes: Any) -> ReplayedJournal:  # noqa: ANN401 - its fields
    return msgspec.structs.replace(found, **changes)
