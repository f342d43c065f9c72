"""The gate a second time, in plain Python and from the control list, sharing no code with the C.

Prices and exposures are compared exactly as stated there; only the order of reasons is taken over,
so that verdicts can be compared one by one.
"""

import math

INT_RANGE = 10**12


def verdict(limits, state, order):
    """Returns the name of the first control that refuses, or "ok"."""
    for control in (
        _limits_present,
        _not_halted,
        _not_latched,
        _has_lease,
        _surface_fresh,
        _tick_fresh,
        _not_frozen,
        _state_finite,
        _order_finite,
        _size,
        _value,
        _grid,
        _crossed,
        _bounds,
        _collar,
        _drift,
        _reducing,
        _position,
        _delta,
        _vega,
        _gamma,
        _repeated,
    ):
        reason = control(limits, state, order)
        if reason:
            return reason
    return "ok"


def _limits_present(limits, state, order):
    for name, value in limits.items():
        if name != "version" and not (math.isfinite(value) and value > 0):
            return "no_limits"
    return ""


def _not_halted(limits, state, order):
    return "" if state["state"] in (0, 1) else "halted"


def _not_latched(limits, state, order):
    if state["latches"] == 0:
        return ""
    return "tripped" if state["latches"] % 4 == 1 else "excess"


def _has_lease(limits, state, order):
    is_leased = 0 < state["now_ns"] < state["lease_expires_ns"]
    return "" if is_leased else "no_lease"


def _fresh(state, stamp_ns, age_ns_max):
    return stamp_ns > 0 and state["now_ns"] <= stamp_ns + age_ns_max


def _surface_fresh(limits, state, order):
    is_fresh = _fresh(state, state["surface_ns"], limits["surface_age_ns_max"])
    return "" if is_fresh else "stale_surface"


def _tick_fresh(limits, state, order):
    return "" if _fresh(state, state["tick_ns"], limits["tick_age_ns_max"]) else "stale_tick"


def _not_frozen(limits, state, order):
    return "frozen" if state["frozen_until_ns"] > state["now_ns"] else ""


def _state_finite(limits, state, order):
    numbers = ("index_usd", "delta_coin", "vega_usd", "gamma_coin_per_usd")
    is_good = all(math.isfinite(state[name]) for name in numbers) and state["index_usd"] > 0
    return "" if is_good else "not_finite"


def _order_finite(limits, state, order):
    positive = all(
        math.isfinite(order[name]) and order[name] > 0
        for name in ("tick_coin", "lot_coin", "theo_coin")
    )
    finite = all(
        math.isfinite(order[name])
        for name in (
            "vega_coin",
            "delta_coin",
            "vega_usd",
            "gamma_coin_per_usd",
            "price_coin_min",
            "price_coin_max",
            "anchor_coin",
        )
    )
    counted = all(
        abs(order[name]) <= INT_RANGE for name in ("price_ticks", "amount_lots", "position_lots")
    )
    return "" if positive and finite and counted and order["vega_coin"] >= 0 else "not_finite"


def _size(limits, state, order):
    return "" if 1 <= order["amount_lots"] <= limits["quote_lots_max"] else "size"


def _value(limits, state, order):
    value_usd = order["amount_lots"] * order["lot_coin"] * state["index_usd"]
    return "" if value_usd <= limits["value_usd_max"] else "value"


def _grid(limits, state, order):
    price, above, step = order["price_ticks"], order["step_above_ticks"], order["step_ticks"]
    if price < 1:
        return "grid"
    if 0 < above < price and (step < 1 or price % step):
        return "grid"
    return ""


def _crossed(limits, state, order):
    others = [p for p in (order["own_other_ticks"], order["market_ticks"]) if p > 0]
    price = order["price_ticks"]
    if order["is_buy"]:
        return "crossed" if others and price >= min(others) else ""
    return "crossed" if others and price <= max(others) else ""


def _price_coin(order):
    return order["price_ticks"] * order["tick_coin"]


def _bounds(limits, state, order):
    if order["is_buy"]:
        return "bounds" if _price_coin(order) > order["price_coin_max"] else ""
    return "bounds" if _price_coin(order) < order["price_coin_min"] else ""


def _collar(limits, state, order):
    collar = max(limits["collar_vol"] * order["vega_coin"], limits["collar_coin"])
    return "collar" if abs(_price_coin(order) - order["theo_coin"]) > collar else ""


def _drift(limits, state, order):
    if order["anchor_coin"] <= 0:
        return ""
    moved = abs(_price_coin(order) - order["anchor_coin"])
    return "drift" if moved > limits["drift_coin_max"] else ""


def _signed_lots(order):
    return order["amount_lots"] * (1 if order["is_buy"] else -1)


def _reducing(limits, state, order):
    if state["state"] != 1:
        return ""
    before, after = order["position_lots"], order["position_lots"] + _signed_lots(order)
    is_nearer = abs(after) < abs(before) and before * after >= 0
    return "" if is_nearer else "reducing"


def _position(limits, state, order):
    before, after = order["position_lots"], order["position_lots"] + _signed_lots(order)
    if abs(after) <= abs(before):
        return ""
    return "position" if abs(after) > limits["position_lots_max"] else ""


def _exposure(now, change, up, down, most):
    """Opening exposure must fit with everything that may be filled the same way meanwhile."""
    after = now + change
    if abs(after) <= abs(now):
        return False
    worst = after + up if change > 0 else after - down
    fits = worst <= most if change > 0 else worst >= -most
    return not fits  # a NaN fits nowhere


def _delta(limits, state, order):
    change = _signed_lots(order) * order["lot_coin"] * order["delta_coin"]
    is_over = _exposure(
        state["delta_coin"],
        change,
        state["delta_up_in_flight_coin"],
        state["delta_down_in_flight_coin"],
        limits["delta_coin_max"],
    )
    return "delta" if is_over else ""


def _vega(limits, state, order):
    change = _signed_lots(order) * order["lot_coin"] * order["vega_usd"]
    is_over = _exposure(
        state["vega_usd"],
        change,
        state["vega_up_in_flight_usd"],
        state["vega_down_in_flight_usd"],
        limits["vega_usd_max"],
    )
    return "vega" if is_over else ""


def _gamma(limits, state, order):
    change = _signed_lots(order) * order["lot_coin"] * order["gamma_coin_per_usd"]
    is_over = _exposure(
        state["gamma_coin_per_usd"],
        change,
        state["gamma_up_in_flight"],
        state["gamma_down_in_flight"],
        limits["gamma_coin_per_usd_max"],
    )
    return "gamma" if is_over else ""


def _repeated(limits, state, order):
    is_over = order["is_latched"] or order["execution_count"] >= limits["executions_max"]
    return "repeated" if is_over else ""
