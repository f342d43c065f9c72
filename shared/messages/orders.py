"""Orders, fills and accounts. Commands go to the gateway; facts come back from it."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from shared.messages.market import Instrument
from shared.messages.message import (
    CoinE12,
    Count,
    Delivery,
    Lots,
    Message,
    Name,
    NameOrEmpty,
    NonNegative,
    Ns,
    Positive,
    Side,
    SignedLots,
    Text,
    Ticks,
    Underlying,
)

OrderState = Literal["open", "filled", "cancelled", "rejected", "unknown"]


class PlaceOrderV1(Message, frozen=True, kw_only=True, tag="orders.place.v1"):
    """Execution asks the gateway to place one order; refused after `expires_ns`. `order_id` is
    sent as the venue's label, so that an order of unknown outcome can be asked for."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    order_id: Name
    intent_id: Name
    instrument: Name
    side: Side
    amount_lots: Annotated[int, Meta(ge=1, le=10**12)]
    price_ticks: Annotated[int, Meta(ge=1, le=10**12)]
    is_post_only: bool
    is_immediate: bool  # immediate or cancel; otherwise good till cancelled
    is_reduce_only: bool
    expires_ns: Ns

    def message_id(self) -> str:
        return f"place-{self.order_id}"


class CancelOrderV1(Message, frozen=True, kw_only=True, tag="orders.cancel.v1"):
    delivery: ClassVar[Delivery] = Delivery.DURABLE

    order_id: Name
    attempt: Count
    instrument: NameOrEmpty = ""  # so that a gateway that knows nothing yet can find the order

    def message_id(self) -> str:
        return f"cancel-{self.order_id}-{self.attempt}"


class QueryOrderV1(Message, frozen=True, kw_only=True, tag="orders.query.v1"):
    """What became of an order? The gateway asks the venue and answers with OrderV1."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    order_id: Name
    attempt: Count
    instrument: NameOrEmpty = ""  # so that a gateway that knows nothing yet can find the order

    def message_id(self) -> str:
        return f"query-{self.order_id}-{self.attempt}"


class OrderV1(Message, frozen=True, kw_only=True, tag="orders.order.v1"):
    """The state of one of the desk's orders, as last seen at the venue. `unknown`: the outcome of
    placing it is not known; `rejected` with reason `not_found`: it never reached the book."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    order_id: Name
    venue_order_id: NameOrEmpty
    instrument: Name
    side: Side
    state: OrderState
    amount_lots: Lots
    filled_lots: Lots
    price_ticks: Ticks
    reason: Text
    venue_ns: Ns

    def message_id(self) -> str:
        return f"order-{self.order_id}-{self.state}-{self.filled_lots}-{self.venue_ns}"


class FillV1(Message, frozen=True, kw_only=True, tag="orders.fill.v1"):
    """One trade of the desk's account, quotes included. Doubled delivery is normal: `trade_id`
    is the idempotency key."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    trade_id: Name
    venue_order_id: NameOrEmpty
    order_id: NameOrEmpty  # the desk's label; empty for a quote
    is_quote: bool
    underlying: Underlying
    instrument: Name
    side: Side
    amount_lots: Annotated[int, Meta(ge=1, le=10**12)]
    price_ticks: Ticks
    is_maker: bool
    fee_coin_e12: CoinE12  # paid by the desk; negative for a rebate
    index_usd: Positive
    mark_price: NonNegative
    venue_ns: Ns

    def key(self) -> str:
        return self.underlying

    def message_id(self) -> str:
        return f"fill-{self.trade_id}"


class SettlementV1(Message, frozen=True, kw_only=True, tag="orders.settlement.v1"):
    """The venue settled an instrument that the desk held. A `delivery` closes an expired position
    at `price_usd`, the venue's average of the index; a `settlement` moves a future's P&L up to
    the mark `price_usd` into the balance. What was delivered is listed no more: whoever is rebuilt
    from the record has its `terms` from here."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    settlement_id: Name
    kind: Literal["settlement", "delivery"]
    underlying: Underlying
    instrument: Name
    price_usd: Positive
    venue_ns: Ns
    terms: Instrument | None = None

    def key(self) -> str:
        return self.underlying

    def message_id(self) -> str:
        return f"settlement-{self.settlement_id}"


class AccountPosition(msgspec.Struct, frozen=True, array_like=True):
    instrument: Name
    position_lots: SignedLots


class AccountV1(Message, frozen=True, kw_only=True, tag="orders.account.v1"):
    """The venue's word on the desk's account in one currency, asked for every few seconds."""

    delivery: ClassVar[Delivery] = Delivery.STATE
    follows_record: ClassVar[bool] = True  # or readers know of trades whose fills they cannot have

    currency: Underlying
    positions: Annotated[tuple[AccountPosition, ...], Meta(max_length=4096)]
    balance_coin_e12: CoinE12  # cash, with realised P&L and fees
    equity_coin_e12: CoinE12  # with open positions at the venue's marks
    venue_ns: Ns
    last_trade_id: NameOrEmpty = ""  # the newest trade the gateway knew before it asked
    open_order_count: Count = 0

    def key(self) -> str:
        return self.currency
