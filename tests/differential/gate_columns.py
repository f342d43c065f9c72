"""Orders for the gate by the million: columns of limits, state and order, biased to boundaries.

Each row is a whole struct as the C reads it. Most rows stand so that one control decides: the
others are given room, and the number that the one looks at lies on its bound or one unit in the
last place beside it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from native.library import ffi

Columns = NDArray[np.void]  # (orders), fields of a struct
Floats = NDArray[np.float64]

NOW_NS = 1_768_294_800_000_000_000
SECOND_NS = 10**9
BAD = np.array([np.nan, np.inf, -np.inf, 0.0, -1.0])
KINDS = {"int64_t": "<i8", "int32_t": "<i4", "double": "<f8"}


def dtype_of(struct: str) -> np.dtype[np.void]:
    """Returns the memory of a C struct as a NumPy type."""
    fields = ffi.typeof(struct).fields
    return np.dtype(
        {
            "names": [name for name, _ in fields],
            "formats": [KINDS[field.type.cname] for _, field in fields],
            "offsets": [field.offset for _, field in fields],
            "itemsize": ffi.sizeof(struct),
        }
    )


LIMITS = dtype_of("hr_gate_limits")
STATE = dtype_of("hr_gate_state")
ORDER = dtype_of("hr_gate_order")


class Orders:
    """Draws rows of one size from one seed."""

    def __init__(self, seed: int, count: int) -> None:
        self._random = np.random.default_rng(seed)
        self._count = count

    def draw(self) -> tuple[Columns, Columns, Columns]:
        limits = self._limits()
        order = self._order(limits)
        state = self._state(limits, order)
        self._spoil(limits, 0.01)
        self._spoil(state, 0.01)
        self._spoil(order, 0.02)
        return limits, state, order

    def _pick(self, values: Any, weights: Any = None) -> Any:
        share = None if weights is None else np.asarray(weights, float) / sum(weights)
        return self._random.choice(np.asarray(values), size=self._count, p=share)

    def _chance(self, share: float) -> NDArray[np.bool_]:
        return self._random.random(self._count) < share

    def _near(self, bound: Floats) -> Floats:
        """Returns the bound, a unit in the last place beside it, or well inside."""
        way = self._pick([0, 1, 2, 3], [3, 2, 2, 3])
        return np.select(
            [way == 0, way == 1, way == 2],
            [bound, np.nextafter(bound, np.inf), np.nextafter(bound, -np.inf)],
            bound * 0.5,
        )

    def _limits(self) -> Columns:
        rows = np.zeros(self._count, LIMITS)
        rows["version"] = 1
        rows["delta_coin_max"] = self._pick([0.3, 1.0, 10.0, 250.0])
        rows["vega_usd_max"] = self._pick([100.0, 15_000.0])
        rows["gamma_coin_per_usd_max"] = self._pick([1e-4, 0.01, 5.0])
        rows["collar_vol"] = self._pick([0.05, 0.15])
        rows["collar_coin"] = self._pick([0.002, 0.0005])
        rows["value_usd_max"] = self._pick([45_000.0, 1e6, 2e6])
        rows["drift_coin_max"] = self._pick([0.05, 0.003])
        rows["quote_lots_max"] = self._pick([5, 50])
        rows["position_lots_max"] = self._pick([10, 100, 1000])
        rows["surface_age_ns_max"] = 5 * SECOND_NS
        rows["tick_age_ns_max"] = 3 * SECOND_NS
        rows["executions_max"] = self._pick([1, 10, 100])
        rows["executions_ns"] = SECOND_NS
        rows["drift_ns"] = 60 * SECOND_NS
        return rows

    def _order(self, limits: Columns) -> Columns:
        rows = np.zeros(self._count, ORDER)
        ticks = self._pick([0, 1, 7, 49, 50, 51, 54, 55, 60, 400, 405, 10**12], [1] * 11 + [0.1])
        most = limits["quote_lots_max"]
        rows["price_ticks"] = ticks
        rows["tick_coin"] = self._pick([0.0001, 0.0005])
        rows["lot_coin"] = self._pick([0.1, 1.0])
        rows["amount_lots"] = self._pick([1, 5, 4, 0, -1, 10**12 + 1], [8, 8, 4, 0.3, 0.3, 0.1])
        at_most = self._chance(0.3)
        rows["amount_lots"][at_most] = (most + self._pick([0, 1, -1], [4, 1, 2]))[at_most]
        rows["own_other_ticks"] = self._beside(ticks)
        rows["market_ticks"] = self._beside(ticks)
        rows["execution_count"] = np.where(
            self._chance(0.8), 0, limits["executions_max"] - self._pick([0, 1, 1, 1])
        )
        rows["step_above_ticks"] = self._pick([50, 50, 0])
        rows["step_ticks"] = self._pick([5, 1, 0], [20, 3, 1])
        rows["is_buy"] = self._pick([0, 1])
        rows["is_latched"] = self._pick([0, 1], [40, 1])
        rows["position_lots"] = self._positions(limits, rows)
        self._prices(limits, rows)
        return rows

    def _beside(self, ticks: Any) -> Any:
        """Mostly out of the way of a price, else on it or beside it."""
        distance = self._pick([0, 1, -1, 5, -5], [1, 2, 2, 1, 1])
        return np.where(self._chance(0.7), 0, np.maximum(ticks + distance, 0))

    def _positions(self, limits: Columns, rows: Columns) -> Any:
        most, amount = limits["position_lots_max"], rows["amount_lots"]
        beside = self._pick([0, 1, -1])
        sign = self._pick([1, -1])
        near_limit = sign * (most - amount + beside)
        near_zero = sign * (amount + beside)
        beyond = sign * (most + 7)
        kind = self._pick([0, 1, 2, 3], [4, 2, 3, 1])
        return np.select(
            [kind == 0, kind == 1, kind == 2], [0 * most, near_limit, near_zero], beyond
        )

    def _prices(self, limits: Columns, rows: Columns) -> None:
        price = rows["price_ticks"] * rows["tick_coin"]
        rows["vega_coin"] = self._pick([0.0, 0.02, 0.1, 0.4])
        collar = np.maximum(limits["collar_vol"] * rows["vega_coin"], limits["collar_coin"])
        sign = self._pick([1.0, -1.0])
        kind = self._pick([0, 1], [3, 1])
        rows["theo_coin"] = np.where(
            kind == 0, self._near(price), self._near(price + sign * collar)
        )
        rows["anchor_coin"] = np.select(
            [self._chance(0.4), self._chance(0.6)],
            [0.0 * price, rows["theo_coin"]],
            self._near(price + self._pick([1.0, -1.0]) * limits["drift_coin_max"]),
        )
        rows["price_coin_min"] = np.where(self._chance(0.7), 0.0, self._near(price))
        rows["price_coin_max"] = np.where(self._chance(0.7), 1e9, self._near(price))
        rows["delta_coin"] = self._pick([0.5, -0.5, 0.0, 1e-9, 0.05])
        rows["vega_usd"] = self._pick([0.0, 9.0, 90.0])
        rows["gamma_coin_per_usd"] = self._pick([0.0, 1e-5, -1e-6])

    def _stamp(self, age_ns_max: int) -> Any:
        ages = self._pick(
            [0, age_ns_max - 1, age_ns_max, age_ns_max + 1, -SECOND_NS], [40, 2, 2, 1, 2]
        )
        return np.where(self._chance(0.003), 0, NOW_NS - ages)

    def _state(self, limits: Columns, order: Columns) -> Columns:
        rows = np.zeros(self._count, STATE)
        rows["now_ns"] = NOW_NS
        rows["surface_ns"] = self._stamp(5 * SECOND_NS)
        rows["tick_ns"] = self._stamp(3 * SECOND_NS)
        rows["lease_expires_ns"] = NOW_NS + self._pick([0, 1, -1, SECOND_NS], [0.3, 2, 0.3, 40])
        rows["frozen_until_ns"] = self._pick([0, NOW_NS, NOW_NS + 1], [40, 2, 0.5])
        rows["state"] = self._pick([0, 1, 2, -1, 3], [80, 20, 0.5, 0.2, 0.2])
        rows["latches"] = self._pick([0, 1, 2, 3], [80, 0.4, 0.4, 0.2])
        coin = order["amount_lots"] * order["lot_coin"]
        whole = np.divide(limits["value_usd_max"], coin, out=np.ones_like(coin), where=coin > 0)
        rows["index_usd"] = np.where(self._chance(0.75), 1000.0, self._near(whole))
        for greek, flight in (
            ("delta_coin", "delta_{}_in_flight_coin"),
            ("vega_usd", "vega_{}_in_flight_usd"),
            ("gamma_coin_per_usd", "gamma_{}_in_flight"),
        ):
            most = limits[f"{greek}_max"]
            change = coin * order[greek]
            waiting = np.where(self._chance(0.6), 0.0, self._near(0.1 * most))
            rows[flight.format("up")] = np.where(self._chance(0.7), waiting, 0.2 * most)
            rows[flight.format("down")] = np.where(self._chance(0.7), waiting, 0.3 * most)
            sign = self._pick([1.0, -1.0])
            edge = sign * (most - waiting) - np.where(self._chance(0.5), 1.0, -1.0) * change
            kind = self._pick([0, 1, 2, 3], [10, 4, 1, 1])
            rows[greek] = np.select(
                [kind == 0, kind == 1, kind == 2], [0.0 * most, self._near(edge), -change], 3 * most
            )
        return rows

    def _spoil(self, rows: Columns, share: float) -> None:
        """Puts numbers that are none into a few rows, one field each."""
        where = np.flatnonzero(self._chance(share))
        names = [name for name in rows.dtype.names or () if rows.dtype[name].kind == "f"]
        which = self._random.integers(len(names), size=len(where))
        for index, name in enumerate(names):
            chosen = where[which == index]
            rows[name][chosen] = self._random.choice(BAD, size=len(chosen))
