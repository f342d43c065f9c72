"""What the desk shows the market, measured by risk: two-sided by tenor, spread by tenor and delta.

The range is the one that market makers are held to, options with |delta| from 0.10 to 0.90, not
what the quoter calls quotable. Deltas and vegas are of the surface that risk has.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from native.pricing import black76_batch
from services.risk.market import Market
from shared.clock import NS_PER_S, NS_PER_YEAR
from shared.messages.market import Instrument
from shared.messages.quoting import Quote, QuotesV1
from shared.service import Reading
from shared.units import price_from_ticks

DELTA_MIN, DELTA_MAX = 0.10, 0.90
LOOK_NS = 15 * NS_PER_S  # a look revalues the chain, and is asked for every second
LIFE_NS_MIN = 3600 * NS_PER_S  # an option nearer to its end is nobody's duty
SILENCE_NS_MAX = 12 * NS_PER_S  # all quotes are told every 5 s
DAY_NS = 24 * 3600 * NS_PER_S
TENORS = ((1.5, "1d"), (10.0, "1w"), (45.0, "1m"), (135.0, "1q"), (float("inf"), "1y"))
DELTAS = ((0.10, 0.35, "10-35"), (0.35, 0.65, "35-65"), (0.65, 0.90, "65-90"))
VEGA_USD_MIN = 1e-6

Floats = NDArray[np.float64]


class QuoteQuality:
    """Of one underlying."""

    def __init__(self, underlying: str) -> None:
        self._underlying = underlying
        self._quotes: dict[str, Quote] = {}
        self._heard_ns = 0
        self._told: tuple[Reading, ...] = ()
        self._told_ns = 0

    def on_quotes(self, message: QuotesV1) -> None:
        self._heard_ns = message.created_ns
        if message.is_full:
            self._quotes.clear()
        for quote in message.quotes:
            self._quotes[quote.instrument] = quote

    def readings(self, market: Market, now_ns: int) -> Iterator[Reading]:
        """Yields nothing before quotes and a surface were heard of; looks anew now and then."""
        if not self._heard_ns or not market.is_priced():
            return
        if not self._told or now_ns - self._told_ns >= LOOK_NS:
            self._told, self._told_ns = tuple(self._look(market, now_ns)), now_ns
        yield from self._told

    def _look(self, market: Market, now_ns: int) -> Iterator[Reading]:
        if now_ns - self._heard_ns > SILENCE_NS_MAX:
            self._quotes.clear()
        options = [
            one
            for one in market.instruments.values()
            if one.expiry_ns in market.slices and one.expiry_ns - now_ns > LIFE_NS_MIN
            if one.kind == "option"
        ]
        if not options:
            return
        forwards, deltas, vegas = _greeks(options, market, now_ns)
        spreads = [self._spread_coin(one) for one in options]
        found: dict[str, list[bool]] = {}
        widths: dict[tuple[str, str], list[float]] = {}
        for row, option in enumerate(options):
            delta, spread = abs(float(deltas[row])), spreads[row]
            if not DELTA_MIN <= delta <= DELTA_MAX:
                continue
            tenor = tenor_of(option.expiry_ns - now_ns)
            found.setdefault(tenor, []).append(spread is not None)
            if spread is not None and vegas[row] > VEGA_USD_MIN:
                width = spread * float(forwards[row] / vegas[row])
                widths.setdefault((tenor, band_of(delta)), []).append(width)
        for tenor, sides in found.items():
            ratio = sum(sides) / len(sides)
            yield Reading("quote_two_sided_ratio", ratio, (self._underlying, tenor))
        for (tenor, band), values in widths.items():
            mean = sum(values) / len(values)
            yield Reading("quote_spread_vol", mean, (self._underlying, tenor, band))

    def _spread_coin(self, option: Instrument) -> float | None:
        quote = self._quotes.get(option.name)
        if quote is None or not quote.bid_lots or not quote.ask_lots:
            return None
        return price_from_ticks(option, quote.ask_ticks - quote.bid_ticks)


def _greeks(
    options: list[Instrument], market: Market, now_ns: int
) -> tuple[Floats, Floats, Floats]:
    """Returns forwards in USD, deltas, and vegas in USD per 1.0 of volatility: (option,)."""
    slices = [market.slices[one.expiry_ns] for one in options]
    ratio, a, b, rho, m, sigma, fit_years = np.array(
        [(s.forward_ratio, s.a, s.b, s.rho, s.m, s.sigma, s.years) for s in slices]
    ).T
    forwards = np.ascontiguousarray(market.index_usd * ratio)
    strikes = np.array([one.strike_usd for one in options])
    x = np.log(strikes / forwards) - m
    variance = a + b * (rho * x + np.sqrt(x * x + sigma * sigma))
    vols = np.sqrt(np.maximum(variance, 1e-12) / fit_years)
    years = np.array([(one.expiry_ns - now_ns) / NS_PER_YEAR for one in options])
    calls = np.array([one.is_call for one in options], dtype=np.int32)
    greeks = black76_batch(forwards, strikes, years, vols, calls)
    return forwards, greeks.delta, greeks.vega


def tenor_of(life_ns: int) -> str:
    days = life_ns / DAY_NS
    return next(name for most, name in TENORS if days <= most)


def band_of(delta: float) -> str:
    return next(name for least, most, name in DELTAS if least <= delta <= most)
