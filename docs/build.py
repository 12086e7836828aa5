"""Draws the parts of the docs that come from the code: diagrams, rooms, the guide's examples.

Owns how they look. A deploy's phases are drawn from its table; ownership and progress from
what the transitions really allow, by trying each of them on every kind of record that they
lead to. `python docs/build.py` writes; a test compares what is committed with what comes out.
"""

from __future__ import annotations

import typing
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Raw

from docs import pictures, rooms, settings
from handoff.rollout.events import Event, Took
from handoff.rollout.table import ENDED, TRANSITIONS, Deploy, Phase, step
from state import transitions
from state.errors import Refused
from state.record import Phase as CyclePhase
from state.record import Progress, Record, Rollout, SchemaId, WorkerId, evidence_of
from state.transitions import Cleanliness, Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

DOCS: Final = Path(__file__).resolve().parent
EXAMPLES: Final = (  # pulled into the guide, each between its two marks
    DOCS.parent / "examples" / "feed_to_chat.py",
    DOCS.parent / "examples" / "news_watcher.py",
)
ROOMS_BEGIN: Final = "<!-- rooms: drawn from the imports by make docs -->\n"
ROOMS_END: Final = "<!-- end of rooms -->"
EXAMPLE_BEGIN: Final = "<!-- example: pulled from examples/{name} by make docs -->\n"
EXAMPLE_END: Final = "<!-- end of example -->"
NOTE: Final = "Drawn by `make docs` from [{source}]({link}); changes belong there."
BAKE: Final = 2  # clean cycles; two show both a clean cycle that ends a bake and one that does not

Edge = tuple[str, str, str]
"""From, to, what happened."""


def generated() -> dict[Path, str]:
    """Return every generated file with its text."""
    guide, architecture = DOCS / "guide.md", DOCS / "ARCHITECTURE.md"
    drawn = {DOCS / "diagrams" / name: draw() for name, draw in pictures.PICTURES.items()}
    return drawn | {
        DOCS / "configuration.md": settings.page(),
        DOCS / "diagrams" / "rollout.md": rollout_page(),
        DOCS / "diagrams" / "ownership.md": ownership_page(),
        DOCS / "diagrams" / "progress.md": progress_page(),
        DOCS / "rooms.md": rooms.page(),
        architecture: with_rooms(architecture.read_text(encoding="utf-8")),
        guide: with_examples(guide.read_text(encoding="utf-8")),
    }


def rollout_page() -> str:
    """Return the phases of a deploy as a page."""
    edges = [(a.value, b.value, event.__name__) for (a, event), b in TRANSITIONS.items()]
    at_once, _ = step(Deploy("d", phase=Phase.READY), Took(0, 0, bakes=False))
    edges.append((Phase.READY.value, at_once.phase.value, "Took (no bake asked for)"))
    ended = sorted(phase.value for phase in ENDED)
    meanings = [
        f"| `{event.__name__}` | {_first_line(event)} |" for event in typing.get_args(Event)
    ]
    return "\n".join(
        [
            "# The phases of a deploy",
            "",
            NOTE.format(source="handoff/rollout/table.py", link="../../handoff/rollout/table.py"),
            "A pair of phase and event that is not drawn is refused and changes nothing.",
            "",
            *diagram(edges, first=Phase.BUILDING.value, last=ended),
            "",
            "| event | what happened |",
            "| --- | --- |",
            *meanings,
            "",
        ]
    )


def ownership_page() -> str:
    """Return who may own, and how that changes, as a page."""
    moves = ((owning(before), owning(after), name) for before, after, name in explored())
    changes = [move for move in moves if move[0] != move[1] or move[2] in CHANGES_OF_OWNER]
    return "\n".join(
        [
            "# Who owns",
            "",
            NOTE.format(source="state/transitions.py", link="../../state/transitions.py"),
            "Every take and every seize raises the epoch by one; whoever writes with an older one",
            "is refused. What leaves all of this as it is (decide, miss, a command) is not drawn.",
            "",
            *diagram(changes, first=owning(first_record()), last=()),
            "",
        ]
    )


def progress_page() -> str:
    """Return how far a cycle gets, and what is allowed where, as a page."""
    moves = [(got(before), got(after), name) for before, after, name in explored()]
    return "\n".join(
        [
            "# How far a cycle got",
            "",
            NOTE.format(source="state/transitions.py", link="../../state/transitions.py"),
            "`decide` and `miss` go on to the next number, one by one; `settle` ends a cycle.",
            "With a cycle in hand nobody takes and nobody releases: only who seizes may come then,",
            "and finishes it.",
            "",
            *diagram(moves, first=got(first_record()), last=()),
            "",
        ]
    )


def diagram(edges: Iterable[Edge], *, first: str, last: Iterable[str]) -> list[str]:
    """Return a state diagram in mermaid's words, one arrow for each pair of states."""
    labels: dict[tuple[str, str], list[str]] = {}
    for source, target, label in edges:
        known = labels.setdefault((source, target), [])
        if label not in known:
            known.append(label)
    states = dict.fromkeys([first, *(state for pair in labels for state in pair)])
    named = [f'    state "{state}" as {_name(state)}' for state in states if _name(state) != state]
    arrows = [
        f"    {_name(source)} --> {_name(target)}: {', '.join(each)}"
        for (source, target), each in labels.items()
    ]
    ends = [f"    {_name(state)} --> [*]" for state in last]
    start = f"    [*] --> {_name(first)}"
    return ["```mermaid", "stateDiagram-v2", *named, start, *arrows, *ends, "```"]


def _name(state: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in state).strip("_")


def _first_line(event: type[Event]) -> str:
    assert event.__doc__ is not None, "every event says what happened"
    return event.__doc__.partition("\n")[0]


# --- what the transitions allow ----------------------------------------------------


def owning(record: Record) -> str:
    """Return in words who owns."""
    held = record.ownership
    if held.owner is None and held.last_owner is None:
        return "nobody yet"
    if record.rollout is None:
        return "nobody" if held.owner is None else "one owner"
    return "nobody, in a bake" if held.owner is None else "new owner, in its bake"


def got(record: Record) -> str:
    """Return in words how far the newest cycle got."""
    return "settled" if record.progress.phase is CyclePhase.SETTLED else "decided"


def first_record() -> Record:
    """Return the record that an installation begins with."""
    return Record(app="docs", progress=Progress(cycle=0))


def explored() -> Iterator[tuple[Record, Record, str]]:
    """Yield every move between kinds of records: before, after, and what it is called."""
    waiting = deque([first_record()])
    seen = {_kind(first_record())}
    while waiting:
        before = waiting.popleft()
        for name, attempt in attempts(before):
            try:
                after = attempt(before)
            except Refused:
                continue
            yield before, after, name
            if _kind(after) not in seen:
                seen.add(_kind(after))
                waiting.append(after)


def _kind(record: Record) -> tuple[str, str, int]:
    return owning(record), got(record), record.rollout.clean_cycles if record.rollout else 0


CHANGES_OF_OWNER: Final = ("take", "seize", "take by the previous", "seize by the previous")


def attempts(record: Record) -> Iterator[tuple[str, Callable[[Record], Record]]]:
    """Yield every transition that somebody could try on a record, with its name."""
    held = record.ownership
    owner = held.owner or held.last_owner
    yield "seize", _seize(record, owner.release if owner else "r0")
    yield "take", _take(record, f"r{held.epoch + 1}")
    if held.previous is not None:
        yield "seize by the previous", _seize(record, held.previous.release)
        yield "take by the previous", _take(record, held.previous.release)
    if held.owner is None:
        return
    mine: dict[str, Any] = {"worker": held.owner, "epoch": held.epoch, "attempt": "docs"}
    number = record.progress.cycle
    schema = SchemaId(name="docs", version=1, fingerprint="")
    body: dict[str, Any] = {"body": Raw(b"{}"), "schema": schema, "effects": (), "fallback": None}
    settle = partial(transitions.settle, cycle=number, fates={}, **mine)
    baking = record.rollout is not None
    yield "decide", partial(transitions.decide, cycle=number + 1, **body, **mine)
    yield "settle (clean)" if baking else "settle", partial(settle, cleanliness=Cleanliness.CLEAN)
    if baking:
        yield "settle (spoilt from outside)", partial(settle, cleanliness=Cleanliness.OUTSIDE)
    yield "miss", partial(transitions.miss, cycle=number + 1, reason="docs", **mine)
    yield "release", partial(transitions.release, **mine)


def _seize(record: Record, release: str) -> Callable[[Record], Record]:
    return partial(
        transitions.seize,
        worker=_worker(record, release),
        seen=evidence_of(record),
        proof=Proof.DEAD,
        attempt="docs",
    )


def _take(record: Record, release: str) -> Callable[[Record], Record]:
    return partial(
        transitions.take,
        candidate=_worker(record, release),
        seen=evidence_of(record),
        now_ns=0,
        deadline_ns=1,
        rollout=Rollout(deploy_id="docs", of=BAKE),
        attempt="docs",
    )


def _worker(record: Record, release: str) -> WorkerId:
    return WorkerId(
        worker=f"w{record.ownership.epoch + 1}",
        host="docs",
        boot_id="",
        pid_namespace="",
        pid=record.ownership.epoch + 1,
        start_ticks=0,
        release=release,
    )


# --- the examples ------------------------------------------------------------------


def with_rooms(page: str) -> str:
    """Return a page with the drawing of the house as it is now between its two marks."""
    return _between_marks(page, ROOMS_BEGIN, rooms.drawing(), ROOMS_END)


def with_examples(guide: str) -> str:
    """Return the guide with the examples as they are now, each between its two marks."""
    for example in EXAMPLES:
        code = example.read_text(encoding="utf-8").rstrip()
        begin = EXAMPLE_BEGIN.format(name=example.name)
        guide = _between_marks(guide, begin, f"```python\n{code}\n```\n", EXAMPLE_END)
    return guide


def _between_marks(page: str, begin: str, text: str, end: str) -> str:
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    assert begins, f"the page has the mark {begin!r}"
    assert ends, f"the page has the mark {end!r}"
    return f"{before}{begin}{text}{end}{after}"


def main() -> None:
    """Write every generated file that differs."""
    for path, text in generated().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
