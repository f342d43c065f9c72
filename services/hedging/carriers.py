"""The futures that can carry a hedge, and which is cheapest now."""

import msgspec

from shared.messages.market import Instrument, InstrumentsV1, TicksV1
from shared.units import E8, price_from_ticks


class Carrier(msgspec.Struct):
    """The perpetual or a dated future, with its newest prices."""

    instrument: Instrument
    bid_usd: float = 0.0
    ask_usd: float = 0.0
    venue_ns: int = 0
    seen_ns: int = 0
    is_live: bool = False

    @property
    def name(self) -> str:
        return self.instrument.name

    @property
    def lot_usd(self) -> float:
        return self.instrument.lot_e8 / E8

    @property
    def mid_usd(self) -> float:
        return 0.5 * (self.bid_usd + self.ask_usd)

    def cost_ratio(self, *, is_taking: bool) -> float:
        """Returns the cost of trading as a share of value: fee, and when taking half the spread."""
        if not is_taking:
            return max(0.0, self.instrument.maker_fee_ratio)
        half_spread = 0.5 * (self.ask_usd - self.bid_usd) / self.mid_usd
        return max(0.0, self.instrument.taker_fee_ratio + half_spread)


class Carriers:
    """All of one underlying. Dated futures count as dearer by `dated_extra_ratio`: they expire."""

    def __init__(self, dated_extra_ratio: float) -> None:
        self.of_name: dict[str, Carrier] = {}
        self._dated_extra_ratio = dated_extra_ratio

    def update(self, batch: InstrumentsV1) -> None:
        for instrument in batch.instruments:
            if instrument.kind != "option" and instrument.name not in self.of_name:
                self.of_name[instrument.name] = Carrier(instrument)

    def on_ticks(self, batch: TicksV1) -> None:
        for tick in batch.ticks:
            carrier = self.of_name.get(tick.instrument)
            if carrier is None or tick.venue_ns < carrier.venue_ns:
                continue
            carrier.bid_usd = price_from_ticks(carrier.instrument, tick.bid_ticks)
            carrier.ask_usd = price_from_ticks(carrier.instrument, tick.ask_ticks)
            carrier.venue_ns = tick.venue_ns
            carrier.seen_ns = batch.created_ns
            carrier.is_live = tick.is_live and tick.bid_lots > 0 and tick.ask_lots > 0

    def cheapest(self, now_ns: int, age_ns_max: int, *, is_taking: bool) -> Carrier | None:
        """Returns the cheapest with a fresh two-sided market; None if there is none."""
        usable = [
            carrier
            for carrier in self.of_name.values()
            if carrier.is_live
            and 0.0 < carrier.bid_usd < carrier.ask_usd
            and now_ns - carrier.seen_ns <= age_ns_max
            and not 0 < carrier.instrument.expiry_ns <= now_ns
        ]
        return min(usable, key=lambda one: (self._rank(one, is_taking), one.name), default=None)

    def _rank(self, carrier: Carrier, is_taking: bool) -> float:
        extra = self._dated_extra_ratio if carrier.instrument.expiry_ns else 0.0
        return carrier.cost_ratio(is_taking=is_taking) + extra
