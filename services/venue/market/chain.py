"""What stands listed when the market opens, and at which forwards and volatilities: a chain made by
the listing rules from a seed, or one that was recorded.

A generated surface is SSVI (Gatheral, Jacquier 2014) with phi = eta / (theta^g (1+theta)^(1-g)),
free of butterfly and calendar arbitrage for eta (1 + |rho|) <= 2.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from native.library import NativeError
from native.pricing import black76_batch, implied_vol
from services.venue.market.expiries import Expiry, listed_expiries
from services.venue.market.listing import (
    STRIKES_MAX,
    created_ns,
    future,
    list_expiry,
    option,
    perpetual,
    strikes_around,
)
from shared.clock import NS_PER_YEAR
from shared.messages.market import Instrument
from shared.recorded_chain import ChainError, ChainRow, RecordedChain
from shared.units import E8

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_INSTRUMENT_ID = 100_001
VOL_MIN = 0.01
RECORDED_OPENING_S = 5.0  # stillness, so that marks can be compared with the record


@dataclass(frozen=True, slots=True)
class Climate:
    """Levels that a generated chain of one underlying starts from."""

    index_usd: float
    carry_ratio: float  # forward premium per year
    front_vol: float
    back_vol: float
    vol_turn_years: float  # where the term structure bends
    skew: float  # SSVI rho
    curvature: float  # SSVI eta


# Levels near those of the chains recorded in January 2026.
CLIMATES: dict[str, Climate] = {
    "BTC": Climate(90_000.0, 0.045, 0.34, 0.49, 0.06, -0.30, 1.15),
    "ETH": Climate(3_000.0, 0.035, 0.46, 0.67, 0.06, -0.22, 1.10),
}
SSVI_POWER = 0.42


@dataclass(frozen=True, slots=True)
class Chain:
    """All arrays are by instrument, in the book's order: per underlying the perpetual, futures by
    expiry, then options by expiry and strike, the call before the put."""

    opened_ns: int
    opening_s: float
    is_recorded: bool
    instruments: tuple[Instrument, ...]
    created_ns: tuple[int, ...]
    index_usd: dict[str, float]
    forwards_usd: Floats  # of the instrument's expiry; the index for the perpetual
    vols: Floats  # annualised, one per expiry and strike; 0 for futures
    mark_residuals_coin: Floats  # recorded mark less Black-76 at `forwards_usd` and `vols`
    bid_ticks: Ints  # recorded best prices; 0: none
    ask_ticks: Ints
    open_interest_lots: Ints

    def underlyings(self) -> tuple[str, ...]:
        return tuple(self.index_usd)


def generate_chain(
    now_ns: int,
    seed: int,
    underlyings: Sequence[str] = ("BTC", "ETH"),
    strikes_max: int = STRIKES_MAX,
) -> Chain:
    """Returns a chain by the listing rules, its levels drawn from the seed."""
    build = _Build(now_ns)
    for number, underlying in enumerate(underlyings):
        random = np.random.default_rng([seed, number])
        climate = CLIMATES[underlying]
        index_usd = round(climate.index_usd * float(np.exp(0.03 * random.standard_normal())), 2)
        level = float(np.exp(0.06 * random.standard_normal()))
        expiries = listed_expiries(now_ns)
        carry = climate.carry_ratio * (1.0 + 0.15 * random.standard_normal())
        years = [(expiry.expiry_ns - now_ns) / NS_PER_YEAR for expiry in expiries]
        forwards = [index_usd * float(np.exp(carry * time)) for time in years]
        futures = {
            expiry.expiry_ns: forward
            for expiry, forward in zip(expiries, forwards, strict=True)
            if expiry.tenor in ("month", "quarter")
        }
        build.open(underlying, index_usd, futures)
        thetas = _total_variances(climate, level, years)
        for expiry, forward, time, theta in zip(expiries, forwards, years, thetas, strict=True):
            strikes = strikes_around(underlying, forward, theta**0.5, strikes_max)
            vols = ssvi_vols(climate, theta, time, np.log(np.array(strikes) / forward))
            build.add_expiry(underlying, expiry, forward, dict(zip(strikes, vols, strict=True)))
    return build.chain(is_recorded=False, opening_s=0.0)


def chain_from_record(
    recorded: RecordedChain,
    underlyings: Sequence[str] = ("BTC", "ETH"),
    opening_s: float = RECORDED_OPENING_S,
) -> Chain:
    """Returns a chain whose marks and best prices at the open are the recorded ones.

    Rows were taken some seconds apart, each at its own forward. An expiry gets one forward (their
    median), a strike one volatility (of its option that is out of the money), and what is then
    missing to a row's mark is its residual.
    """
    now_ns = recorded.timestamp_ns
    build = _Build(now_ns)
    for underlying in underlyings:
        rows = [r for r in recorded.rows if r.currency == underlying and r.expiry_ns > now_ns]
        if not rows:
            continue
        by_expiry: dict[int, list[ChainRow]] = {}
        for row in rows:
            by_expiry.setdefault(row.expiry_ns, []).append(row)
        index_usd = statistics.median(row.index_usd for row in rows)
        futures = {
            expiry_ns: statistics.median(row.forward_usd for row in group)
            for expiry_ns, group in sorted(by_expiry.items())
            if group[0].future_name and not group[0].future_name.startswith("SYN")
        }
        build.open(underlying, index_usd, futures)
        for expiry_ns, group in sorted(by_expiry.items()):
            build.add_recorded(underlying, expiry_ns, group)
    return build.chain(is_recorded=True, opening_s=opening_s)


def ssvi_vols(climate: Climate, theta: float, years: float, log_moneyness: Floats) -> Floats:
    """Returns SSVI volatilities of a slice whose total variance at the money is `theta`."""
    phi = climate.curvature / (theta**SSVI_POWER * (1.0 + theta) ** (1.0 - SSVI_POWER))
    rho = climate.skew
    x = phi * log_moneyness
    total = 0.5 * theta * (1.0 + rho * x + np.sqrt((x + rho) ** 2 + 1.0 - rho**2))
    vols: Floats = np.sqrt(total / years)
    return vols


def _total_variances(climate: Climate, level: float, years: list[float]) -> list[float]:
    """Returns at-the-money total variances by expiry; they rise, as no calendar arbitrage asks."""
    thetas: list[float] = []
    for time in years:
        share = (1.0 + time / climate.vol_turn_years) ** -0.7
        vol = climate.back_vol + (climate.front_vol - climate.back_vol) * share
        theta = (level * vol) ** 2 * time
        thetas.append(max(theta, 1.0001 * thetas[-1]) if thetas else theta)
    return thetas


class _Build:
    """Collects instruments in the book's order, and their columns."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._instruments: list[Instrument] = []
        self._index_usd: dict[str, float] = {}
        self._forwards: list[float] = []
        self._vols: list[float] = []
        self._rows: list[ChainRow | None] = []

    def open(self, underlying: str, index_usd: float, futures: dict[int, float]) -> None:
        self._index_usd[underlying] = index_usd
        self._add(perpetual(underlying, self._next_id()), index_usd, 0.0)
        for expiry_ns, forward in futures.items():
            self._add(future(underlying, expiry_ns, self._next_id()), forward, 0.0)

    def add_expiry(
        self, underlying: str, expiry: Expiry, forward: float, vols: dict[float, float]
    ) -> None:
        for instrument in list_expiry(underlying, expiry, vols, self._next_id()):
            self._add(instrument, forward, vols[instrument.strike_usd])

    def add_recorded(self, underlying: str, expiry_ns: int, group: list[ChainRow]) -> None:
        forward = statistics.median(row.forward_usd for row in group)
        years = (expiry_ns - self._now_ns) / NS_PER_YEAR
        vols = _strike_vols(group, forward, years)
        for row in sorted(group, key=lambda row: (row.strike_usd, not row.is_call)):
            instrument = option(underlying, expiry_ns, row.strike_usd, row.is_call, self._next_id())
            named = msgspec.structs.replace(instrument, name=row.instrument_name)
            self._add(named, forward, vols[row.strike_usd], row)

    def chain(self, *, is_recorded: bool, opening_s: float) -> Chain:
        instruments = tuple(self._instruments)
        forwards = np.array(self._forwards)
        vols = np.array(self._vols)
        pairs = list(zip(instruments, self._rows, strict=True))
        return Chain(
            opened_ns=self._now_ns,
            opening_s=opening_s,
            is_recorded=is_recorded,
            instruments=instruments,
            created_ns=tuple(created_ns(instrument, self._now_ns) for instrument in instruments),
            index_usd=self._index_usd,
            forwards_usd=forwards,
            vols=vols,
            mark_residuals_coin=self._residuals(forwards, vols),
            bid_ticks=np.array([_ticks(i, row.bid_coin if row else None) for i, row in pairs]),
            ask_ticks=np.array([_ticks(i, row.ask_coin if row else None) for i, row in pairs]),
            open_interest_lots=np.array(
                [round((row.open_interest if row else 0.0) * E8 / i.lot_e8) for i, row in pairs]
            ),
        )

    def _residuals(self, forwards: Floats, vols: Floats) -> Floats:
        residuals = np.zeros(len(forwards))
        at = np.array([n for n, row in enumerate(self._rows) if row is not None], dtype=np.int64)
        if not len(at):
            return residuals
        options = [self._instruments[n] for n in at]
        years = np.array([(i.expiry_ns - self._now_ns) / NS_PER_YEAR for i in options])
        strikes = np.array([i.strike_usd for i in options])
        is_call = np.array([i.is_call for i in options], dtype=np.int32)
        model = black76_batch(forwards[at], strikes, years, vols[at], is_call).price / forwards[at]
        marks = np.array([(row.mark_coin or 0.0) for row in self._rows if row is not None])
        residuals[at] = marks - model
        return residuals

    def _add(
        self, instrument: Instrument, forward: float, vol: float, row: ChainRow | None = None
    ) -> None:
        self._instruments.append(instrument)
        self._forwards.append(forward)
        self._vols.append(vol)
        self._rows.append(row)

    def _next_id(self) -> int:
        return FIRST_INSTRUMENT_ID + len(self._instruments)


def _ticks(instrument: Instrument, price: float | None) -> int:
    return round(price * E8 / instrument.tick_e8) if price else 0


def _strike_vols(group: list[ChainRow], forward: float, years: float) -> dict[float, float]:
    """Returns one volatility per strike; where a strike has none, its nearest neighbour's."""
    known: dict[float, float] = {}
    for row in group:
        is_out = row.is_call == (row.strike_usd >= forward)
        if is_out or row.strike_usd not in known:
            vol = row.mark_vol or _inverted(row, years)
            if vol is not None:
                known[row.strike_usd] = max(vol, VOL_MIN)
    if not known:
        raise ChainError(f"{group[0].instrument_name}: no volatility in its whole expiry")
    return {row.strike_usd: _nearest(known, row.strike_usd) for row in group}


def _nearest(known: dict[float, float], strike_usd: float) -> float:
    return known[min(known, key=lambda other: (abs(other - strike_usd), other))]


def _inverted(row: ChainRow, years: float) -> float | None:
    if row.mark_coin is None:
        return None
    try:
        return implied_vol(
            row.mark_coin * row.forward_usd, row.forward_usd, row.strike_usd, years, row.is_call
        )
    except NativeError:
        return None
