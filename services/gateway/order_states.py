"""One order of the desk, and the venue's word on it, checked."""

from typing import Any, Literal

import msgspec

from services.gateway.listing import Listing
from services.gateway.readings import NONSENSE, name, number, stamp_ns
from shared.messages.market import Instrument
from shared.messages.message import Side
from shared.messages.orders import OrderState, OrderV1, PlaceOrderV1
from shared.units import amount_from_lots, lots_nearest, price_from_ticks, ticks_nearest
from shared.venue_link import OUTCOME_UNKNOWN

ENDED = ("filled", "cancelled", "rejected")
NOT_FOUND = "not_found"
# Answers after which the order may exist all the same: timed out inside, internal error.
UNKNOWN_CODES = frozenset({OUTCOME_UNKNOWN, 13888, 11094})
NO_SUCH_ORDER_CODES = frozenset({10004, 13020})
VENUE_STATES: dict[str, OrderState] = {
    "open": "open",
    "untriggered": "open",
    "triggered": "open",
    "filled": "filled",
    "cancelled": "cancelled",
    "rejected": "rejected",
}


class DeskOrder(msgspec.Struct):
    """One order. `state` is "sent" until the first word from the venue."""

    order_id: str
    instrument: Instrument | None  # None: asked for by a command without its instrument
    side: Side
    amount_lots: int
    price_ticks: int
    unsettled_ns: int  # since when its outcome may be missing at the venue
    state: OrderState | Literal["sent"] = "sent"
    filled_lots: int = 0
    venue_order_id: str = ""
    reason: str = ""
    venue_ns: int = 0
    is_cancel_wanted: bool = False
    is_asking: bool = False
    ask_at_ns: int = 0  # when to ask the venue next; 0: never

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED


class VenueOrder(msgspec.Struct):
    """What one order row of the venue says, in the desk's units."""

    instrument: Instrument
    side: Side
    state: OrderState
    amount_lots: int
    filled_lots: int
    price_ticks: int
    venue_order_id: str
    venue_ns: int
    reason: str


def read_order(row: dict[str, Any], listing: Listing) -> VenueOrder:
    """Returns the order in a row; raises ValueError where it cannot be true."""
    try:
        instrument = listing.by_name[row["instrument_name"]]
        price = row["price"]
        order = VenueOrder(
            instrument=instrument,
            side="sell" if row["direction"] == "sell" else "buy",
            state=VENUE_STATES[row["order_state"]],
            amount_lots=lots_nearest(instrument, number(row["amount"])),
            filled_lots=lots_nearest(instrument, number(row.get("filled_amount", 0.0))),
            price_ticks=0 if price == "market_price" else ticks_nearest(instrument, number(price)),
            venue_order_id=name(row["order_id"]),
            venue_ns=stamp_ns(row["last_update_timestamp"]),
            reason=str(row.get("cancel_reason") or "")[:200],
        )
        is_sound = 0 <= order.filled_lots <= order.amount_lots <= 10**12
        if is_sound and 0 <= order.price_ticks <= 10**12:
            return order
    except NONSENSE as error:
        raise ValueError(f"{type(error).__name__} {error}") from error
    raise ValueError("order out of range")


def report(order: DeskOrder, now_ns: int, instrument_name: str = "") -> list[OrderV1]:
    """Returns what the bus is told of an order; nothing before the venue's first word."""
    if order.state == "sent":
        return []
    return [
        OrderV1(
            created_ns=now_ns,
            order_id=order.order_id,
            venue_order_id=order.venue_order_id,
            instrument=order.instrument.name if order.instrument else instrument_name or "unknown",
            side=order.side,
            state=order.state,
            amount_lots=order.amount_lots,
            filled_lots=order.filled_lots,
            price_ticks=order.price_ticks,
            reason=order.reason,
            venue_ns=order.venue_ns,
        )
    ]


def order_params(command: PlaceOrderV1, instrument: Instrument) -> dict[str, Any]:
    """Returns the parameters of private/buy or private/sell.

    A post-only order that would take is refused by the venue, never repriced.
    """
    params: dict[str, Any] = {
        "instrument_name": instrument.name,
        "amount": amount_from_lots(instrument, command.amount_lots),
        "type": "limit",
        "price": price_from_ticks(instrument, command.price_ticks),
        "label": command.order_id,
        "time_in_force": "immediate_or_cancel" if command.is_immediate else "good_til_cancelled",
        "post_only": command.is_post_only,
        "reduce_only": command.is_reduce_only,
    }
    if command.is_post_only:
        params["reject_post_only"] = True
    return params
