"""The table of the series in the docs, from their results: `python -m bench.series_table`.

Owns which numbers stand there and in which words. The results are the reports that the series
wrote with `--json`; a test compares the page with them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RESULTS: Final = Path(__file__).with_name("results")
PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "series.md"
BEGIN: Final = "<!-- series: written by python -m bench.series_table -->\n"
END: Final = "<!-- end of series -->"
SERIES: Final = {
    "trading": "trader",
    "trading-faults": "trader, faults",
    "example-faults": "example worker, faults",
}


def main() -> int:
    """Write the table into the page."""
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def with_table(text: str) -> str:
    """Return the page with the table of what is in the results."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table(read_results()) + rest[rest.index(END) :]


def read_results() -> dict[str, dict[str, Any]]:
    """Return the reports by name of their series."""
    return {
        name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        for name in SERIES
        if (RESULTS / f"{name}.json").exists()
    }


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one column for each series."""
    titles = [SERIES[name] for name in results]
    rows = [["", *titles], ["---"] * (len(titles) + 1)]
    for label, cell in _ROWS.items():
        rows.append([label, *(cell(report) for report in results.values())])
    return "".join(f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in rows)


def _cycles(report: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = report["cycles" if "cycles" in report else "witness"]
    return found


def _outcomes(report: Mapping[str, Any]) -> str:
    counts: dict[str, int] = {}
    for ended in report["faults"].values():
        for outcome, times in ended.items():
            counts[outcome] = counts.get(outcome, 0) + times
    return _listed(counts)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {times}" for name, times in sorted(counts.items())) or "none"


def _blows(report: Mapping[str, Any], *wanted: str) -> str:
    return str(sum(report["blows"].get(each, 0) for each in wanted))


def _takes(report: Mapping[str, Any]) -> str:
    takes = report["takes"]
    return f"{takes['both_alive']} of {takes['takes']}"


def _orders(report: Mapping[str, Any]) -> str:
    if "orders" not in report:
        effects = report["effects"]
        return f"{effects['planned']} planned, {effects['confirmed']} confirmed"
    orders = report["orders"]
    return f"{orders['received']} received, {orders['distinct']} distinct"


def _executed(report: Mapping[str, Any]) -> str:
    orders = report.get("orders")
    return "" if orders is None else f"{orders['executed']} and {orders['booked']}"


def _orphans(report: Mapping[str, Any]) -> str:
    orders = report.get("orders")
    if orders is None:
        return ""
    unknown = (*orders["unknown_to_book"], *orders["unknown_to_exchange"], *orders["adopted"])
    return f"{len(orders['bought_twice'])} and {len(unknown)}"


def _positions(report: Mapping[str, Any]) -> str:
    positions = report.get("positions")
    if positions is None:
        return ""
    changed = len(positions["changed_across_them"]) + len(positions["altered"])
    return f"{positions['open_across_them']}, {changed} changed"


def _doubtful(report: Mapping[str, Any]) -> str:
    if "doubtful" not in report:
        return ""
    doubtful = report["doubtful"]
    slowest = max((int(each) for each in doubtful["proven_after_cycles"]), default=0)
    return f"{doubtful['effects']}, proven within {slowest}"


_ROWS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "deploys": lambda report: str(report["deploys"]),
    "how they ended": _outcomes,
    "minutes": lambda report: f"{report['seconds'] / 60:.0f}",
    "cycles due": lambda report: str(_cycles(report)["expected"]),
    "run": lambda report: str(_cycles(report)["run"]),
    "missed": lambda report: str(len(_cycles(report)["missed"])),
    "run twice": lambda report: str(len(_cycles(report)["doubled"])),
    "takes with old and new alive together": _takes,
    "workers killed": lambda report: _blows(report, "owner SIGKILL", "candidate SIGKILL"),
    "workers stopped for a while": lambda report: _blows(
        report, "owner SIGSTOP", "candidate SIGSTOP"
    ),
    "launchers killed, replaced": lambda report: ", ".join(
        (_blows(report, "launcher SIGKILL"), _blows(report, "launcher SIGUSR2"))
    ),
    "deployers killed": lambda report: _blows(report, "deployer SIGKILL"),
    "owners met in": lambda report: _listed(report["owners_killed_in"]),
    "orders, or effects": _orders,
    "executed by the ledger, bought by the book": _executed,
    "bought twice, known to one side only": _orphans,
    "positions open across changes of owner": _positions,
    "outcomes unknown at first": lambda report: (
        f"{report['unknown_share']:.1%}" if "unknown_share" in report else ""
    ),
    "doubtful over a settle, cycles": _doubtful,
    "seed": lambda report: str(report["seed"]),
}


if __name__ == "__main__":
    raise SystemExit(main())
