"""How wide the venue's books are: medians of recorded spreads, by tenor and |delta|.

From the 52 recorded chains of January to March 2026 (every two-sided option with more than six
hours to live): ask less bid, in ticks of 0.0001 coin.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TENOR_EDGES_DAYS = (1.0, 3.0, 10.0, 45.0, 120.0)  # rows: below, between, above
DELTA_COUNT = 10  # columns: |delta| 0.0-0.1, 0.1-0.2, ...

SPREADS_TICKS: dict[str, tuple[tuple[float, ...], ...]] = {
    "BTC": (
        (1, 3, 4, 5, 5, 10, 15, 20, 20, 25),
        (2, 3, 5, 5, 10, 10, 15, 20, 25, 30),
        (2, 4, 6, 10, 10, 10, 15, 25, 30, 35),
        (2, 5, 10, 10, 10, 10, 20, 25, 35, 40),
        (3, 10, 10, 10, 10, 10, 20, 35, 55, 85),
        (5, 15, 15, 20, 20, 30, 40, 60, 85, 215),
    ),
    "ETH": (
        (2, 4, 5, 9, 10, 10, 20, 35, 37.5, 45),
        (3, 4, 10, 10, 10, 10, 25, 35, 40, 45),
        (3, 5, 10, 10, 10, 10, 25, 35, 45, 55),
        (3, 10, 10, 10, 10, 15, 25, 40, 60, 75),
        (4, 10, 10, 15, 15, 15, 30, 90, 115, 200),
        (10, 15, 20, 25, 30, 35, 110, 175, 250, 500),
    ),
}


def tenor_rows(days: Floats) -> Ints:
    """Returns the table row of each tenor."""
    return np.searchsorted(TENOR_EDGES_DAYS, days, side="left").astype(np.int64)


def delta_columns(deltas: Floats) -> Ints:
    """Returns the table column of each delta."""
    return np.minimum((np.abs(deltas) * DELTA_COUNT).astype(np.int64), DELTA_COUNT - 1)


def median_spreads(underlying: str, days: Floats, deltas: Floats) -> Floats:
    """Returns the recorded median spread of each option, in ticks."""
    table = np.array(SPREADS_TICKS[underlying], dtype=np.float64)
    spreads: Floats = table[tenor_rows(days), delta_columns(deltas)]
    return spreads
