"""The strip of recent cycles as HTML: a cell each, what the signs mean, what was not as planned.

As `markup`, it escapes what comes from outside and tells nothing by colour alone. What is known of
a cycle is told below the strip for the one that is pointed at, tapped or chosen by the arrow keys
(`static/strip.js`).
"""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Final

from foresight.dashboard.cycles import Cell, Mark, Run, Strip
from foresight.dashboard.turns import Turn
from foresight.dashboard.view import View
from state.moments import rfc3339

LABEL_CELLS: Final = 12  # a run of fewer has no room for the subject below it
UNLIKE_MAX: Final = 12  # told in words, the newest first
HOW: Final = "Point at a cycle, tap it, or use the arrow keys: what is known of it stands here."

MARKS: Final[Mapping[Mark, tuple[str, str]]] = {
    Mark.DECIDING: ("·", "its effects are not final yet"),
    Mark.DONE: ("", "in time"),
    Mark.LATE: ("!", "late"),
    Mark.MISSED: ("\N{MULTIPLICATION SIGN}", "missed"),
    Mark.ABSENT: ("?", "no line in the journal"),
}
TURNS: Final[Mapping[Turn, tuple[str, str]]] = {
    Turn.TAKEN: ("→", "taken over"),
    Turn.CRASHED: ("↯", "crashed, gone on with"),
    Turn.RETURNED: ("↩", "returned"),
    Turn.STOPPED: ("■", "stopped"),
    Turn.BEGUN: ("○", "begun"),
}


def strip_html(view: View) -> str:
    """Return the recent cycles, coloured by release."""
    strip = view.strip
    if not strip.cycles:
        return (
            '<header><h2>Recent cycles</h2></header><p class="quiet">The first cycle has not '
            "been decided yet.</p>"
        )
    turns = {cycle: [*group] for cycle, group in groupby(view.turns, key=lambda each: each.cycle)}
    marks = {cycle: [each.turn for each in group] for cycle, group in turns.items()}
    runs = "".join(_run_html(run, marks) for run in strip.runs)
    legend = "".join(
        f'<li class="hued" data-css="--hue:{run.hue}">'
        '<span class="swatch" aria-hidden="true"></span>'
        f'<span class="mono">{escape(run.name)}</span> {escape(run.subject)}</li>'
        for run in strip.runs
    )
    return (
        f'<header><h2>Last {strip.cycles} cycles</h2><p class="summary">{_summary(strip)}</p>'
        f"</header><div {_chosen(view, marks)}>{runs}</div>"
        f'<div class="reading"><p class="told-cycle" data-told="{HOW}">{HOW}</p>'
        f"{_key_html(view)}{_unlike_html(strip, marks)}</div>"
        f'<ul class="legend" aria-label="Releases in the strip">{legend}</ul>'
    )


def _chosen(view: View, turns: Mapping[int, Sequence[Turn]]) -> str:
    """Return the attributes of a slider, by which keyboards and listeners go through cycles."""
    cells = [(run, cell) for run in view.strip.runs for cell in run.cells]
    run, newest = cells[-1]
    words = _facts(run, newest, turns.get(newest.cycle, ()))
    return (
        'class="runs" role="slider" tabindex="0" aria-orientation="horizontal" '
        f'aria-label="{escape(_spoken(view))}" aria-valuemin="{cells[0][1].cycle}" '
        f'aria-valuemax="{newest.cycle}" aria-valuenow="{newest.cycle}" '
        f'aria-valuetext="{escape(words)}"'
    )


def _unlike_html(strip: Strip, turns: Mapping[int, Sequence[Turn]]) -> str:
    """Return the cycles that were not as planned, in words; its line is there without any, too."""
    found = [
        f"<li>{escape(_facts(run, cell, turns.get(cell.cycle, ())))}</li>"
        for run in reversed(strip.runs)
        for cell in reversed(run.cells)
        if cell.note or cell.mark not in {Mark.DONE, Mark.DECIDING}
    ]
    shown = "".join(found[:UNLIKE_MAX]) or "<li>none</li>"
    more = f"<li>and {len(found) - UNLIKE_MAX} before</li>" if len(found) > UNLIKE_MAX else ""
    return (
        '<details class="unlike" data-key="unlike"><summary>Not as planned: '
        f"{len(found) or 'none'}</summary><ol>{shown}{more}</ol></details>"
    )


def _summary(strip: Strip) -> str:
    parts = [
        f"<b>{strip.missed}</b> missed",
        f"<b>{strip.late}</b> late",
        f"<b>{strip.changes}</b> handover{'' if strip.changes == 1 else 's'}",
    ]
    if strip.absent:
        parts.insert(0, f"<b>{strip.absent}</b> not in the journal")
    if strip.start_median_ms is not None and strip.start_worst_ms is not None:
        parts.append(
            f"begun <b>{strip.start_median_ms:.0f} ms</b> after the boundary "
            f"(worst {strip.start_worst_ms:.0f} ms)"
        )
    return " · ".join(parts)


def _key_html(view: View) -> str:
    """Return what the signs on the strip mean, those that stand there, each with how often."""
    marks = [cell.mark for run in view.strip.runs for cell in run.cells]
    turns = [each.turn for each in view.turns]
    signs = [(*TURNS[turn], turns.count(turn)) for turn in TURNS]
    signs += [(*MARKS[mark], marks.count(mark)) for mark in (Mark.LATE, Mark.MISSED, Mark.ABSENT)]
    items = "".join(
        f'<li><span class="sign" aria-hidden="true">{symbol}</span> {words} &times;{number}</li>'
        for symbol, words, number in signs
        if number
    )
    # Its line is there without any, too: nothing below it jumps with the first one.
    items = items or "<li>no signs: every cycle in time, one owner</li>"
    return f'<ul class="key" aria-label="Signs on the strip">{items}</ul>'


def _spoken(view: View) -> str:
    strip = view.strip
    names = ", then ".join(f"{run.name} for {len(run.cells)} cycles" for run in strip.runs)
    return (
        f"Last {strip.cycles} cycles: {names}. {strip.missed} missed, {strip.late} late, "
        f"{strip.absent} not in the journal."
        + "".join(f" Cycle {each.cycle}: {TURNS[each.turn][1]}." for each in view.turns)
    )


def _run_html(run: Run, turns: Mapping[int, Sequence[Turn]]) -> str:
    cells = "".join(_cell_html(run, cell, turns.get(cell.cycle, ())) for cell in run.cells)
    narrow = len(run.cells) < LABEL_CELLS
    label = f'<span class="mono">{escape(run.name)}</span> {"" if narrow else escape(run.subject)}'
    classes = f"run hued{' narrow' if narrow else ''}"
    return (
        f'<div class="{classes}" data-css="--hue:{run.hue};flex-grow:{len(run.cells)}" '
        f'data-key="{escape(run.release)}-{run.cells[-1].epoch}">'
        f'<div class="cells">{cells}</div><p class="run-label">{label}</p></div>'
    )


def _cell_html(run: Run, cell: Cell, turns: Sequence[Turn]) -> str:
    symbol = MARKS[cell.mark][0]
    mark = f'<span class="mark">{symbol}</span>' if symbol else ""
    if turns:
        # The last one stands for all of that cycle; its words and the events name each.
        mark += f'<span class="turn {turns[-1].value}">{TURNS[turns[-1]][0]}</span>'
    return (
        f'<i class="cell {cell.mark.value}" data-key="c{cell.cycle}" '
        f'data-says="{escape(_facts(run, cell, turns))}">{mark}</i>'
    )


def _facts(run: Run, cell: Cell, turns: Sequence[Turn]) -> str:
    """Return all that is known of a cycle, in words."""
    facts = [f"cycle {cell.cycle:,}"]
    if cell.boundary_ms is not None:
        facts.append(rfc3339(round(cell.boundary_ms * 1e6))[11:19] + " UTC")
    facts += [TURNS[turn][1] for turn in turns]
    facts.append(MARKS[cell.mark][1] if cell.mark is not Mark.DONE else "")
    facts.append(run.name)
    if cell.late_ms is not None:
        facts.append(f"begun after {cell.late_ms:.0f} ms")
    if cell.worked_ms is not None:
        facts.append(f"worked {cell.worked_ms:.0f} ms")
    facts.append(cell.note)
    return " · ".join(fact for fact in facts if fact)
