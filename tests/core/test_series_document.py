"""The numbers that the docs show of the series are those that the series wrote."""

from __future__ import annotations

from bench import series_table


def test_the_table_in_the_docs_is_that_of_the_results() -> None:
    text = series_table.PAGE.read_text(encoding="utf-8")
    assert series_table.with_table(text) == text, "python -m bench.series_table writes it"


def test_every_number_of_a_result_is_its_own() -> None:
    """A table that shows the same whatever it is given would pass the comparison."""
    results = series_table.read_results()
    shown = series_table.table(results)
    for report in results.values():
        report["deploys"] += 1
        counted = report["cycles" if "cycles" in report else "witness"]
        counted["missed"] = [*counted["missed"], 1]
    assert series_table.table(results) != shown


def test_only_series_that_held_are_shown() -> None:
    results = series_table.read_results()
    assert set(results) == set(series_table.SERIES)
    for name, report in results.items():
        assert report["passed"] is True, name
        assert report["unexpected"] == [], name
