"""Positions and cash from recorded fills alone, in whole lots and whole 1e-12 coins.

It shares no code with risk's book: the two are compared, and the venue with both. Cash is path
independent: a future bought for A dollars at f is owed A/f coins back.
"""

from dataclasses import dataclass, field

from shared.dedupe import Ids
from shared.messages.market import Instrument
from shared.messages.orders import FillV1, SettlementV1
from shared.settlement import delivery_coin_e12, delivery_fee_coin_e12
from shared.units import E12


@dataclass
class Book:
    """A fill counts once; its cash counts as soon as its instrument is known."""

    lots: dict[str, int] = field(default_factory=dict)
    cash_coin_e12: dict[str, int] = field(default_factory=dict)  # by underlying, fees included
    fees_coin_e12: dict[str, int] = field(default_factory=dict)
    fill_count: int = 0
    _trade_ids: Ids = field(default_factory=Ids)
    _instruments: dict[str, Instrument] = field(default_factory=dict)
    _delivered: dict[str, SettlementV1] = field(default_factory=dict)
    _delivered_lots: dict[str, int] = field(default_factory=dict)
    _uncounted: dict[str, list[FillV1]] = field(default_factory=dict)

    def add_instrument(self, instrument: Instrument) -> None:
        self._instruments[instrument.name] = instrument
        for fill in self._uncounted.pop(instrument.name, []):
            self._add_cash(fill, instrument)
        self._deliver(instrument.name)

    def add_settlement(self, settlement: SettlementV1) -> None:
        """A delivery turns a position into cash; a settlement changes neither."""
        if settlement.kind == "delivery":
            self._delivered[settlement.instrument] = settlement
            self._deliver(settlement.instrument)

    def knows(self, name: str) -> bool:
        return name in self._instruments

    def add_fill(self, fill: FillV1) -> bool:
        """Returns False for a trade that is in the book already."""
        if not self._trade_ids.add(fill.trade_id):
            return False
        self.fill_count += 1
        sign = 1 if fill.side == "buy" else -1
        held = self.lots.get(fill.instrument, 0) + sign * fill.amount_lots
        self.lots[fill.instrument] = held
        instrument = self._instruments.get(fill.instrument)
        if instrument is None:
            self._uncounted.setdefault(fill.instrument, []).append(fill)
        else:
            self._add_cash(fill, instrument)
        self._deliver(fill.instrument)
        return True

    def open_lots(self) -> dict[str, int]:
        return {name: lots for name, lots in sorted(self.lots.items()) if lots}

    def uncounted(self) -> tuple[str, ...]:
        """Returns instruments whose cash is missing because nobody said what they are."""
        return tuple(sorted(self._uncounted))

    def _deliver(self, name: str) -> None:
        """Closes what is held of a delivered instrument, however late it was heard of."""
        settlement, instrument = self._delivered.get(name), self._instruments.get(name)
        lots = self.lots.get(name, 0)
        if settlement is None or instrument is None or not lots:
            return
        price_usd, before = settlement.price_usd, self._delivered_lots.get(name, 0)
        cash_e12 = delivery_coin_e12(instrument, lots, price_usd)
        fee_e12 = delivery_fee_coin_e12(instrument, before + lots, price_usd)
        fee_e12 -= delivery_fee_coin_e12(instrument, before, price_usd)
        underlying = settlement.underlying
        self.cash_coin_e12[underlying] = self.cash_coin_e12.get(underlying, 0) + cash_e12 - fee_e12
        self.fees_coin_e12[underlying] = self.fees_coin_e12.get(underlying, 0) + fee_e12
        self._delivered_lots[name] = before + lots
        self.lots[name] = 0

    def _add_cash(self, fill: FillV1, instrument: Instrument) -> None:
        amount_e8 = fill.amount_lots * instrument.lot_e8
        price_e8 = fill.price_ticks * instrument.tick_e8
        if instrument.kind == "option":
            cost_e12 = amount_e8 * price_e8 // 10_000
        else:  # half to even, as the float-free rounding of a fraction
            whole, rest = divmod(amount_e8 * E12, price_e8)
            up = 2 * rest > price_e8 or (2 * rest == price_e8 and whole % 2 == 1)
            cost_e12 = -(whole + up)
        gain_e12 = -cost_e12 if fill.side == "buy" else cost_e12
        name = fill.underlying
        self.cash_coin_e12[name] = self.cash_coin_e12.get(name, 0) + gain_e12 - fill.fee_coin_e12
        self.fees_coin_e12[name] = self.fees_coin_e12.get(name, 0) + fill.fee_coin_e12
