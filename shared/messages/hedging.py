"""Hedge intents, and what became of them."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from shared.messages.message import (
    Count,
    Delivery,
    Finite,
    Lots,
    Message,
    Name,
    NonNegative,
    Ns,
    Side,
    Text,
    Underlying,
)


class HedgeIntentV1(Message, frozen=True, kw_only=True, tag="hedging.intent.v1"):
    """Hedging wants an amount traded by a deadline. At most one intent of an underlying is open;
    a new one replaces it."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    intent_id: Name
    underlying: Underlying
    instrument: Name
    side: Side
    amount_lots: Annotated[int, Meta(ge=1, le=10**12)]
    urgency: Literal["passive", "taking"]
    deadline_ns: Ns
    delta_coin: Finite  # book delta that asked for it
    band_coin: NonNegative  # no-trade half-width
    reason: Text
    portfolio_fill_count: Count

    def key(self) -> str:
        return self.underlying

    def message_id(self) -> str:
        return f"intent-{self.intent_id}"


class HedgeOutcomeV1(Message, frozen=True, kw_only=True, tag="hedging.outcome.v1"):
    """An intent has ended: nothing of it is live at the venue any more."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    intent_id: Name
    underlying: Underlying
    result: Literal["done", "expired", "replaced", "rejected"]
    filled_lots: Lots
    order_count: Count
    reason: Text

    def key(self) -> str:
        return self.underlying

    def message_id(self) -> str:
        return f"outcome-{self.intent_id}"
