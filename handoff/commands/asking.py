"""Letting a release answer a question, where nothing above the engine is there to do it.

Owns the process: it reads what it is told from a file, answers into another one, and what it says
beside that is its last words.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Final

import msgspec

from handoff.errors import ReleaseUnusable
from handoff.launcher.children import child_environment
from handoff.launcher.engine_config import EngineConfigInvalid, read_engine_config
from handoff.logs import last_words
from handoff.processes import KILL, spawn
from handoff.release_files import read_manifest
from handoff.replay.journal import Unanswered
from handoff.replay.verify import Verified

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S: Final = 3600.0  # 60 000 cycles at 60 ms; one release rarely has as many
KILLED_S_MAX: Final = 5.0


def ask_to_verify(home: Path, release: str, told: bytes) -> Verified | Unanswered:
    """Let a release decide its part of the journal again.

    Args:
        home: The state directory.
        release: The release.
        told: The part, as JSON.
    """
    try:
        manifest = read_manifest(home, release)
    except ReleaseUnusable as error:
        return Unanswered(release, str(error))
    program = manifest.program("verify", "--home", str(home), "--release", release)
    environment = child_environment([*_environment(home), *manifest.variables().items()])
    with (
        tempfile.TemporaryFile() as question,
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as words,
    ):
        question.write(told)
        question.seek(0)
        child = spawn(
            program,
            environment=environment,
            output=words.fileno(),
            keep={0: question.fileno(), 1: answer.fileno()},
        )
        if not child.wait(LIMIT_S):
            child.send(KILL)
            child.wait(KILLED_S_MAX)
        ended = child.reap()
        child.close()
        if ended is None or ended.signal or ended.status:
            words.seek(0)
            said = last_words(words.read())
            return Unanswered(release, said or (ended.words() if ended else "it took too long"))
        size = os.fstat(answer.fileno()).st_size
        return msgspec.json.decode(os.pread(answer.fileno(), size, 0), type=Verified)


def _environment(home: Path) -> tuple[tuple[str, str], ...]:
    try:
        return read_engine_config(home).environment
    except EngineConfigInvalid:
        return ()  # it never ran here
