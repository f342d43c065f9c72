"""The gate a third time: over columns, from the control list, sharing no code with the C.

A control is a function from the three tables to the rows that it refuses, written for every order
alike: no early return, no branch by side. The verdict of a row is the first control, in the order
that the header numbers them in, that refuses it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.differential.gate_columns import Columns, Floats

Refused = NDArray[np.bool_]  # (orders)

COUNT_MAX = 10**12


def positive(values: Any) -> Refused:
    """A NaN is not; infinity neither."""
    return np.isfinite(values) & (values > 0)


def way(order: Columns) -> NDArray[np.int64]:
    """+1 for a bid, -1 for an offer."""
    return np.where(order["is_buy"] != 0, 1, -1)


def price(order: Columns) -> Floats:
    return order["price_ticks"] * order["tick_coin"]  # type: ignore[no-any-return]


def no_limits(limits: Columns, state: Columns, order: Columns) -> Refused:
    names = [name for name in limits.dtype.names or () if name != "version"]
    return ~np.logical_and.reduce([positive(limits[name]) for name in names])


def halted(limits: Columns, state: Columns, order: Columns) -> Refused:
    return ~np.isin(state["state"], (0, 1))


def excess(limits: Columns, state: Columns, order: Columns) -> Refused:
    return (state["latches"] // 2) % 2 == 1


def tripped(limits: Columns, state: Columns, order: Columns) -> Refused:
    return state["latches"] % 2 == 1


def no_lease(limits: Columns, state: Columns, order: Columns) -> Refused:
    return (state["now_ns"] < 1) | (state["lease_expires_ns"] - state["now_ns"] < 1)


def stale(state: Columns, stamp: str, age_ns_max: Any) -> Refused:
    return (state[stamp] < 1) | (state["now_ns"] - age_ns_max > state[stamp])


def stale_surface(limits: Columns, state: Columns, order: Columns) -> Refused:
    return stale(state, "surface_ns", limits["surface_age_ns_max"])


def stale_tick(limits: Columns, state: Columns, order: Columns) -> Refused:
    return stale(state, "tick_ns", limits["tick_age_ns_max"])


def frozen(limits: Columns, state: Columns, order: Columns) -> Refused:
    return state["frozen_until_ns"] - state["now_ns"] > 0


def not_finite(limits: Columns, state: Columns, order: Columns) -> Refused:
    good = positive(state["index_usd"])
    for name in ("delta_coin", "vega_usd", "gamma_coin_per_usd"):
        good &= np.isfinite(state[name])
    for name in ("tick_coin", "lot_coin", "theo_coin"):
        good &= positive(order[name])
    for name in ("price_ticks", "amount_lots", "position_lots"):
        good &= np.abs(order[name]) <= COUNT_MAX
    for name in (
        "vega_coin",
        "delta_coin",
        "vega_usd",
        "gamma_coin_per_usd",
        "price_coin_min",
        "price_coin_max",
        "anchor_coin",
    ):
        good &= np.isfinite(order[name])
    return ~(good & (order["vega_coin"] >= 0))


def size(limits: Columns, state: Columns, order: Columns) -> Refused:
    return (order["amount_lots"] < 1) | (order["amount_lots"] > limits["quote_lots_max"])


def value(limits: Columns, state: Columns, order: Columns) -> Refused:
    usd = order["amount_lots"] * order["lot_coin"] * state["index_usd"]
    return ~(usd <= limits["value_usd_max"])


def grid(limits: Columns, state: Columns, order: Columns) -> Refused:
    ticks, above, step = order["price_ticks"], order["step_above_ticks"], order["step_ticks"]
    rest = np.where(step > 0, ticks % np.maximum(step, 1), 1)
    return (ticks < 1) | ((above > 0) & (ticks > above) & (rest != 0))


def crossed(limits: Columns, state: Columns, order: Columns) -> Refused:
    """Against its own other side or the market's: a bid at or above, an offer at or below."""
    refused = np.zeros(len(order), bool)
    for name in ("own_other_ticks", "market_ticks"):
        across = order[name]
        refused |= (across > 0) & (way(order) * (across - order["price_ticks"]) < 1)
    return refused


def bounds(limits: Columns, state: Columns, order: Columns) -> Refused:
    is_buy = order["is_buy"] != 0
    too_dear = is_buy & (price(order) > order["price_coin_max"])
    return too_dear | (~is_buy & (price(order) < order["price_coin_min"]))


def collar(limits: Columns, state: Columns, order: Columns) -> Refused:
    distance = np.abs(price(order) - order["theo_coin"])
    by_vol = order["vega_coin"] * limits["collar_vol"]
    return (distance > by_vol) & (distance > limits["collar_coin"])


def drift(limits: Columns, state: Columns, order: Columns) -> Refused:
    distance = np.abs(order["anchor_coin"] - price(order))
    return (order["anchor_coin"] > 0) & (distance > limits["drift_coin_max"])


def reducing(limits: Columns, state: Columns, order: Columns) -> Refused:
    """Only from a position, only towards zero, never through it."""
    held = order["position_lots"] * way(order)
    return (state["state"] == 1) & ((held > -1) | (held + order["amount_lots"] > 0))


def position(limits: Columns, state: Columns, order: Columns) -> Refused:
    before = order["position_lots"]
    after = before + way(order) * order["amount_lots"]
    is_opening = np.abs(after) > np.abs(before)
    return is_opening & (np.abs(after) > limits["position_lots_max"])


def exposure(greek: str, flight: str) -> Callable[[Columns, Columns, Columns], Refused]:
    """What brings a sum nearer to zero passes; the rest fits with all that may be filled too."""

    def refuse(limits: Columns, state: Columns, order: Columns) -> Refused:
        change = way(order) * order["amount_lots"] * order["lot_coin"] * order[greek]
        after = state[greek] + change
        up = after + state[flight.format("up")]
        down = after - state[flight.format("down")]
        most = limits[f"{greek}_max"]
        fits = np.where(change > 0, up <= most, -down <= most)
        return (np.abs(after) > np.abs(state[greek])) & ~fits

    return refuse


def repeated(limits: Columns, state: Columns, order: Columns) -> Refused:
    return (order["is_latched"] != 0) | (order["execution_count"] >= limits["executions_max"])


CONTROLS: dict[str, Callable[[Columns, Columns, Columns], Refused]] = {
    "no_limits": no_limits,
    "halted": halted,
    "excess": excess,
    "tripped": tripped,
    "no_lease": no_lease,
    "stale_surface": stale_surface,
    "stale_tick": stale_tick,
    "frozen": frozen,
    "not_finite": not_finite,
    "size": size,
    "value": value,
    "grid": grid,
    "crossed": crossed,
    "bounds": bounds,
    "collar": collar,
    "drift": drift,
    "reducing": reducing,
    "position": position,
    "delta": exposure("delta_coin", "delta_{}_in_flight_coin"),
    "vega": exposure("vega_usd", "vega_{}_in_flight_usd"),
    "gamma": exposure("gamma_coin_per_usd", "gamma_{}_in_flight"),
    "repeated": repeated,
}


def judge(limits: Columns, state: Columns, order: Columns, without: str = "") -> NDArray[np.str_]:
    """Returns the name of the first control that refuses each row, or "ok"; one may be off."""
    named = {name: refuse for name, refuse in CONTROLS.items() if name != without}
    with np.errstate(all="ignore"):
        refused = np.array([refuse(limits, state, order) for refuse in named.values()])
    names = np.array([*named, "ok"])
    first = np.where(refused.any(axis=0), refused.argmax(axis=0), len(named))
    return names[first]
