"""The gate in C against its oracle, over orders biased to the boundaries of every control."""

import collections
import math
import random

import pytest

from native.engine import GATE_REASONS, field_names, gate_check
from tests.differential.gate_oracle import verdict

ORDERS_PER_SEED = 4000
NOW_NS = 1_768_294_800_000_000_000
BAD = (math.nan, math.inf, -math.inf, 0.0, -1.0)


def test_oracle_and_gate_know_the_same_reasons():
    assert len(set(GATE_REASONS)) == len(GATE_REASONS)
    assert "unknown" not in GATE_REASONS


def near(source, value):
    """Returns a number at a boundary or one unit in the last place beside it."""
    return source.choice(
        (value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf), value * 0.5)
    )


def limits_of(source):
    limits = {
        "version": 1,
        "delta_coin_max": source.choice((1.0, 10.0, 0.3)),
        "vega_usd_max": source.choice((100.0, 15_000.0)),
        "gamma_coin_per_usd_max": source.choice((1e-4, 0.01)),
        "collar_vol": source.choice((0.05, 0.15)),
        "collar_coin": 0.002,
        "value_usd_max": source.choice((45_000.0, 1e6)),
        "drift_coin_max": 0.05,
        "quote_lots_max": source.choice((5, 50)),
        "position_lots_max": source.choice((10, 1000)),
        "surface_age_ns_max": 5_000_000_000,
        "tick_age_ns_max": 3_000_000_000,
        "executions_max": 10,
        "executions_ns": 1_000_000_000,
        "drift_ns": 60_000_000_000,
    }
    if source.random() < 0.02:
        name = source.choice([name for name in limits if name != "version"])
        limits[name] = source.choice(BAD) if isinstance(limits[name], float) else 0
    return limits


def stamp(source, age_ns_max):
    ages = (0, age_ns_max - 1, age_ns_max, age_ns_max + 1, -(10**9))
    weights = (40, 3, 3, 1, 3)
    return NOW_NS - source.choices(ages, weights)[0] if source.random() > 0.005 else 0


def state_of(source, limits):
    state = {
        "now_ns": NOW_NS,
        "surface_ns": stamp(source, 5_000_000_000),
        "tick_ns": stamp(source, 3_000_000_000),
        "lease_expires_ns": NOW_NS + source.choices((0, 1, -1, 10**9), (1, 4, 1, 40))[0],
        "frozen_until_ns": source.choices((0, NOW_NS, NOW_NS + 1), (40, 4, 1))[0],
        "index_usd": 90_000.0,
        "state": source.choices((0, 1, 2, -1, 3), (80, 30, 1, 1, 1))[0],
        "latches": source.choices((0, 1, 2, 3), (80, 1, 1, 1))[0],
    }
    for greek, name in (
        ("delta_coin", "delta_{}_in_flight_coin"),
        ("vega_usd", "vega_{}_in_flight_usd"),
        ("gamma_coin_per_usd", "gamma_{}_in_flight"),
    ):
        most = limits[f"{greek}_max"]
        state[greek] = source.choice((0.0, near(source, most), -near(source, most), most * 3.0))
        for way in ("up", "down"):
            state[name.format(way)] = source.choice((0.0, 0.0, near(source, most * 0.1)))
    if source.random() < 0.02:
        floats = [name for name in state if isinstance(state[name], float)]
        state[source.choice(floats)] = source.choice(BAD)
    return state


def order_of(source, limits, state):
    price = source.choice((0, 1, 49, 50, 51, 54, 55, 60, 400, 405, 10**12))
    tick = 0.0001
    lots_max = limits["quote_lots_max"]
    theo = near(source, price * tick)
    vega = source.choice((0.0, 0.02, 0.4))
    collar = max(limits["collar_vol"] * vega, limits["collar_coin"])
    order = {
        "price_ticks": price,
        "amount_lots": source.choice((0, 1, -1, lots_max, lots_max + 1, 5, 10**12 + 1)),
        "own_other_ticks": source.choice((0, price, price + 1, price - 1, price + 5, price - 5)),
        "market_ticks": source.choice((0, 0, price, price + 1, price - 1)),
        "position_lots": source.choice((0, 5, -5, 9, -9, 1000, -1000, -10, 995, -995)),
        "execution_count": source.choice((0, 0, 0, 9, 10)),
        "step_above_ticks": source.choice((50, 50, 0)),
        "step_ticks": source.choices((5, 1, 0), (20, 3, 1))[0],
        "tick_coin": tick,
        "lot_coin": source.choice((0.1, 1.0)),
        "theo_coin": source.choice((theo, near(source, price * tick + collar), 0.01)),
        "vega_coin": vega,
        "delta_coin": source.choice((0.5, -0.5, 0.0, 1e-9)),
        "vega_usd": source.choice((0.0, 90.0)),
        "gamma_coin_per_usd": source.choice((0.0, 1e-5)),
        "price_coin_min": source.choice((0.0, near(source, price * tick))),
        "price_coin_max": source.choice((1e9, near(source, price * tick))),
        "anchor_coin": source.choice((0.0, theo, near(source, price * tick + 0.05), -1.0)),
        "is_buy": source.choice((0, 1)),
        "is_latched": source.choices((0, 1), (30, 1))[0],
    }
    if source.random() < 0.02:
        floats = [name for name in order if isinstance(order[name], float)]
        order[source.choice(floats)] = source.choice(BAD)
    return order


@pytest.mark.parametrize("seed", range(8))
def test_gate_and_oracle_agree_on_every_order(seed):
    source = random.Random(seed)
    seen = collections.Counter()
    for _ in range(ORDERS_PER_SEED):
        limits = limits_of(source)
        state = state_of(source, limits)
        order = order_of(source, limits, state)
        expected = verdict(limits, state, order)
        actual = GATE_REASONS[gate_check(limits, state, order)]
        assert actual == expected, (limits, state, order)
        seen[expected] += 1
    # Every control has refused, and some orders passed; messages are counted elsewhere.
    assert set(seen) == set(GATE_REASONS) - {"rate"}


def test_the_generator_fills_every_field():
    source = random.Random(0)
    limits = limits_of(source)
    state = state_of(source, limits)
    assert set(limits) == field_names("hr_gate_limits")
    assert set(state) == field_names("hr_gate_state")
    assert set(order_of(source, limits, state)) == field_names("hr_gate_order")
