"""How often the interval of an expectation holds the truth, where windows move together.

`python -m bench.intervals` draws 4 000 records of 100 trades for each band of prices, eight trades
a window with a latent correlation of one half, for a rule without any skill and for one that loses
1.5 cents a share.
"""

from __future__ import annotations

import sys
from typing import Final

from bench.correlated import simulated

BANDS: Final = ((0.45, 0.60), (0.75, 0.97), (0.92, 0.97))
EDGES: Final = (0.0, -0.015)
RECORDS: Final = 4000


def main() -> int:
    """Print a line for each band and rule."""
    sys.stdout.write("prices      edge    covered  above zero\n")
    for prices in BANDS:
        for edge in EDGES:
            found = simulated(prices, edge, records=RECORDS, seed=1)
            line = f"{prices[0]:.2f}-{prices[1]:.2f}  {edge:+.3f}  {found.covered:7.1%}"
            sys.stdout.write(f"{line}  {found.above_zero:10.1%}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
