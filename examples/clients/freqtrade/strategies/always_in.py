"""A strategy of freqtrade that is always in: it shows that orders go through, and nothing else."""

from typing import Any

from freqtrade.strategy import IStrategy


class AlwaysIn(IStrategy):  # type: ignore[misc] # freqtrade has no types
    """Buys whatever the candle says."""

    timeframe = "1m"
    stoploss = -0.5
    startup_candle_count = 30

    def populate_indicators(self, dataframe: Any, metadata: dict[str, str]) -> Any:
        """Return the candles as they are."""
        return dataframe

    def populate_entry_trend(self, dataframe: Any, metadata: dict[str, str]) -> Any:
        """Buy at every candle."""
        dataframe.loc[:, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: Any, metadata: dict[str, str]) -> Any:
        """Never sell by a signal."""
        return dataframe
