"""One hedge intent under work, and the child orders sent for it."""

import msgspec

from shared.messages.hedging import HedgeIntentV1
from shared.messages.message import Side
from shared.messages.orders import OrderState, OrderV1, PlaceOrderV1

ENDED = ("filled", "cancelled", "rejected")
NOT_FOUND = "not_found"  # the gateway's reason for an order that never reached the book


class Child(msgspec.Struct):
    """One order. `state` is None from sending it until the first word of the gateway."""

    order_id: str
    intent_id: str
    number: int
    instrument: str
    side: Side
    amount_lots: int
    price_ticks: int
    is_immediate: bool
    placed_ns: int
    state: OrderState | None = None
    reason: str = ""
    reported_lots: int = 0  # filled, by the order's own word
    trades: dict[str, int] = {}  # lots by trade id
    cancel_at_ns: int = 0  # when to ask for a cancel again
    query_at_ns: int = 0
    query_wait_ns: int = 0
    was_given_up: bool = False

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED

    @property
    def filled_lots(self) -> int:
        """Order and fills are told apart and late; the larger is the truth known so far."""
        return max(self.reported_lots, sum(self.trades.values()))

    def take(self, order: OrderV1) -> bool:
        """Takes a state; an older one that comes late changes nothing. Returns if it was news."""
        self.reported_lots = max(self.reported_lots, order.filled_lots)
        is_back = self.reason == NOT_FOUND and order.state == "open"
        self.was_given_up = self.was_given_up or order.reason == NOT_FOUND
        if self.is_ended and order.state not in ENDED and not is_back:
            return False
        if order.state == "unknown" and self.state == "open":
            return False
        is_news = self.state != order.state
        self.state = order.state
        self.reason = order.reason
        return is_news


class Work:
    """An intent until its outcome is published."""

    def __init__(self, intent: HedgeIntentV1) -> None:
        self.intent = intent
        self.children: list[Child] = []
        self.next_number = 0
        self.rejects_in_a_row = 0
        self.place_at_ns = 0  # not before
        self.refusal = ""  # why it ends as rejected

    @property
    def filled_lots(self) -> int:
        return sum(child.filled_lots for child in self.children)

    @property
    def remaining_lots(self) -> int:
        return max(0, self.intent.amount_lots - self.filled_lots)

    @property
    def live(self) -> Child | None:
        """The order that may still trade, if there is one: at most one is sent at a time."""
        for child in reversed(self.children):
            if not child.is_ended:
                return child
        return None

    def add(self, place: PlaceOrderV1) -> Child | None:
        """Takes an order as sent (now, or in an earlier life). None: not one of this intent's."""
        number = number_of(place.order_id, self.intent.intent_id)
        if number is None or any(child.number == number for child in self.children):
            return None
        child = Child(
            order_id=place.order_id,
            intent_id=place.intent_id,
            number=number,
            instrument=place.instrument,
            side=place.side,
            amount_lots=place.amount_lots,
            price_ticks=place.price_ticks,
            is_immediate=place.is_immediate,
            placed_ns=place.created_ns,
        )
        self.children.append(child)
        self.next_number = max(self.next_number, number + 1)
        return child


def order_id_of(intent_id: str, number: int) -> str:
    return f"{intent_id}-{number}"


def number_of(order_id: str, intent_id: str) -> int | None:
    """Returns the number in an order id of this intent; None for another's."""
    head, _, tail = order_id.rpartition("-")
    return int(tail) if head == intent_id and tail.isdecimal() else None
