"""Forwards per expiry, as ratios to the index.

A listed and live future gives its own. Other expiries lie between their neighbours in time (the
index at time 0), kept inside what put-call parity of their live option quotes allows: in coin, a
call less a put is 1 - strike / forward. Beyond the last future its carry per year is kept; with no
future at all the middle of the parity bounds stands.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.messages.market import Tick

Floats = NDArray[np.float64]

RATIO_MIN = 0.5
RATIO_MAX = 2.0
SPREAD_RATIO_MAX = 0.02  # a future quoted wider than this is not live


def future_ratio(tick: Tick, tick_usd: float, index_usd: float) -> float | None:
    """Returns a future's mid over the index; its mark where it is not quoted; None for neither."""
    price = tick.mark_price
    if tick.is_live and tick.bid_lots > 0 and tick.ask_lots > 0:
        bid = tick.bid_ticks * tick_usd
        ask = tick.ask_ticks * tick_usd
        if 0.0 < bid < ask < bid * (1.0 + SPREAD_RATIO_MAX):
            price = 0.5 * (bid + ask)
    ratio = price / index_usd
    return ratio if RATIO_MIN < ratio < RATIO_MAX else None


def interpolated(years: float, known: Sequence[tuple[float, float]]) -> float:
    """Returns the ratio at `years` from (years, ratio) of the futures, in order of time."""
    before = (0.0, 1.0)
    for after in known:
        if after[0] >= years:
            share = (years - before[0]) / (after[0] - before[0])
            return before[1] + share * (after[1] - before[1])
        before = after
    if before[0] == 0.0:
        return 1.0
    return math.exp(math.log(before[1]) * years / before[0])


def parity_bounds(
    strikes: Floats, calls: tuple[Floats, Floats], puts: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Returns, for each strike, the least and the greatest forward that its pair allows.

    Arrays are (strike,); `calls` and `puts` are bids and asks in coin, 0 for none. 0 and infinity
    where a pair says nothing; the bounds of two strikes may cross where quotes do.
    """
    low_gap = calls[0] - puts[1]
    high_gap = calls[1] - puts[0]
    is_low = (calls[0] > 0.0) & (puts[1] > 0.0) & (low_gap < 1.0)
    is_high = (calls[1] > 0.0) & (puts[0] > 0.0) & (high_gap < 1.0)
    lows = np.where(is_low, strikes / np.where(is_low, 1.0 - low_gap, 1.0), 0.0)
    highs = np.where(is_high, strikes / np.where(is_high, 1.0 - high_gap, 1.0), math.inf)
    return lows, highs


def bounded(ratio: float, low: float, high: float, *, is_known: bool) -> float:
    """Returns the ratio moved into the bounds; their middle where nothing better is known."""
    if low > high or not (low > RATIO_MIN or high < RATIO_MAX):
        return ratio
    if not is_known and low > RATIO_MIN and high < RATIO_MAX:
        return 0.5 * (low + high)
    return min(max(ratio, low), high)
