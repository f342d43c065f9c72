"""Values and sensitivities of every instrument in the book, in coin, per unit of amount.

An option's coin value is c = V/F with V the undiscounted Black-76 price on its expiry's forward
F, so dc/dF = (Delta - c)/F: the venue's net transaction delta. An inverse future of one dollar is
worth -1/f coins (its entry value is cash, see positions.py). Arrays run over the instruments.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from native.pricing import black76_batch
from services.risk.market import Market
from shared.clock import NS_PER_YEAR
from shared.messages.market import Instrument
from shared.messages.pricing import Slice
from shared.units import E8

Floats = NDArray[np.float64]
YEARS_MIN = 1e-7  # about three seconds: an option about to settle is worth its payoff
VOL_MIN = 1e-3


@dataclass(frozen=True)
class Inputs:
    """What moves values, one entry an instrument; a future's price stands in `forwards`."""

    index_usd: float
    forwards: Floats
    vols: Floats
    years: Floats


@dataclass(frozen=True)
class Values:
    """Coin value per unit of amount and its derivatives, and dollar greeks per unit."""

    inputs: Inputs
    coin: Floats
    d_forward: Floats
    d2_forward: Floats
    d_vol: Floats
    d2_vol: Floats
    d_forward_vol: Floats
    d_years: Floats  # by calendar time, per year
    delta_coin: Floats  # net transaction delta; amount/price for futures
    gamma_coin: Floats  # d(delta_coin)/d(index)
    vega_usd: Floats  # per 1.0 of volatility
    theta_usd: Floats  # per year


class Book:
    """The instruments that have a position or had one, as arrays."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.row: dict[str, int] = {}
        self._instruments: list[Instrument] = []
        self._strikes = np.empty(0)
        self._calls = np.empty(0, dtype=np.int32)
        self._options = np.empty(0, dtype=np.intp)
        self._futures = np.empty(0, dtype=np.intp)
        self._expiry_ns = np.empty(0, dtype=np.int64)
        self._expiries: list[int] = []
        self._slice_row = np.empty(0, dtype=np.intp)

    def add(self, instrument: Instrument) -> int:
        """Returns the row of an instrument, a new one if it has none yet."""
        row = self.row.get(instrument.name)
        if row is not None:
            return row
        self.row[instrument.name] = row = len(self.names)
        self.names.append(instrument.name)
        self._instruments.append(instrument)
        is_option = [i.kind == "option" for i in self._instruments]
        self._options = np.flatnonzero(np.array(is_option))
        self._futures = np.flatnonzero(~np.array(is_option))
        options = [self._instruments[i] for i in self._options]
        self._strikes = np.array([i.strike_usd for i in options])
        self._calls = np.array([i.is_call for i in options], dtype=np.int32)
        self._expiry_ns = np.array([i.expiry_ns for i in options], dtype=np.int64)
        self._expiries = sorted({i.expiry_ns for i in options})
        self._slice_row = np.searchsorted(np.array(self._expiries), self._expiry_ns)
        return row

    def amounts(self, lots: dict[str, int]) -> Floats:
        """Returns signed amounts: coins of options, dollars of futures."""
        return np.array(
            [lots.get(i.name, 0) * i.lot_e8 / E8 for i in self._instruments], dtype=np.float64
        )

    def inputs(self, market: Market, now_ns: int) -> Inputs:
        """Returns where the market stands for each instrument of the book."""
        count = len(self.names)
        forwards, vols, years = np.empty(count), np.zeros(count), np.zeros(count)
        for row in self._futures:
            forwards[row] = market.future_price(self.names[row])
        if len(self._options):
            per_slice = [_slice_row(market.slices, expiry) for expiry in self._expiries]
            ratio, a, b, rho, m, sigma, fit_years = np.array(per_slice)[self._slice_row].T
            option_forwards = market.index_usd * ratio
            x = np.log(self._strikes / option_forwards) - m
            variance = a + b * (rho * x + np.sqrt(x * x + sigma * sigma))
            left = (self._expiry_ns - now_ns) / NS_PER_YEAR
            forwards[self._options] = option_forwards
            vols[self._options] = np.maximum(
                np.sqrt(np.maximum(variance, 0.0) / fit_years), VOL_MIN
            )
            years[self._options] = np.maximum(left, YEARS_MIN)
        return Inputs(market.index_usd, forwards, vols, years)

    def values(self, inputs: Inputs) -> Values:
        """Returns values and sensitivities at `inputs`."""
        out = np.zeros((11, len(self.names)))
        if len(self._options):
            rows = self._options
            out[:, rows] = self._option_values(inputs, rows)
        price = inputs.forwards[self._futures]
        inverse = 1.0 / price
        out[0, self._futures] = -inverse
        out[1, self._futures] = inverse * inverse
        out[2, self._futures] = -2.0 * inverse**3
        out[7, self._futures] = inverse
        out[8, self._futures] = -inverse * inverse * price / inputs.index_usd
        return Values(inputs, *out)

    def coin_grid(self, forwards: Floats, vols: Floats, years: Floats) -> Floats:
        """Returns coin values per unit, shape (scenario, instrument), in one call."""
        coin = -1.0 / forwards
        if len(self._options):
            rows, count = self._options, len(forwards)
            flat = [grid[:, rows].ravel() for grid in (forwards, years, vols)]
            greeks = black76_batch(
                flat[0],
                np.tile(self._strikes, count),
                flat[1],
                flat[2],
                np.tile(self._calls, count),
            )
            coin[:, rows] = (greeks.price / flat[0]).reshape(count, len(rows))
        return coin

    def _option_values(self, inputs: Inputs, rows: NDArray[np.intp]) -> Floats:
        forward, vol, years = inputs.forwards[rows], inputs.vols[rows], inputs.years[rows]
        greeks = black76_batch(forward, self._strikes, years, vol, self._calls)
        coin = greeks.price / forward
        net = greeks.delta - coin
        return np.array([
            coin,
            net / forward,
            greeks.gamma / forward - 2.0 * net / forward**2,
            greeks.vega / forward,
            greeks.volga / forward,
            (greeks.vanna - greeks.vega / forward) / forward,
            greeks.theta / forward,
            net,
            (greeks.gamma - net / forward) * forward / inputs.index_usd,
            greeks.vega,
            greeks.theta,
        ])  # fmt: skip


def _slice_row(slices: dict[int, Slice], expiry_ns: int) -> tuple[float, ...]:
    """Returns one expiry's parameters; of the nearest expiry where it has no slice."""
    found = slices.get(expiry_ns)
    if found is None:
        found = slices[min(slices, key=lambda other: (abs(other - expiry_ns), other))]
    return (
        found.forward_ratio, found.a, found.b, found.rho, found.m, found.sigma, found.years,
    )  # fmt: skip
