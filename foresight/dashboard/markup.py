"""The view as HTML, region by region.

Owns the words, symbols and structure of the page; its looks are in `static/dashboard.css`. Every
text that comes from outside is escaped. Nothing is told by colour alone. What moves with time
(countdowns, window progress) carries its two ends as data and is moved by `static/dashboard.js`.
"""

from collections.abc import Callable, Mapping
from html import escape
from typing import Final

from foresight.dashboard.acts_markup import acts_html
from foresight.dashboard.deploys import STAGES, Deploying, PastDeploy
from foresight.dashboard.equity_markup import equity_html
from foresight.dashboard.figures_markup import figures_html
from foresight.dashboard.hosts_markup import hosts_html
from foresight.dashboard.instant_markup import moment
from foresight.dashboard.money_markup import earned_html, events_html, guards_html, money_html
from foresight.dashboard.slots_markup import slots_html
from foresight.dashboard.strip_markup import strip_html
from foresight.dashboard.view import View, duration

RING: Final = 276.46  # circumference of the countdown's circle, radius 44
DEPLOYS: Final = '<a data-view="deploys">Deploys</a>'

OUTCOMES: Final[Mapping[str, str]] = {
    "permanent": "✓",
    "refused": "✗",
    "returned": "↩",
    "superseded": "»",
    "aborted": "■",
}


def text(value: object) -> str:
    """Return anything as text that is safe inside an element or an attribute."""
    return escape(str(value), quote=True)


def live(words: str, old: str) -> str:
    """Return words that stand only while the page hears its server, and others for when not.

    Args:
        words: HTML.
        old: Text.
    """
    return f'<span class="when-live">{words}</span><span class="when-old">{text(old)}</span>'


def banner_html(view: View) -> str:
    """Return what the reader must know first; nothing if all is well."""
    parts: list[str] = []
    for trouble in view.troubles:
        symbol = "■" if trouble.level == "stop" else "!"
        hint = f'<span class="hint">{text(trouble.hint)}</span>' if trouble.hint else ""
        parts.append(
            f'<p class="trouble {text(trouble.level)}" role="alert">'
            f'<span aria-hidden="true">{symbol}</span> <strong>{text(trouble.text)}</strong>{hint}'
            "</p>"
        )
    return "".join(parts)


def bot_of(view: View) -> str:
    """Return what the bot is called: several have a page each, and a tab beside the others."""
    return "Foresight" if view.app in {"", "foresight"} else view.app


def version_html(view: View) -> str:
    """Return the release that decides, and since when."""
    version = view.version
    if not version.release:
        return (
            '<p class="label">Foresight</p><p class="name">—</p><p class="subject">nothing yet</p>'
        )
    since = "since before the cycles shown"
    if version.since_ms is not None:
        verb = "live since"
        if version.previous:
            verb = f'took over from <span class="mono">{text(version.previous)}</span> at'
        since = (
            f"{verb} {moment(version.since_ms)}, "
            f'<span data-since="{version.since_ms:.0f}">'
            f"{duration(view.now_ms - version.since_ms)}</span> ago"
        )
    level, health = _health(view)
    label = f"{text(bot_of(view))} is stopped; last ran"
    if view.is_running:
        label = live(f"{text(bot_of(view))} runs · {health}", f"{bot_of(view)} ran")
    return (
        f'<p class="label">{label}</p>'
        f'<p class="name hued" data-css="--hue:{version.hue}" '
        f'data-release="{text(version.release)}" data-changed="{version.since_ms or 0:.0f}">'
        f'<span class="health {level}" aria-hidden="true"></span>{text(version.name)}</p>'
        f'<p class="subject" title="{text(version.subject)}">{text(version.subject)}</p>'
        f'<p class="since">{since}</p>'
    )


def _health(view: View) -> tuple[str, str]:
    """Return what the square beside the version shows, health alone, and the words for it."""
    levels = {trouble.level for trouble in view.troubles}
    level = "stop" if "stop" in levels else "warn" if "warn" in levels else "well"
    words = {"stop": "something is wrong", "warn": "there is a warning", "well": "all is well"}
    return level, words[level]


def tempo_html(view: View) -> str:
    """Return the countdown to the next boundary."""
    tempo = view.tempo
    if tempo.cycle is None:
        return _ring("", "—") + '<div><p class="label">Next boundary</p><p>no cycle yet</p></div>'
    if not view.is_running:
        return (
            _ring("", "—") + '<div><p class="label">Cycle</p>'
            f'<p class="big num">{tempo.cycle:,}</p><p class="quiet">stopped: none is due</p></div>'
        )
    if tempo.period_ms is None or tempo.boundary_ms is None:
        return (
            _ring("", "—") + '<div><p class="label">Cycle</p>'
            f'<p class="big">{tempo.cycle:,}</p><p class="quiet">the pace shows after two cycles'
            "</p></div>"
        )
    data = f'data-boundary="{tempo.boundary_ms:.3f}" data-period="{tempo.period_ms:.3f}"'
    speed = f" · market time &times;{tempo.speed}" if tempo.speed > 1 else ""
    word = "working on its effects" if tempo.phase == "decided" else "settled"
    next_at = f'<span data-next="1">{moment(tempo.boundary_ms)}</span>'
    following = f"{word} · next at {next_at}"
    every = f"{tempo.period_ms / 1000:g} s"
    return (
        _ring(data, "&ndash;") + '<div><p class="label">Cycle</p>'
        f'<p class="big num">{tempo.cycle:,}</p>'
        f'<p class="quiet">{live(following, "none known to be due")}</p>'
        f'<p class="quiet">one every {every}{speed}</p></div>'
    )


def _ring(data: str, content: str) -> str:
    return (
        f'<div class="ring" role="timer" aria-label="Time to the next boundary" {data}>'
        '<svg viewBox="0 0 100 100" aria-hidden="true"><circle class="track" cx="50" cy="50" '
        'r="44"/><circle class="hand" cx="50" cy="50" r="44" '
        f'stroke-dasharray="{RING}" stroke-dashoffset="{RING}"/></svg>'
        f'<span class="count num">{content}</span></div>'
    )


def crew_html(view: View) -> str:
    """Return who works."""
    crew = view.crew
    where = f" on {crew.host}" if crew.host else ""
    owner = f"pid {crew.pid}{where}" if crew.worker else "nobody"
    standby = f"{len(crew.standby)} warm" if crew.standby else "none"
    if crew.way_back:
        standby = crew.way_back
    held = f", {crew.held} held" if crew.held else ""
    doubtful = f", {crew.doubtful} doubtful" if crew.doubtful else ""
    control = view.control
    state = "halted" if control.halted else "paused" if control.paused else "trading"
    if view.is_away:
        state = "out of reach"
    if not view.is_running:
        owner, standby, state = "nobody", "none", "stopped"
    worker = f'<span class="quiet mono">{text(crew.worker[:12])}</span>'
    rows = (
        ("Owner", f"{live(text(owner), 'not known')} {worker}"),
        ("Epoch", f"{crew.epoch}"),
        ("Way back" if crew.way_back else "Standby", live(text(standby), "not known")),
        ("Pending", f"{crew.outbox}{held}{doubtful}"),
        ("Mode", live(state, "not known")),
    )
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)
    return f'<dl class="facts">{items}</dl>'


def deploy_html(view: View) -> str:
    """Return the deploy under way, or the newest ones that ended."""
    if view.deploying is not None:
        return _deploying_html(view, view.deploying)
    if not view.deploys:
        return f'<h2>{DEPLOYS}</h2><p class="quiet">None yet.</p>'
    items = "".join(_past_html(deploy) for deploy in view.deploys)
    return f'<h2>{DEPLOYS}</h2><ol class="past">{items}</ol>'


def _deploying_html(view: View, deploying: Deploying) -> str:
    steps: list[str] = []
    for number, stage in enumerate(STAGES):
        is_now = number == deploying.stage_number
        done = number < deploying.stage_number
        words = stage.value
        if is_now and deploying.bakes:
            words = f"baking {deploying.clean} of {deploying.of}"
        if is_now and deploying.promoted:
            words = deploying.promoted
        state = "done" if done else "now" if is_now else "ahead"
        symbol = {"done": "✓", "now": "●", "ahead": "○"}[state]
        current = ' aria-current="step"' if is_now else ""
        fill = 1.0 if done else 0.0
        if is_now:
            fill = min(1.0, deploying.clean / deploying.of) if deploying.of else 0.5
        steps.append(
            f'<li class="{state}"{current}><span class="bar"><span data-css="width:{fill:.0%}">'
            f'</span></span><span aria-hidden="true">{symbol}</span> {text(words)}</li>'
        )
    since = ""
    if deploying.since_ms is not None:
        since = (
            f'asked for <span data-since="{deploying.since_ms:.0f}">'
            f"{duration(view.now_ms - deploying.since_ms)}</span> ago"
        )
    gates = ""
    if deploying.gates:
        number = len(deploying.gates)
        count = f"{number} gate{'' if number == 1 else 's'} passed"
        gates = f" · {count}: {text(', '.join(deploying.gates))}"
    found = "".join(f'<span class="found">{text(each)}</span>' for each in deploying.found)
    return (
        '<h2>Deploy under way</h2><div class="deploying"><p class="what">'
        f'<a class="mono" data-view="deploys/{text(deploying.deploy)}">{text(deploying.name)}</a> '
        f"{text(deploying.subject)} "
        f'<span class="quiet">{since}{gates}</span>{found}</p>'
        '<span class="visually-hidden" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{deploying.part * 100:.0f}" aria-label="Deploy of '
        f'{text(deploying.name)}: {text(deploying.stage)}"></span>'
        f'<ol class="stages">{"".join(steps)}</ol></div>'
    )


def _past_html(deploy: PastDeploy) -> str:
    symbol = OUTCOMES.get(deploy.outcome, "·")
    why = f'<span class="why">{text(deploy.reason)}</span>' if deploy.reason else ""
    earned = f'<span class="earned">{text(deploy.earned)}</span>' if deploy.earned else ""
    return (
        f'<li class="{text(deploy.outcome)}">'
        f'<span class="symbol" aria-hidden="true">{symbol}</span>'
        f'<a class="mono" data-view="deploys/{text(deploy.deploy)}">{text(deploy.name)}</a> '
        f'<span class="what">{text(deploy.subject)}</span> '
        f'<span class="quiet">{text(deploy.outcome)} {moment(deploy.at_ms)}</span>'
        f"{why}{earned}</li>"
    )


def board_html(view: View) -> str:
    """Return the slots."""
    held = sum(1 for slot in view.slots if slot.holding is not None)
    header = f'<header><h2>Board</h2><p class="summary"><b>{held}</b> of {len(view.slots)} slots'
    ended = sum(len(slot.ended) for slot in view.slots)
    waits = f" · {ended} waiting for the venue" if ended else ""
    return f"{header} in play{waits}{as_of(view)}</p></header>{slots_html(view.slots)}"


def numbers_html(view: View) -> str:
    """Return the figures over the trades."""
    said = f'<p class="summary">{as_of(view).removeprefix(" · ")}</p>' if as_of(view) else ""
    return f"<header><h2>Honest numbers</h2>{said}</header>" + figures_html(view.figures)


def as_of(view: View) -> str:
    """Return how old the figures of a stopped system are; nothing while it runs."""
    if view.is_running or view.as_of_ms is None:
        return ""
    return f" · stopped, as of {moment(view.as_of_ms)}"


def _day_of(view: View) -> str:
    """Return which day a day's sums are of: the market's own, and of a stopped bot its last."""
    if view.tempo.speed > 1:
        return "this market day" if view.is_running else "on its last market day"
    return "today, UTC" if view.is_running else "on its last day, UTC"


def footer_html(view: View) -> str:
    """Return what else there is to say."""
    chained = f"journal chain checked over {view.chained:,} lines · " if view.chained else ""
    reads = "" if view.may_act else "this page only reads · "
    return f'<p>{chained}{reads}<a href="api/state">as JSON</a></p>'


def neighbours_html(view: View) -> str:
    """Return links to the pages of this user's other bots; the browser adds the host that it used.

    A link holds no token: whoever was let in there is in.
    """
    items = "".join(
        f'<li><a data-port="{each.port}">{text(each.name)}, port {each.port}</a></li>'
        for each in view.neighbours
    )
    return f"<h2>Other bots here</h2><ul>{items}</ul>" if items else ""


REGIONS: Final[Mapping[str, Callable[[View], str]]] = {
    "banner": banner_html,
    "version": version_html,
    "tempo": tempo_html,
    "crew": crew_html,
    "hosts": lambda view: hosts_html(view.hosts),
    "money": lambda view: money_html(view.money, day=_day_of(view)),
    "strip": strip_html,
    "deploy": deploy_html,
    "acts": acts_html,
    "earned": lambda view: earned_html(view.earned),
    "board": board_html,
    "numbers": numbers_html,
    "equity": lambda view: equity_html(view.equity),
    "guards": lambda view: guards_html(view.locks),
    "events": lambda view: events_html(view.events, view.remarks),
    "neighbours": neighbours_html,
    "footer": footer_html,
}


def title_of(view: View) -> str:
    """Return the title of the window: the version, and whether something is wrong."""
    mark = "■ " if any(trouble.level == "stop" for trouble in view.troubles) else ""
    return f"{mark}{view.version.name or 'no version'} · {bot_of(view)}"
