"""Series about the engine: who runs, which version, which cycles, how deploys ended.

Owns their names and what they say, from what was read of a home at one moment: none is a count of
this process, so a page that starts anew, or a second one, says the same. Names follow Prometheus:
base units at the end, `_total` for what only grows. Must never enter: text of any length as a
label, for each value of a label is a series of its own.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from deploy.history import Outcome
from foresight.dashboard.cycles import Cell, CycleLine, Mark, happened
from foresight.dashboard.deploys import STAGES
from foresight.dashboard.snapshot import Sign, Snapshot
from foresight.dashboard.view import View

OTHER: Final = "other"  # a word of a newer program: labels stay few
LEVELS: Final = ("stop", "warn")
S_PER_MS: Final = 0.001


def engine_series(snapshot: Snapshot, view: View) -> Iterator[Metric]:
    """Yield the series about the engine; what is not known has none.

    Args:
        snapshot: What was read.
        view: What the page shows of it.
    """
    yield from _health(snapshot, view)
    if snapshot.record is not None:
        yield from _owner(view)
        yield from _tempo(view)
        yield from _effects(view)
        yield from _control(view)
    yield from _cycles(view)
    yield from _inputs(happened(snapshot.lines))
    yield from _deploys(snapshot, view)


def gauge(name: str, says: str, value: float) -> Metric:
    """Return a series without labels that may rise and fall."""
    return GaugeMetricFamily(name, says, value=value)


def labelled(name: str, says: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return series that differ by one label and may rise and fall."""
    family = GaugeMetricFamily(name, says, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family


def _health(snapshot: Snapshot, view: View) -> Iterator[Metric]:
    levels = Counter(trouble.level for trouble in view.troubles)
    is_running = view.is_running and not view.is_away  # out of its reach nobody here decides
    yield gauge("foresight_running", "Whether an owner does its work.", is_running)
    yield gauge("foresight_healthy", "Whether nothing stops the bot.", not levels["stop"])
    yield labelled(
        "foresight_troubles",
        "What the page says first, by how bad it is.",
        "level",
        {level: levels[level] for level in LEVELS},
    )
    signs = {"owner": snapshot.owner, "launcher": snapshot.launcher}
    yield labelled(
        "foresight_process_running",
        "Whether a process runs: 0 if it is gone or stopped by a signal.",
        "process",
        {name: sign is Sign.RUNS for name, sign in signs.items() if sign is not Sign.UNKNOWN},
    )
    if view.as_of_ms is not None:
        says = "When the newest line of the journal was written."
        yield gauge("foresight_newest_line_timestamp_seconds", says, view.as_of_ms * S_PER_MS)


def _owner(view: View) -> Iterator[Metric]:
    version, crew = view.version, view.crew
    labels = {"app": view.app, "release": version.release, "commit": version.name}
    yield InfoMetricFamily("foresight_release", "The release that decides, or did last.", labels)
    yield gauge("foresight_epoch", "Changes of owner so far.", crew.epoch)
    yield gauge("foresight_standbys", "Warm workers beside the owner.", len(crew.standby))
    if version.since_ms is not None:
        says = "When that release came to own."
        yield gauge("foresight_release_since_timestamp_seconds", says, version.since_ms * S_PER_MS)


def _tempo(view: View) -> Iterator[Metric]:
    tempo = view.tempo
    assert tempo.cycle is not None, "a record has a cycle"
    yield gauge("foresight_cycle_number", "Number of the newest cycle.", tempo.cycle)
    says = "How long the cycle that is due has been overdue; 0 if it is not."
    yield gauge("foresight_cycle_overdue_seconds", says, tempo.overdue_ms * S_PER_MS)
    if tempo.period_ms is not None:
        says = "Wall-clock length of a cycle."
        yield gauge("foresight_cycle_period_seconds", says, tempo.period_ms * S_PER_MS)


def _effects(view: View) -> Iterator[Metric]:
    crew = view.crew
    yield gauge("foresight_effects_pending", "Effects without a final outcome.", crew.outbox)
    says = "Of them sent and held by the venue, which answers later."
    yield gauge("foresight_effects_held", says, crew.held)
    says = "Of them with an unknown outcome past their last moment."
    yield gauge("foresight_effects_in_doubt", says, crew.doubtful)


def _control(view: View) -> Iterator[Metric]:
    control = view.control
    yield gauge("foresight_paused", "Whether an operator wants no new positions.", control.paused)
    yield gauge("foresight_halted", "Whether an operator wants nothing sent.", control.halted)


def _cycles(view: View) -> Iterator[Metric]:
    strip = view.strip
    cells = [cell for run in strip.runs for cell in run.cells]
    marks = Counter(cell.mark for cell in cells)
    yield labelled(
        "foresight_recent_cycles",
        "The newest 120 cycles by what became of them.",
        "state",
        {mark.value: marks[mark] for mark in Mark},
    )
    missed = [each.boundary_ms for each in cells if each.mark is Mark.MISSED and each.boundary_ms]
    if missed:
        says = "When the newest missed cycle of them was due."
        yield gauge("foresight_newest_missed_timestamp_seconds", says, max(missed) * S_PER_MS)
    yield from _lateness(cells, strip.start_median_ms, strip.start_worst_ms)


def _lateness(
    cells: Iterable[Cell], median_ms: float | None, worst_ms: float | None
) -> Iterator[Metric]:
    known = [cell.late_ms for cell in cells if cell.late_ms is not None]
    if not known or median_ms is None or worst_ms is None:
        return
    says = "From the newest cycle's boundary to the start of its work."
    yield gauge("foresight_cycle_lateness_seconds", says, known[-1] * S_PER_MS)
    says = "The same of the newest 120 cycles: their median, and the longest."
    values = {"median": median_ms * S_PER_MS, "worst": worst_ms * S_PER_MS}
    yield labelled("foresight_recent_lateness_seconds", says, "of", values)


def _inputs(lines: Iterable[CycleLine]) -> Iterator[Metric]:
    decided = [line for line in lines if line.kind == "decide"]
    if not decided:
        return
    newest = decided[-1]
    says = "Whether the newest cycle was decided with inputs."
    yield gauge("foresight_inputs_available", says, not newest.unavailable)
    if newest.health is not None:
        says = "What the newest cycle asked the outside world for."
        yield gauge("foresight_inputs_asked", says, newest.health.asked)
        yield gauge("foresight_inputs_answered", "Of it answered.", newest.health.answered)


def _deploys(snapshot: Snapshot, view: View) -> Iterator[Metric]:
    known = {outcome.value for outcome in Outcome}
    ended = Counter(each.outcome if each.outcome in known else OTHER for each in snapshot.deploys)
    family = CounterMetricFamily(
        "foresight_deploys", "Deploys of the history by how they ended.", labels=["outcome"]
    )
    for outcome in (*sorted(known), OTHER):
        family.add_metric([outcome], ended[outcome])
    yield family
    deploying = view.deploying
    stage = deploying.stage if deploying else ""
    yield labelled(
        "foresight_deploy_under_way",
        "Whether a deploy is in that stage.",
        "stage",
        {each.value: each.value == stage for each in STAGES},
    )
    says = "Clean cycles of the bake under way, of those that it needs."
    clean, of = (deploying.clean, deploying.of) if deploying else (0, 0)
    yield labelled("foresight_bake_cycles", says, "of", {"clean": clean, "needed": of})
