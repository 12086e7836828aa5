"""The figures on the page: no rate of what was never decided."""

from foresight.book import Book
from foresight.dashboard.figures import figures_of
from foresight.dashboard.figures_markup import figures_html
from foresight.scoring import scores_of
from tests.core.test_report import book_of, fair


def test_without_a_trade_the_page_shows_no_rate_and_no_interval() -> None:
    """An interval from 0 % to 100 % of the last 0 looks like a figure, and is none."""
    shown = figures_html(figures_of(scores_of(Book(venue="local"))))
    assert "Win rate<" in shown
    assert "no trade has a result yet" in shown
    assert "0.0% to 100.0%" not in shown
    assert "Win rate, last 2<" in figures_html(figures_of(scores_of(book_of(fair(2)))))
