"""What the recorded chains say of spreads and of where trade happens, by tenor and |delta|.

From the 52 chains of January to March 2026. Spreads: the median of ask less bid, in ticks of 0.0001
coin, over two-sided options with more than six hours to live. Volumes: percent of the day's volume,
of every fourth chain.
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


VOLUME_PERCENT: dict[str, tuple[tuple[float, ...], ...]] = {
    "BTC": (
        (6.0, 1.1, 0.6, 0.4, 0.2, 0.3, 0.3, 0.4, 0.6, 1.3),
        (4.4, 1.3, 1.4, 0.5, 0.7, 1.0, 0.3, 0.7, 0.5, 0.4),
        (4.8, 3.5, 1.7, 1.5, 1.1, 0.8, 0.8, 0.3, 0.3, 0.2),
        (10.4, 6.7, 7.5, 3.8, 5.4, 3.4, 1.5, 0.5, 0.3, 0.4),
        (2.9, 2.0, 2.8, 2.7, 2.0, 2.1, 0.7, 0.1, 0.1, 0.1),
        (1.6, 1.0, 1.0, 1.6, 0.7, 1.0, 0.4, 0.2, 0.1, 0.0),
    ),
    "ETH": (
        (7.6, 1.9, 1.1, 0.9, 0.5, 0.7, 0.6, 0.5, 0.7, 1.2),
        (3.7, 1.6, 1.3, 1.0, 1.7, 0.9, 0.4, 0.7, 0.3, 0.4),
        (3.6, 2.8, 2.4, 3.2, 2.1, 1.7, 1.2, 0.4, 0.5, 0.4),
        (5.6, 4.9, 4.5, 3.4, 3.2, 2.1, 0.8, 0.8, 0.3, 0.4),
        (4.3, 3.6, 1.8, 4.9, 2.6, 1.9, 0.5, 0.1, 0.4, 0.3),
        (2.3, 0.7, 0.9, 1.4, 0.7, 0.9, 0.6, 0.1, 0.0, 0.0),
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


def volume_shares(underlying: str, days: Floats, deltas: Floats, weights: Floats) -> Floats:
    """Returns the share of trade that each option draws; a cell's is split by `weights`."""
    table = np.array(VOLUME_PERCENT[underlying], dtype=np.float64)
    cells = tenor_rows(days) * DELTA_COUNT + delta_columns(deltas)
    totals = np.bincount(cells, weights, table.size)
    split = weights / np.maximum(totals[cells], 1e-12)
    shares: Floats = table.ravel()[cells] * split
    return shares
