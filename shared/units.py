"""Ticks, lots and coins: the integer units of the desk, and conversions that name their rounding.

A price is a whole number of an instrument's base ticks, an amount a whole number of its lots
(the minimum trade amount). Tick and lot sizes are integers in 1e-8 of their unit (`_e8`), money is
an integer in 1e-12 coin (`_coin_e12`).
"""

import math
from typing import Protocol

E8 = 100_000_000
E12 = 1_000_000_000_000


class Quantised(Protocol):
    """What a conversion needs to know of an instrument."""

    @property
    def tick_e8(self) -> int: ...
    @property
    def lot_e8(self) -> int: ...


def price_from_ticks(instrument: Quantised, price_ticks: int) -> float:
    """Returns the price in its quote unit (coin for options, USD for futures)."""
    return price_ticks * instrument.tick_e8 / E8


def ticks_nearest(instrument: Quantised, price: float) -> int:
    """Returns the nearest whole tick; for prices that come from the venue and are on the grid."""
    return round(price * E8 / instrument.tick_e8)


def amount_from_lots(instrument: Quantised, amount_lots: int) -> float:
    """Returns the amount in its unit (coin for options, USD for inverse futures)."""
    return amount_lots * instrument.lot_e8 / E8


def lots_nearest(instrument: Quantised, amount: float) -> int:
    """Returns the nearest whole lot; for amounts that come from the venue."""
    return round(amount * E8 / instrument.lot_e8)


def lots_floor(instrument: Quantised, amount: float) -> int:
    """Returns the whole lots inside an amount, towards zero; never more than was asked."""
    return math.trunc(amount * E8 / instrument.lot_e8 + math.copysign(1e-9, amount))


def coin_e12_nearest(coin: float) -> int:
    """Returns money in 1e-12 coin. Raises ValueError on NaN or infinity."""
    if not math.isfinite(coin):
        raise ValueError(f"money was {coin}")
    return round(coin * E12)
