"""Asking a release: one of its internal commands, as a process with a question and an answer.

Owns the processes. What a journal's parts come to together is `handoff.replay.journal`'s, what
a release finds `handoff.replay.verify`'s, what the user hears the caller's.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from deploy import commands
from handoff.errors import ReleaseUnusable
from handoff.launcher.children import child_environment
from handoff.launcher.engine_config import EngineConfigInvalid, read_engine_config
from handoff.logs import last_words
from handoff.release_files import read_manifest
from handoff.replay.journal import Unanswered
from handoff.replay.verify import Knowledge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT_S: Final = 3600.0  # 60 000 cycles at 60 ms; one release rarely has as many
AnswerT = TypeVar("AnswerT")


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
