"""One cycle of a program, tried on the spot: it observes and decides, and nothing is sent.

Owns the trial. The program runs in this process, from the directory that is edited; no launcher,
no record and no release is needed. Where a home is named, it decides upon the body that is there.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from handoff.application import load_workload
from handoff.cadence import Schedule
from handoff.deciding import cycle_of, decide_once, encode_bodies, inputs_of
from handoff.entry import NotThere, refuse_no_module, refuse_no_tree
from handoff.errors import HandoffError, WorkloadFaulty
from handoff.logs import last_words
from handoff.loops.decorator import Loop
from handoff.loops.trial import loop_in
from handoff.outside import words_of
from handoff.release_files import Manifest
from handoff.tree_snapshot import engine_paths
from handoff.worker.observing import observe_once
from handoff.workload import Unavailable
from state.record import Progress, Record
from state.store import Note

if TYPE_CHECKING:
    from handoff.workload import Decision, Workload

CREATE = "create"  # the factory of a module where none is said
TRIED = "tried"  # the release's name: it is none


class ProgramBroken(HandoffError):
    """The program cannot be loaded; the text says where."""

    hint = "correct it and try again"


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What one cycle came to.

    Attributes:
        cycle: Its number.
        unavailable: Why there were no inputs, or an empty string.
        inputs: As they would be recorded.
        body_before: The body that it was decided upon.
        body: The body from then on.
        effects: What it wants done; nothing of it was.
    """

    cycle: int
    unavailable: str = ""
    inputs: msgspec.Raw = msgspec.Raw(b"null")
    body_before: msgspec.Raw = msgspec.Raw(b"null")
    body: msgspec.Raw = msgspec.Raw(b"null")
    effects: tuple[dict[str, Any], ...] = ()


def program_of(named: str, tree: Path | None) -> tuple[Path, str]:
    """Return the tree and the entry of a program that is named by a file or by its entry.

    Args:
        named: `module:name`, or the path of a module, perhaps with `:factory` behind it; no
            factory is the module's `create`, or its one loop.
        tree: The directory with the modules; by default the one of the file, or this one.

    Raises:
        NotThere: There is no such file, directory or module.
    """
    place, _, factory = named.partition(":")
    if tree is not None:
        refuse_no_tree(tree)
    if not place.endswith(".py"):
        refuse_no_module(tree or Path.cwd(), place)
        return tree or Path.cwd(), f"{place}:{factory}"
    path = Path(place).absolute()
    if not path.is_file():
        what = f"there is no file {path}"
        raise NotThere(what, "name a file that is there, or module:name")
    return tree or path.parent, f"{path.stem}:{factory}"


def found_in(tree: Path, entry: str) -> tuple[str, Loop | None]:
    """Import a program; return its entry, whole, and the plain loop that it is, if it is one.

    Args:
        tree: The directory with its modules.
        entry: `module:factory`, the factory perhaps empty.

    Raises:
        ProgramBroken: It cannot be loaded.
        LoopMisused: Nothing says which of its loops is meant.
    """
    module_name, _, factory = entry.partition(":")
    sys.path.insert(0, str(tree))
    try:
        module = importlib.import_module(module_name)
    except BaseException as error:
        raise _broken(entry, tree, error) from error
    factory = factory or (CREATE if hasattr(module, CREATE) else loop_in(module))
    found = getattr(module, factory, None)
    return f"{module_name}:{factory}", found if isinstance(found, Loop) else None


def try_once(
    tree: Path, entry: str, *, home: Path, app: str, record: Record | None, now_ns: int
) -> Tried:
    """Let a program observe and decide the cycle that is under way now.

    Args:
        tree: The directory with its modules.
        entry: `module:factory`.
        home: What the program is told of a state directory; nothing is written there by us.
        app: Name of the application, where there is no record.
        record: The record that it decides upon, or None to begin anew.
        now_ns: Wall-clock time, nanoseconds UTC.

    Raises:
        ProgramBroken: It cannot be loaded.
        WorkloadFaulty: It broke a rule of the engine.
    """
    fresh = Record(app=app, progress=Progress(cycle=0))
    held = record or fresh
    workload = _loaded(tree, entry, home, held)
    schedule = Schedule(workload.cadence, held.timeline)
    number = held.progress.cycle + 1 if record is not None else schedule.cycle_at(now_ns)
    return asyncio.run(_tried(workload, schedule, held, number))


def _loaded(tree: Path, entry: str, home: Path, record: Record) -> Workload[Any, Any]:
    manifest = Manifest(
        release=TRIED,
        entry=entry,
        python=sys.executable,
        tree=str(tree),
        paths=(str(tree), *engine_paths()),
    )
    try:
        return load_workload(manifest, home=home, app=record.app, timeline=record.timeline)
    except HandoffError:
        raise
    except BaseException as error:
        raise _broken(entry, tree, error) from error


def _broken(entry: str, tree: Path, error: BaseException) -> ProgramBroken:
    if isinstance(error, KeyboardInterrupt):
        raise error
    words = last_words("".join(traceback.format_exception(error)).encode("utf-8", "replace"))
    return ProgramBroken(f"{entry.removesuffix(':')} cannot be loaded from {tree}: {words}")


async def _tried(
    workload: Workload[Any, Any], schedule: Schedule, record: Record, number: int
) -> Tried:
    cycle = cycle_of(record, number, schedule, release=TRIED)
    body = workload.body.decode(record.body, record.schema)
    before = workload.body.encode(body)
    try:
        try:
            await workload.warm(body)
        except Exception as error:
            message = f"warm raised {words_of(error)}"
            raise WorkloadFaulty(message) from error
        inputs = (await observe_once(workload, schedule, cycle, body)).inputs
    finally:
        await workload.close()
    note = _recorded(workload, inputs)
    recorded = inputs_of(workload, note)
    first = decide_once(workload, record, cycle, recorded)
    again = decide_once(workload, record, cycle, inputs_of(workload, note))
    stored, _ = encode_bodies(workload, record, first.body)
    if (stored, _effects(first)) != (
        encode_bodies(workload, record, again.body)[0],
        _effects(again),
    ):
        message = "decide is not pure: decided twice from the same inputs, it came out otherwise"
        raise WorkloadFaulty(message)
    return Tried(
        cycle=number,
        unavailable=note.unavailable,
        inputs=note.inputs,
        body_before=before,
        body=stored,
        effects=_effects(first),
    )


def _recorded(workload: Workload[Any, Any], inputs: object) -> Note:
    if isinstance(inputs, Unavailable):
        return Note(kind="decide", unavailable=inputs.reason)
    try:
        raw = workload.inputs.encode(inputs)
    except Exception as error:
        message = f"inputs cannot be recorded: {error}"
        raise WorkloadFaulty(message) from error
    return Note(kind="decide", inputs=raw, inputs_schema=workload.inputs.schema_id.version)


def _effects(decision: Decision[Any]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "id": each.effect_id,
            "kind": each.kind,
            "payload": msgspec.json.decode(each.payload),
            "delivery": each.delivery.value,
        }
        for each in decision.effects
    )


def lines_of(tried: Tried) -> list[str]:
    """Return what a trial came to as text."""
    inputs = f"none: {tried.unavailable}" if tried.unavailable else _text(tried.inputs)
    same = tried.body == tried.body_before
    lines = [
        f"Cycle {tried.cycle} was tried: nothing was sent, and nothing was kept.",
        f"inputs   {inputs}",
        f"body     {'as it was: ' if same else ''}{_text(tried.body)}",
    ]
    done = [
        f"{each['kind']} {each['id']}: {msgspec.json.encode(each['payload']).decode()}"
        for each in tried.effects
    ]
    return [*lines, *(f"effect   {each}" for each in done or ["none"])]


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()
