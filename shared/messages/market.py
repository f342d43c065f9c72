"""What the venue shows: instruments, ticks, the state of the link, and the venue's own audit."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from shared.messages.message import (
    CoinE12,
    Count,
    Delivery,
    Finite,
    Lots,
    Message,
    Name,
    NonNegative,
    Ns,
    Positive,
    Text,
    Ticks,
    Underlying,
    Vol,
)

Kind = Literal["option", "future", "perpetual"]


class TickStep(msgspec.Struct, frozen=True, kw_only=True):
    """From `above_ticks` base ticks upwards, prices are multiples of `step_ticks` base ticks."""

    above_ticks: Ticks
    step_ticks: Ticks


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A listed contract. Options are quoted in coin with amounts in coin (inverse), futures and
    the perpetual in USD with amounts in USD."""

    name: Name
    instrument_id: Count
    kind: Kind
    underlying: Underlying
    expiry_ns: Ns  # 0 for the perpetual
    strike_usd: NonNegative  # 0 for futures
    is_call: bool
    tick_e8: Annotated[int, Meta(ge=1, le=10**12)]
    tick_steps: Annotated[tuple[TickStep, ...], Meta(max_length=8)]
    lot_e8: Annotated[int, Meta(ge=1, le=10**12)]
    maker_fee_ratio: Finite
    taker_fee_ratio: Finite


class InstrumentsV1(Message, frozen=True, kw_only=True, tag="market.instruments.v1"):
    """All instruments of one underlying and one expiry (`expiry_ns` 0: the perpetual)."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    underlying: Underlying
    expiry_ns: Ns
    instruments: Annotated[tuple[Instrument, ...], Meta(max_length=1024)]

    def key(self) -> str:
        return f"{self.underlying}.{self.expiry_ns}"


class Tick(msgspec.Struct, frozen=True, array_like=True):
    """Best prices of one instrument; a missing side has 0 lots. Positional on the wire: only add
    at the end."""

    instrument: Name
    bid_ticks: Ticks
    bid_lots: Lots
    ask_ticks: Ticks
    ask_lots: Lots
    mark_price: NonNegative  # coin for options, USD for futures; 0 before the first mark
    mark_vol: Vol  # 0 for futures
    venue_ns: Ns
    is_live: bool = True  # False while the book has a gap, or the instrument is not open


class TicksV1(Message, frozen=True, kw_only=True, tag="market.ticks.v1"):
    """A batch of ticks of one underlying, conflated to the newest per instrument."""

    delivery: ClassVar[Delivery] = Delivery.LOSSY

    underlying: Underlying
    sequence: Count
    index_usd: Positive
    index_ns: Ns  # venue time of the index
    ticks: Annotated[tuple[Tick, ...], Meta(max_length=1024)]

    def key(self) -> str:
        return self.underlying


class FeedV1(Message, frozen=True, kw_only=True, tag="market.feed.v1"):
    """The gateway's link to the venue, sent on change and every second."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    is_connected: bool
    reason: Text
    reconnect_count: Count
    gap_count: Count
    venue_clock_offset_ns: int  # venue time minus desk time


class VenueAuditV1(Message, frozen=True, kw_only=True, tag="market.audit.v1"):
    """The simulated venue's own books, for auditors only: all money must sum to zero."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    currency: Underlying
    accounts_sum_coin_e12: CoinE12  # every account, fees and the house included
    trade_count: Count
    live_quote_count: Count  # of the desk's account, both sides counted
    positions_sum_lots: int  # over all accounts and instruments: zero

    def key(self) -> str:
        return self.currency
