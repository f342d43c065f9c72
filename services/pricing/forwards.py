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
    strikes: Floats, is_call: NDArray[np.bool_], bids: Floats, asks: Floats, index_usd: float
) -> tuple[float, float]:
    """Returns the least and the greatest ratio that no pair of one expiry contradicts.

    Arrays are (option,), prices in coin, 0 for none. (0, inf) where no pair is quoted; the bounds
    may cross where quotes do.
    """
    low, high = 0.0, math.inf
    rows = list(zip(strikes.tolist(), is_call.tolist(), bids.tolist(), asks.tolist(), strict=True))
    calls = {strike: (bid, ask) for strike, is_a_call, bid, ask in rows if is_a_call}
    for strike, is_a_call, put_bid, put_ask in rows:
        call_bid, call_ask = calls.get(strike, (0.0, 0.0))
        if is_a_call:
            continue
        if call_bid > 0.0 and put_ask > 0.0 and call_bid - put_ask < 1.0:
            low = max(low, strike / (1.0 - (call_bid - put_ask)))
        if call_ask > 0.0 and put_bid > 0.0 and call_ask - put_bid < 1.0:
            high = min(high, strike / (1.0 - (call_ask - put_bid)))
    return low / index_usd, high / index_usd


def bounded(ratio: float, low: float, high: float, *, is_known: bool) -> float:
    """Returns the ratio moved into the bounds; their middle where nothing better is known."""
    if low > high or not (low > RATIO_MIN or high < RATIO_MAX):
        return ratio
    if not is_known and low > RATIO_MIN and high < RATIO_MAX:
        return 0.5 * (low + high)
    return min(max(ratio, low), high)
