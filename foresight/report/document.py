"""The document: one HTML file with its style inside, without a script and without an address.

Owns which charts and tables stand where, and the words beside them. Every text that comes from
outside is escaped by the template; charts escape their own. Must never enter: a clock. The same
facts give the same bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import jinja2

from foresight.report import charts, curves, sentences
from foresight.scoring import evidence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from foresight.report.curves import Group
    from foresight.report.facts import Facts, Mark, Part
    from foresight.scoring import Score

TEMPLATES: Final = Path(__file__).parent / "templates"
PAGE: Final = "report.html"


class Row(NamedTuple):
    """One line of a table of slots, releases or prices, as it is shown."""

    name: str
    trades: int
    won: str
    paid: str
    share: str
    interval: str
    bar: str
    profit: str
    says: str


class GroupRow(NamedTuple):
    """One line of a table of probabilities, as it is shown."""

    said: str
    trades: int
    won: str
    interval: str


class Deploy(NamedTuple):
    """One deploy below the curve, as it is shown."""

    number: int
    at: str
    name: str
    words: str


def document_of(facts: Facts) -> str:
    """Return the report as HTML.

    Args:
        facts: All that it shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(PAGE).render(
        facts=facts,
        verdict=sentences.verdict_on(facts.score),
        purchases=sentences.of_purchases(facts),
        known=sentences.of_probabilities(facts.score) if facts.score.trades else "",
        **_lines(facts),
        **_groups(facts),
        **_tables(facts),
    )


def _lines(facts: Facts) -> dict[str, object]:
    equity = curves.equity_of(facts.trades, facts.before)
    drawdown = curves.drawdown_of(equity, facts.before)
    inside = charts.within(equity, facts.marks)
    equity_chart = drawdown_chart = ""
    if equity:
        equity_chart = charts.over_time(
            equity, name="Profit after fees over time", marks=facts.marks, start=facts.before
        )
        drawdown_chart = charts.over_time(drawdown, name="Distance from the best before")
    return {
        "equity": equity_chart,
        "drawdown": drawdown_chart,
        "worst": sentences.of_drawdown(drawdown),
        "deploys": [_deploy(number, each) for number, each in enumerate(inside, start=1)],
        "outside": len(facts.marks) - len(inside),
    }


def _deploy(number: int, mark: Mark) -> Deploy:
    at = datetime.fromtimestamp(mark.at_s, UTC).strftime("%Y-%m-%d %H:%M")
    return Deploy(number, at, mark.name, mark.words)


def _groups(facts: Facts) -> dict[str, object]:
    said, paid = curves.by_probability(facts.trades), curves.by_price(facts.trades)
    return {
        "reliability": _agreement(
            said, [each.mean for each in said], "Predicted against won", "predicted"
        ),
        "reliability_rows": [_group_row(each) for each in said],
        "prices": _agreement(
            paid, [each.score.break_even for each in paid], "Paid against won", "paid, with fee"
        ),
        "price_rows": _rows((_price_words(each), each.score, "") for each in paid),
    }


def _agreement(groups: Sequence[Group], said: Sequence[float], name: str, words: str) -> str:
    dots = [
        charts.Dot(value, each.score.win_rate, each.score.win_rate_interval)
        for value, each in zip(said, groups, strict=True)
        if each.score.with_result
    ]
    if not dots:
        return ""
    return charts.agreement(dots, name=name, across_words=words, up_words="won")


def _group_row(group: Group) -> GroupRow:
    score = group.score
    low, high = charts.interval_ends(score.win_rate_interval)
    is_known = score.with_result > 0
    return GroupRow(
        said=f"{100 * group.mean:.1f} %",
        trades=score.trades,
        won=f"{100 * score.win_rate:.1f} %" if is_known else "",
        interval=f"[{100 * low:.1f}, {100 * high:.1f}]" if is_known else "",
    )


def _price_words(group: Group) -> str:
    return f"{100 * group.least:.1f} to {100 * group.most:.1f} c"


def _tables(facts: Facts) -> dict[str, object]:
    return {
        "slot_rows": _rows(map(_named, facts.slots)),
        "slots_say": sentences.of_parts(facts.slots, "slot"),
        "release_rows": _rows(map(_named, facts.releases)),
        "releases_say": sentences.of_parts(facts.releases, "release"),
        "whole_rows": _rows([("all", facts.score, "")]),
    }


def _named(part: Part) -> tuple[str, Score | None, str]:
    return part.name, part.score, part.says


def _rows(parts: Iterable[tuple[str, Score | None, str]]) -> list[Row]:
    known = list(parts)
    reach = charts.reach_of([score.expectation_interval for _, score, _ in known if score])
    return [_row(name, score, says, reach) for name, score, says in known]


def _row(name: str, score: Score | None, says: str, reach: float) -> Row:
    if score is None or not score.trades:
        return Row(name, 0, "", "", "", "", "", "", says or "decided no trade")
    return Row(
        name=name,
        trades=score.trades,
        won=f"{100 * score.win_rate:.1f} %" if score.with_result else "",
        paid=f"{100 * score.mean_price:.1f} c",
        share=sentences.cents(score.expectation),
        interval=sentences.interval_of(score),
        bar=charts.interval_bar(score.expectation_interval, score.expectation, reach=reach),
        profit=sentences.usdc(score.profit),
        says=evidence_of(score),
    )
