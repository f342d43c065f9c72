"""Positions and cash of one underlying from fills alone: idempotent by trade id, any order.

Cash is path independent: an option fill moves its premium, an inverse future bought for A dollars
at f is owed A/f coins back, so that cash + A*(-1/price) is its P&L with no average price. The
venue's balance does know an average price, so `realised_coin` replays the futures in venue order.
"""

from bisect import insort
from dataclasses import dataclass, field
from fractions import Fraction

from shared.dedupe import Ids
from shared.messages.market import Instrument
from shared.messages.orders import FillV1, SettlementV1
from shared.settlement import delivery_coin_e12, delivery_fee_coin_e12
from shared.units import E8, E12


def signed_lots(fill: FillV1) -> int:
    return fill.amount_lots if fill.side == "buy" else -fill.amount_lots


def trade_coin_e12(instrument: Instrument, fill: FillV1) -> int:
    """Returns the cash of one fill before fees, in 1e-12 coin."""
    lots = signed_lots(fill)
    if instrument.kind == "option":
        # 1e-8 coin * 1e-8 amount; the grids of the venue make the division exact.
        return -lots * instrument.lot_e8 * fill.price_ticks * instrument.tick_e8 // 10_000
    assert fill.price_ticks > 0, "a future traded at no price"
    return round(Fraction(lots * instrument.lot_e8 * E12, fill.price_ticks * instrument.tick_e8))


@dataclass
class FutureLeg:
    """One inverse future in venue order: (venue_ns, id, lots, price_ticks); 0 lots: settled."""

    fills: list[tuple[int, str, int, float]] = field(default_factory=list)
    applied_count: int = 0
    lots: int = 0
    entry_coin: float = 0.0  # signed: lots at 1/average price, in lots per USD of tick 1

    def add(self, fill: FillV1) -> None:
        entry = (fill.venue_ns, fill.trade_id, signed_lots(fill), fill.price_ticks)
        if self.fills and entry < self.fills[-1]:
            insort(self.fills, entry)
            self.applied_count, self.lots, self.entry_coin = 0, 0, 0.0  # replay on demand
        else:
            self.fills.append(entry)

    def settle(self, settlement: SettlementV1, price_ticks: float) -> None:
        """The venue has realised everything up to a price."""
        insort(self.fills, (settlement.venue_ns, settlement.settlement_id, 0, price_ticks))
        self.applied_count, self.lots, self.entry_coin = 0, 0, 0.0

    def open_entry(self) -> float:
        """Returns sum(lots/price_ticks) of what is still open, by average cost."""
        for _, _, lots, price_ticks in self.fills[self.applied_count :]:
            if not lots:
                self.entry_coin = self.lots / price_ticks
            elif self.lots * lots >= 0:
                self.entry_coin += lots / price_ticks
            elif abs(lots) <= abs(self.lots):
                self.entry_coin *= (self.lots + lots) / self.lots
            else:
                self.entry_coin = (self.lots + lots) / price_ticks
            self.lots += lots
        self.applied_count = len(self.fills)
        return self.entry_coin


class Positions:
    """The book of one underlying. A fill of an instrument not yet known waits for it."""

    def __init__(self) -> None:
        self.lots: dict[str, int] = {}
        self.cash_coin_e12 = 0
        self.fees_coin_e12 = 0
        self.fill_count = 0
        self._newest = (0, "")  # venue time and trade id
        self._seen = Ids()
        self._futures: dict[str, tuple[Instrument, FutureLeg]] = {}
        self._delivered_lots: dict[str, int] = {}

    @property
    def last_venue_ns(self) -> int:
        return self._newest[0]

    @property
    def last_trade_id(self) -> str:
        return self._newest[1]

    def has_seen(self, trade_id: str) -> bool:
        return trade_id in self._seen

    def apply(self, fill: FillV1, instrument: Instrument) -> bool:
        """Books a fill; returns False for one already booked."""
        if not self._seen.add(fill.trade_id):
            return False
        name = fill.instrument
        self.lots[name] = self.lots.get(name, 0) + signed_lots(fill)
        self.cash_coin_e12 += trade_coin_e12(instrument, fill) - fill.fee_coin_e12
        self.fees_coin_e12 += fill.fee_coin_e12
        self.fill_count += 1
        self._newest = max(self._newest, (fill.venue_ns, fill.trade_id))
        if instrument.kind != "option":
            self._futures.setdefault(name, (instrument, FutureLeg()))[1].add(fill)
        return True

    def settle(self, settlement: SettlementV1, instrument: Instrument) -> tuple[int, int]:
        """Books a settlement; returns the cash and the fee of a delivery, which closes the
        position."""
        name = settlement.instrument
        if settlement.kind == "settlement":
            if name in self._futures:
                price_ticks = settlement.price_usd * E8 / instrument.tick_e8
                self._futures[name][1].settle(settlement, price_ticks)
            return 0, 0
        lots, before = self.lots.get(name, 0), self._delivered_lots.get(name, 0)
        cash_e12 = delivery_coin_e12(instrument, lots, settlement.price_usd)
        # What is heard of after the delivery changes what was charged for the whole.
        fee_e12 = delivery_fee_coin_e12(instrument, before + lots, settlement.price_usd)
        fee_e12 -= delivery_fee_coin_e12(instrument, before, settlement.price_usd)
        self._delivered_lots[name] = before + lots
        self.lots[name] = 0
        self.cash_coin_e12 += cash_e12 - fee_e12
        self.fees_coin_e12 += fee_e12
        self._futures.pop(name, None)
        return cash_e12, fee_e12

    def venue_cash_coin(self) -> float:
        """Returns the change of the venue's balance: premiums, fees, and realised futures P&L."""
        open_coin = sum(
            leg.open_entry() * instrument.lot_e8 / instrument.tick_e8
            for instrument, leg in self._futures.values()
        )
        return self.cash_coin_e12 / E12 - open_coin

    def open_lots(self) -> dict[str, int]:
        return {name: lots for name, lots in self.lots.items() if lots}


def amount(instrument: Instrument, lots: int) -> float:
    """Returns coins for options, dollars for futures; signed."""
    return lots * instrument.lot_e8 / E8
