"""One underlying's option chain: instruments, newest ticks, and the desk's own quotes."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from native import surface
from services.pricing.forwards import bounded, future_ratio, interpolated, parity_bounds
from shared.clock import NS_PER_YEAR
from shared.messages.market import Instrument, InstrumentsV1, Tick, TicksV1
from shared.messages.quoting import Quote, QuotesV1
from shared.units import E8

Floats = NDArray[np.float64]  # (option,)
FUTURES_WAIT_NS = 4_000_000_000  # for those listed to be told of: all ticks come within 3 s
OPTIONS_WAIT_NS = 1_500_000_000  # and half of what stands still in half of that
OPTIONS_TOLD_MIN = 0.9
OPTIONS_MIN = 3  # fewer useful options do not make a slice
MISSING = Tick("missing", 0, 0, 0, 0, 0.0, 0.0, 0, False)


@dataclass(frozen=True, slots=True)
class Market:
    """What a fit starts from; `quotes` are surface.QUOTE, `expiry` an index into the lists."""

    index_usd: float
    market_ns: int
    expiries_ns: list[int]
    years: list[float]
    forward_ratios: list[float]
    quotes: NDArray[np.void]


class Chain:
    def __init__(self) -> None:
        self.index_usd = 0.0
        self.index_ns = 0
        self._began_ns = 0  # of the first index
        self.market_ns = 0  # newest of index and ticks
        self.change_count = 0
        self._listed: dict[int, tuple[Instrument, ...]] = {}
        self._ticks: dict[str, Tick] = {}
        self._own: dict[str, tuple[Quote, Quote]] = {}  # now, and before
        self._options = _Options(())
        self._is_relisted = False

    def on_instruments(self, message: InstrumentsV1) -> None:
        if self._listed.get(message.expiry_ns) != message.instruments:
            self._listed[message.expiry_ns] = message.instruments
            self._is_relisted = True

    def on_ticks(self, message: TicksV1) -> None:
        if message.index_ns < self.index_ns:
            return  # Lossy delivery reorders: an older batch tells nothing new.
        self.index_usd = message.index_usd
        self.index_ns = message.index_ns
        self._began_ns = self._began_ns or message.index_ns
        self.market_ns = max(self.market_ns, message.index_ns)
        self.change_count += 1
        ticks = self._ticks
        for tick in message.ticks:
            ticks[tick.instrument] = tick
            self.market_ns = max(self.market_ns, tick.venue_ns)

    def on_quotes(self, message: QuotesV1) -> None:
        own = self._own
        if message.is_full:
            self._own = {}
        for quote in message.quotes:
            before = own.get(quote.instrument)
            self._own[quote.instrument] = (quote, before[0] if before else quote)

    def market(self, now_ns: int, life_ns_min: int) -> Market | None:
        """Returns the chain without expiries about to end; None while nothing can be fitted,
        or while much of a new chain, or a future of it, has not been told of."""
        self._drop_expired(now_ns)
        if self.index_usd <= 0.0:
            return None
        options = self._options
        if not options.names:
            return None
        bids, asks, marks = self._prices(options)
        useful = ((bids > 0.0) & (asks > 0.0)) | (marks > 0.0)
        counts = np.bincount(options.expiry[useful], minlength=len(options.expiries_ns))
        kept = [
            i
            for i, expiry_ns in enumerate(options.expiries_ns)
            if expiry_ns - now_ns > life_ns_min and counts[i] >= OPTIONS_MIN
        ][: surface.EXPIRIES_MAX]
        if not kept or self._is_untold(kept):
            return None
        expiries_ns = [options.expiries_ns[i] for i in kept]
        years = [(expiry_ns - now_ns) / NS_PER_YEAR for expiry_ns in expiries_ns]
        ratios = self._ratios(kept, years, bids, asks)
        place = np.full(len(options.expiries_ns), -1, dtype=np.int32)
        place[kept] = np.arange(len(kept), dtype=np.int32)
        chosen = np.flatnonzero((place[options.expiry] >= 0) & useful)[: surface.QUOTES_MAX]
        quotes = np.empty(len(chosen), dtype=surface.QUOTE)
        quotes["expiry"] = place[options.expiry[chosen]]
        forwards = self.index_usd * np.array(ratios)
        quotes["log_moneyness"] = np.log(options.strike[chosen] / forwards[quotes["expiry"]])
        quotes["bid"] = bids[chosen]
        quotes["ask"] = asks[chosen]
        quotes["mark_vol"] = marks[chosen]
        quotes["is_call"] = options.is_call[chosen]
        return Market(self.index_usd, self.market_ns, expiries_ns, years, ratios, quotes)

    def _is_untold(self, kept: list[int]) -> bool:
        """Says whether a new chain is known too little: without a listed future the forward of its
        expiry, and of those about it, would be a guess; so would volatilities at the money from
        the few options whose ticks came first."""
        age_ns = self.index_ns - self._began_ns
        if age_ns >= FUTURES_WAIT_NS:
            return False
        options = self._options
        if age_ns < OPTIONS_WAIT_NS:
            told_count = sum(name in self._ticks for name in options.names)
            if told_count < OPTIONS_TOLD_MIN * len(options.names):
                return True
        futures = (options.futures.get(options.expiries_ns[i]) for i in kept)
        return any(one is not None and one.name not in self._ticks for one in futures)

    def _prices(self, options: "_Options") -> tuple[Floats, Floats, Floats]:
        """Returns bids, asks (coin, 0 for none) and mark volatilities, without the desk's own."""
        get = self._ticks.get
        ticks = [get(name, MISSING) for name in options.names]
        count = len(ticks)
        bids = np.fromiter(
            (t.bid_ticks if t.bid_lots and t.is_live else 0 for t in ticks), float, count
        )
        asks = np.fromiter(
            (t.ask_ticks if t.ask_lots and t.is_live else 0 for t in ticks), float, count
        )
        marks = np.fromiter((t.mark_vol for t in ticks), float, count)
        for name, quotes in self._own.items():
            i = options.index.get(name)
            if i is None:
                continue
            tick = ticks[i]
            for quote in quotes:
                if quote.bid_lots >= tick.bid_lots and quote.bid_ticks == tick.bid_ticks:
                    bids[i] = 0.0
                if quote.ask_lots >= tick.ask_lots and quote.ask_ticks == tick.ask_ticks:
                    asks[i] = 0.0
        return bids * options.tick_coin, asks * options.tick_coin, marks

    def _ratios(
        self, kept: list[int], years: list[float], bids: Floats, asks: Floats
    ) -> list[float]:
        options = self._options
        own: dict[int, float] = {}
        for i in kept:
            future = options.futures.get(options.expiries_ns[i])
            tick = self._ticks.get(future.name) if future else None
            if future is None or tick is None:
                continue
            ratio = future_ratio(tick, future.tick_e8 / E8, self.index_usd)
            if ratio is not None:
                own[i] = ratio
        known = [(when, own[i]) for i, when in zip(kept, years, strict=True) if i in own]
        puts, calls = options.puts, options.calls
        lows, highs = parity_bounds(
            options.strike[puts], (bids[calls], asks[calls]), (bids[puts], asks[puts])
        )
        ratios: list[float] = []
        for i, when in zip(kept, years, strict=True):
            if i in own:
                ratios.append(own[i])
                continue
            part = slice(*options.pair_starts[i : i + 2])
            low = float(lows[part].max(initial=0.0)) / self.index_usd
            high = float(highs[part].min(initial=math.inf)) / self.index_usd
            ratios.append(bounded(interpolated(when, known), low, high, is_known=bool(known)))
        return ratios

    def _drop_expired(self, now_ns: int) -> None:
        ended = [expiry_ns for expiry_ns in self._listed if 0 < expiry_ns <= now_ns]
        for expiry_ns in ended:
            for instrument in self._listed.pop(expiry_ns):
                self._ticks.pop(instrument.name, None)
                self._own.pop(instrument.name, None)
        if ended or self._is_relisted:
            self._options = _Options(tuple(i for group in self._listed.values() for i in group))
            self._is_relisted = False


class _Options:
    """The listed options as arrays, in the order of expiry, strike and kind."""

    def __init__(self, instruments: tuple[Instrument, ...]) -> None:
        options = sorted(
            (i for i in instruments if i.kind == "option" and i.strike_usd > 0.0),
            key=lambda i: (i.expiry_ns, i.strike_usd, i.is_call),
        )
        self.names = [i.name for i in options]
        self.index = {name: i for i, name in enumerate(self.names)}
        self.expiries_ns = sorted({i.expiry_ns for i in options})
        place = {expiry_ns: i for i, expiry_ns in enumerate(self.expiries_ns)}
        self.expiry = np.array([place[i.expiry_ns] for i in options], dtype=np.int64)
        self.strike = np.array([i.strike_usd for i in options], dtype=np.float64)
        self.is_call = np.array([i.is_call for i in options], dtype=np.bool_)
        # A put and its call are neighbours: strikes ascend, and False sorts before True.
        pairs = [
            i
            for i in range(len(options) - 1)
            if options[i].strike_usd == options[i + 1].strike_usd
            and options[i].expiry_ns == options[i + 1].expiry_ns
            and not options[i].is_call
            and options[i + 1].is_call
        ]
        self.puts = np.array(pairs, dtype=np.int64)
        self.calls = self.puts + 1
        self.pair_starts: list[int] = np.searchsorted(
            self.expiry[self.puts], np.arange(len(self.expiries_ns) + 1)
        ).tolist()
        self.tick_coin = np.array([i.tick_e8 / E8 for i in options], dtype=np.float64)
        self.futures = {i.expiry_ns: i for i in instruments if i.kind == "future"}
