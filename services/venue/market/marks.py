"""Marks: what the venue says everything is worth.

Options: undiscounted Black-76 on the expiry's forward at the market's own volatility, divided by
the forward (coin). Futures: the forward itself. All arrays are by instrument index.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from native.library import NativeError
from native.pricing import black76, black76_batch, implied_vol
from shared.clock import NS_PER_YEAR
from shared.messages.market import Instrument

Floats = NDArray[np.float64]

YEARS_MIN = 1e-7  # about three seconds: keeps greeks finite up to expiry
VOL_MIN = 0.01
OPTION_BAND_COIN = 0.04  # price band of options: mark +/- the larger of this and half the mark
OPTION_BAND_RATIO = 0.5
FUTURE_BAND_RATIO = 0.015
ONE_DAY_YEARS = 1.0 / 365.0
THIRTY_DAYS_YEARS = 30.0 / 365.0
COLUMNS = ("prices", "forwards", "vols", "deltas", "gammas", "vegas", "thetas", "_residuals")


class Fair(Protocol):
    """What the market knows: the index, forwards and volatilities."""

    def index_usd(self, currency: str) -> float: ...

    def forwards_usd(self) -> Floats:
        """Returns the forward of every instrument's expiry; the fair price of a future."""
        ...

    def vols(self) -> Floats:
        """Returns the volatility of every instrument, annualised; 0 for futures."""
        ...

    def mark_residuals_coin(self) -> Floats:
        """Returns what a recorded mark had beyond the model, of every instrument."""
        ...


class Marks:
    """Marks of all instruments, refreshed once a second, and exact ones on demand."""

    def __init__(self, instruments: list[Instrument], fair: Fair) -> None:
        self._fair = fair
        self._instruments = tuple(instruments)
        self.version = 0
        self._index_usd: dict[str, float] = {}
        count = len(instruments)
        self.prices = np.zeros(count)  # (instrument,), coin or USD
        self.forwards = np.zeros(count)  # (instrument,), USD
        self.vols = np.zeros(count)  # (instrument,), annualised
        self.deltas = np.zeros(count)  # (instrument,), N(d1) or N(d1)-1
        self.gammas = np.zeros(count)  # (instrument,), per USD
        self.vegas = np.zeros(count)  # (instrument,), USD per vol point
        self.thetas = np.zeros(count)  # (instrument,), USD per day
        self.low_ticks = [1] * count  # lowest sale
        self.high_ticks = [1] * count  # highest buy
        self._residuals = np.zeros(count)  # (instrument,), coin
        self._lay_out()

    def add_contracts(self, instruments: Sequence[Instrument]) -> None:
        """More contracts follow on those known; the next refresh prices them too."""
        self._instruments += tuple(instruments)
        more = len(instruments)
        for name in COLUMNS:
            setattr(self, name, np.append(getattr(self, name), np.zeros(more)))
        self.low_ticks = [*self.low_ticks, *([1] * more)]
        self.high_ticks = [*self.high_ticks, *([1] * more)]
        self._lay_out()

    def _lay_out(self) -> None:
        """Reads the contracts' terms into columns."""
        instruments = self._instruments
        count = len(instruments)
        options = [i for i, instrument in enumerate(instruments) if instrument.kind == "option"]
        self._options = np.array(options, dtype=np.int64)
        self._expiries = np.array([i.expiry_ns for i in instruments], dtype=np.float64)
        self._strikes = np.array([instruments[i].strike_usd for i in options], dtype=np.float64)
        self._is_call = np.array([instruments[i].is_call for i in options], dtype=np.int32)
        self._ticks = np.array([i.tick_e8 / 1e8 for i in instruments])  # (instrument,), of a price
        self._wide = np.zeros(count, dtype=np.int64)  # (instrument,): the step above `_above`
        self._above = np.zeros(count, dtype=np.int64)
        for at, instrument in enumerate(instruments):
            assert len(instrument.tick_steps) <= 1
            for step in instrument.tick_steps:
                self._above[at], self._wide[at] = step.above_ticks, step.step_ticks
        self._wide[self._wide == 0] = 1

    def on_step(self) -> None:
        """The market has moved: the index is read anew when it is next asked for."""
        self._index_usd.clear()

    def refresh(self, now_ns: int) -> None:
        """Prices the whole chain."""
        self.version += 1
        forwards, vols = self._fair.forwards_usd(), self._fair.vols()
        count = len(self._instruments)
        assert len(forwards) == count
        assert len(vols) == count
        self.forwards[:] = forwards
        self.prices[:] = np.round(forwards, 2)
        options = self._options
        if len(options):
            at = np.ascontiguousarray(forwards[options], dtype=np.float64)
            years = np.maximum((self._expiries[options] - now_ns) / NS_PER_YEAR, YEARS_MIN)
            sigma = np.maximum(vols[options], VOL_MIN)
            greeks = black76_batch(at, self._strikes, years, sigma, self._is_call)
            self._residuals = self._fair.mark_residuals_coin()
            self.prices[options] = np.maximum(greeks.price / at + self._residuals[options], 0.0)
            self.vols[options] = sigma
            self.deltas[options] = greeks.delta
            self.gammas[options] = greeks.gamma
            self.vegas[options] = greeks.vega / 100.0
            self.thetas[options] = greeks.theta * np.minimum(ONE_DAY_YEARS, years)
        self._bands()

    def index_usd(self, currency: str) -> float:
        usd = self._index_usd.get(currency)
        if usd is None:
            usd = self._index_usd[currency] = round(self._fair.index_usd(currency), 2)
        return usd

    def mark_price(self, index: int) -> float:
        """Returns the last refreshed mark: coin for options, USD for futures."""
        return float(self.prices[index])

    def forward_usd(self, index: int) -> float:
        """Returns the underlying price of an instrument's expiry at the last refresh."""
        return round(float(self.forwards[index]), 4)

    def mark_now(self, index: int, now_ns: int) -> float:
        """Returns the mark at this moment's forward."""
        instrument = self._instruments[index]
        forward = float(self._fair.forwards_usd()[index])
        if instrument.kind != "option":
            return round(forward, 2)
        years = max((instrument.expiry_ns - now_ns) / NS_PER_YEAR, YEARS_MIN)
        vol = max(float(self._fair.vols()[index]), VOL_MIN)
        usd = black76(forward, instrument.strike_usd, years, vol, instrument.is_call).price
        return round(max(usd / forward + float(self._residuals[index]), 0.0), 8)

    def trade_greeks(self, index: int, now_ns: int) -> tuple[float, float]:
        """Returns net transaction delta (delta less the coin price) and vega in USD per point, per
        coin of an option; 1 and 0 for futures."""
        instrument = self._instruments[index]
        if instrument.kind != "option":
            return 1.0, 0.0
        forward = float(self._fair.forwards_usd()[index])
        years = max((instrument.expiry_ns - now_ns) / NS_PER_YEAR, YEARS_MIN)
        vol = max(float(self._fair.vols()[index]), VOL_MIN)
        greeks = black76(forward, instrument.strike_usd, years, vol, instrument.is_call)
        return greeks.delta - greeks.price / forward, greeks.vega / 100.0

    def implied_vol(self, index: int, price: float, now_ns: int) -> float:
        """Returns the volatility in an option's coin price; 0 where there is none."""
        instrument = self._instruments[index]
        if instrument.kind != "option" or price <= 0.0:
            return 0.0
        forward = float(self.forwards[index])
        years = max((instrument.expiry_ns - now_ns) / NS_PER_YEAR, YEARS_MIN)
        try:
            vol = implied_vol(
                price * forward, forward, instrument.strike_usd, years, instrument.is_call
            )
        except NativeError:
            return 0.0
        return min(vol, 5.0)

    def volatility_index(self, currency: str, now_ns: int) -> float:
        """Returns the at-the-money volatility at 30 days, in percent: between the two expiries
        around it, by total variance. Simpler than the real index, which weighs the whole smile."""
        at = [i for i in self._options.tolist() if self._instruments[i].underlying == currency]
        curve: dict[int, tuple[float, float]] = {}  # expiry -> distance from the money, vol
        for index in at:
            instrument = self._instruments[index]
            years = (instrument.expiry_ns - now_ns) / NS_PER_YEAR
            forward = float(self.forwards[index])
            far = abs(instrument.strike_usd / forward - 1.0)
            if years > 0 and far < curve.get(instrument.expiry_ns, (np.inf, 0.0))[0]:
                curve[instrument.expiry_ns] = (far, float(self.vols[index]))
        if not curve:
            return 0.0
        expiries = sorted(curve)
        years_of = [(expiry - now_ns) / NS_PER_YEAR for expiry in expiries]
        variances = [curve[e][1] ** 2 * t for e, t in zip(expiries, years_of, strict=True)]
        total = float(np.interp(THIRTY_DAYS_YEARS, years_of, variances))
        years = min(max(THIRTY_DAYS_YEARS, years_of[0]), years_of[-1])
        return round(100.0 * math.sqrt(total / years), 4)

    def _bands(self) -> None:
        """Puts the price bands on the grid, as ticks in plain lists: orders ask one at a time."""
        options, prices = self._options, self.prices
        width = prices * FUTURE_BAND_RATIO
        width[options] = np.maximum(OPTION_BAND_COIN, OPTION_BAND_RATIO * prices[options])
        low = np.ceil((prices - width) / self._ticks - 1e-9).astype(np.int64)
        high = np.floor((prices + width) / self._ticks + 1e-9).astype(np.int64)
        low += np.where(low > self._above, -low % self._wide, 0)
        high -= np.where(high > self._above, high % self._wide, 0)
        self.low_ticks = np.maximum(low, 1).tolist()
        self.high_ticks = np.maximum(high, 1).tolist()
