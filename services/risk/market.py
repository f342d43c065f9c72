"""What risk sees of one underlying's market: index, futures' marks, and the volatility surface."""

from shared.messages.market import Instrument, InstrumentsV1, Tick, TicksV1
from shared.messages.pricing import Slice, SurfaceV1
from shared.units import price_from_ticks


class Market:
    def __init__(self) -> None:
        self.instruments: dict[str, Instrument] = {}
        self.index_usd = 0.0
        self.ticks_ns = 0
        self.marks: dict[str, float] = {}  # futures, USD
        self.mark_vols: dict[str, float] = {}  # options without a slice of the surface yet
        self.surface_version = 0
        self.surface_ns = 0
        self.slices: dict[int, Slice] = {}  # expiry_ns -> newest slice
        self.change_count = 0  # grows whenever a valuation would change

    def on_instruments(self, batch: InstrumentsV1) -> None:
        for instrument in batch.instruments:
            self.learn(instrument)

    def learn(self, instrument: Instrument) -> None:
        self.instruments[instrument.name] = instrument
        if instrument.kind != "option":
            self.marks.setdefault(instrument.name, 0.0)

    def on_ticks(self, batch: TicksV1) -> bool:
        """Takes a batch; returns False for one that is older than what is known."""
        if batch.created_ns < self.ticks_ns:
            return False
        self.ticks_ns = batch.created_ns
        self.index_usd = batch.index_usd
        self.change_count += 1
        for tick in batch.ticks:
            if tick.instrument in self.marks:
                self.marks[tick.instrument] = self._future_mark(tick)
        return True

    def on_surface(self, surface: SurfaceV1) -> bool:
        if surface.version < self.surface_version and surface.created_ns < self.surface_ns:
            return False
        self.surface_version = surface.version
        self.surface_ns = surface.market_ns
        self.change_count += 1
        for slice_ in surface.slices:
            self.slices[slice_.expiry_ns] = slice_
        return True

    def future_price(self, name: str) -> float:
        """Returns a future's mark in USD, or the index before its first tick."""
        return self.marks.get(name) or self.index_usd

    def is_priced(self) -> bool:
        return self.index_usd > 0.0 and bool(self.slices)

    def _future_mark(self, tick: Tick) -> float:
        if tick.mark_price > 0.0:
            return tick.mark_price
        if tick.bid_lots and tick.ask_lots:
            instrument = self.instruments[tick.instrument]
            bid, ask = (price_from_ticks(instrument, t) for t in (tick.bid_ticks, tick.ask_ticks))
            return (bid + ask) / 2.0
        return self.marks[tick.instrument]
