"""hftbacktest's event loop: one turn takes the next market event from the simulated feed, updates
the local book, reads the best prices and submits a limit order, all compiled by Numba. Runs in an
environment of its own: `python peer_hftbacktest.py TICKS` prints the nanoseconds of each turn as a
JSON array.

The order before is cancelled within the turn's own time, as a quoter must. Simulated feed and
exchange: no socket and no serialisation are in it.
"""

import ctypes
import json
import sys
from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

STEP_NS = 100_000
LATENCY_NS = 10_000
WARM_UP = 1_000
TIMEOUT_NS = 1_000_000_000
CLOCK_MONOTONIC = 1

clock_gettime = ctypes.CDLL(None).clock_gettime
clock_gettime.argtypes = [ctypes.c_int, ctypes.c_size_t]
clock_gettime.restype = ctypes.c_int


@njit  # type: ignore[untyped-decorator]
def turns(market: Any, took_ns: Any, clock: Any) -> int:
    """Runs until the feed ends or `took_ns` is full; returns how many turns there were."""
    for turn in range(len(took_ns)):
        clock_gettime(CLOCK_MONOTONIC, clock.ctypes.data)
        began_ns = clock[0] * 1_000_000_000 + clock[1]
        if market.wait_next_feed(False, TIMEOUT_NS) != 2:
            return turn
        depth = market.depth(0)
        price = depth.best_bid - 100.0 * depth.tick_size
        if turn:
            market.cancel(0, turn, False)
            market.clear_inactive_orders(0)
        market.submit_buy_order(0, turn + 1, price, 1.0, GTC, LIMIT, False)
        clock_gettime(CLOCK_MONOTONIC, clock.ctypes.data)
        took_ns[turn] = clock[0] * 1_000_000_000 + clock[1] - began_ns
    return len(took_ns)


def feed(count: int) -> Any:
    """Returns a book of two levels, then one bid level coming and going."""
    events = np.zeros(count + 2, dtype=event_dtype)
    both = EXCH_EVENT | LOCAL_EVENT | DEPTH_EVENT
    events["exch_ts"] = np.arange(1, count + 3) * STEP_NS
    events["local_ts"] = events["exch_ts"] + LATENCY_NS
    events["ev"] = both | BUY_EVENT
    events["ev"][1] = both | SELL_EVENT
    events["px"], events["qty"] = 60_001.0, np.arange(count + 2) % 2 * 1.0
    events["px"][:2], events["qty"][:2] = (60_000.0, 60_010.0), 1.0
    return events


def main() -> None:
    count = int(sys.argv[1]) + WARM_UP
    events = feed(count)  # the library reads it where it lies
    asset = (
        BacktestAsset()
        .data([events])
        .linear_asset(1.0)
        .constant_order_latency(LATENCY_NS, LATENCY_NS)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(0.5)
        .lot_size(0.001)
    )
    market = HashMapMarketDepthBacktest([asset])
    took_ns, clock = np.zeros(count, dtype=np.int64), np.zeros(2, dtype=np.int64)
    done = turns(market, took_ns, clock)
    market.close()
    print(json.dumps(took_ns[WARM_UP:done].tolist()))


if __name__ == "__main__":
    main()
