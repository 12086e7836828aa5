"""Strategies whose probability is read from tables: one for each rule of settlement.

Owns which table speaks for a window, and the silence where none does.
"""

from typing_extensions import override

from foresight.board import Method
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView, read_table
from foresight.strategies.table import RULE_OF, Table


class Calibrated(Strategy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of strategies that read tables.

    Attributes:
        tables: In the configuration the names of files in the project, here what they hold: at
            most one for each rule, all of the strategy's timeframe.
    """

    tables: tuple[Table, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two tables for the same windows."""
        rules = [table.rule for table in self.tables]
        if len(set(rules)) != len(rules):
            what = f"tables: two of them are for windows settled by {max(rules, key=rules.count)}"
            raise ValueError(what)

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        raise NotImplementedError

    def chance(self, view: WindowView, distance: float) -> float | Silence:
        """Return the probability that a window keeps the side it is on, 0 to 1.

        Args:
            view: The window; one whose rule nobody said is settled by the last price.
            distance: From the price to beat, in standard deviations of what is left, >= 0.
        """
        method = view.rules.method if view.rules is not None else Method.LAST_PRICE
        rule = RULE_OF[method]
        for table in self.tables:
            if table.rule == rule and view.elapsed in table.minutes:
                return read_table(table.minutes[view.elapsed], distance)
        return Silence(f"no table for minute {view.elapsed} settled by {rule}")
