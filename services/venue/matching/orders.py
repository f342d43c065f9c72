"""Orders and quotes as the venue knows them, and how they look on the wire."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from shared.clock import NS_PER_MS
from shared.messages.market import Instrument
from shared.units import amount_from_lots, price_from_ticks

HISTORY_MAX = 10_000  # ended orders kept per venue
BUY, SELL = 0, 1  # as in native/include/hr_book.h
DIRECTIONS = ("buy", "sell")


@dataclass(slots=True)
class Order:
    """One order or quote of an account that can log in. `lots` is the whole size; what rests in
    the book is `lots - filled_lots`."""

    order_id: str
    account_id: int
    connection_id: int  # 0: placed over HTTP
    index: int  # instrument, in the listing
    side: int
    price_ticks: int  # limit; 0 for a market order that waits for its trigger
    lots: int
    created_ns: int
    updated_ns: int
    order_type: str = "limit"
    time_in_force: str = "good_til_cancelled"
    label: str = ""
    is_post_only: bool = False
    is_reject_post_only: bool = False
    is_reduce_only: bool = False
    is_mmp: bool = False
    is_quote: bool = False
    quote_id: str = ""
    quote_set_id: str = ""
    mmp_group: str = ""
    is_api: bool = True
    state: str = "open"
    cancel_reason: str = ""
    is_mmp_cancelled: bool = False
    is_replaced: bool = False
    filled_lots: int = 0
    filled_ticks_lots: int = 0  # sum of price x lots, for the average price
    book_id: int = 0  # in the matching engine; 0: does not rest
    expires_ns: int = 0  # good_til_day; 0: never
    trigger: str = ""
    trigger_ticks: int = 0

    @property
    def is_live(self) -> bool:
        return self.state in ("open", "untriggered")

    @property
    def remaining_lots(self) -> int:
        return self.lots - self.filled_lots

    def fill(self, lots: int, price_ticks: int, now_ns: int) -> None:
        self.filled_lots += lots
        self.filled_ticks_lots += lots * price_ticks
        self.updated_ns = now_ns
        assert self.filled_lots <= self.lots
        if self.filled_lots == self.lots:
            self.state = "filled"
            self.book_id = 0

    def wire(self, instrument: Instrument, user_id: int) -> dict[str, Any]:
        """Returns the order object of the venue's answers and channels."""
        amount = amount_from_lots(instrument, self.lots)
        average = 0.0
        if self.filled_lots:
            average = self.filled_ticks_lots / self.filled_lots * instrument.tick_e8 / 1e8
        body: dict[str, Any] = {
            "order_id": self.order_id,
            "order_state": self.state,
            "order_type": self.order_type,
            "label": self.label,
            "price": (
                price_from_ticks(instrument, self.price_ticks)
                if self.price_ticks
                else "market_price"
            ),
            "amount": amount,
            "contracts": contracts(instrument, self.lots),
            "filled_amount": amount_from_lots(instrument, self.filled_lots),
            "average_price": round(average, 8),
            "direction": DIRECTIONS[self.side],
            "time_in_force": self.time_in_force,
            "instrument_name": instrument.name,
            "creation_timestamp": self.created_ns // NS_PER_MS,
            "last_update_timestamp": self.updated_ns // NS_PER_MS,
            "max_show": amount,
            "post_only": self.is_post_only,
            "reject_post_only": self.is_reject_post_only,
            "reduce_only": self.is_reduce_only,
            "replaced": self.is_replaced,
            "mmp": self.is_mmp,
            "api": self.is_api,
            "web": False,
            "is_liquidation": False,
            "is_rebalance": False,
            "risk_reducing": False,
            "user_id": user_id,
        }
        self._wire_extras(instrument, body)
        return body

    def _wire_extras(self, instrument: Instrument, body: dict[str, Any]) -> None:
        if self.cancel_reason:
            body["cancel_reason"] = self.cancel_reason
        if self.is_mmp_cancelled:
            body["mmp_cancelled"] = True
        if self.mmp_group:
            body["mmp_group"] = self.mmp_group
        if self.is_quote:
            body["quote"] = True
            body["quote_id"] = self.quote_id
            body["quote_set_id"] = self.quote_set_id
        if self.trigger:
            body["trigger"] = self.trigger
            body["trigger_price"] = price_from_ticks(instrument, self.trigger_ticks)
            body["triggered"] = self.state != "untriggered"


def contracts(instrument: Instrument, lots: int) -> float:
    """Returns the number of contracts: coins for options, 10 or 1 USD each for futures."""
    if instrument.kind == "option":
        return amount_from_lots(instrument, lots)
    return float(lots)


class Orders:
    """All orders: live ones by every key that is asked for, ended ones for a while."""

    def __init__(self) -> None:
        self._counter = 0
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._by_book_id: dict[int, Order] = {}
        self._live: dict[int, dict[str, Order]] = {}  # account -> its live orders, quotes apart
        self._quotes: dict[tuple[int, str, int, int], Order] = {}  # account, group, index, side
        self._quotes_of: dict[int, dict[str, Order]] = {}  # account -> its live quotes

    def next_id(self, currency: str) -> str:
        """Returns a new order id; the venue's own currency has bare numbers."""
        self._counter += 1
        number = 1_000_000 + self._counter
        return str(number) if currency == "BTC" else f"{currency}-{number}"

    @property
    def id_count(self) -> int:
        """How many order ids were given."""
        return self._counter

    def skip_ids(self, count: int) -> None:
        self._counter = count

    def remember(self, order: Order) -> None:
        """Takes an order that ended before the venue's restart."""
        assert not order.is_live
        assert not order.book_id
        self._orders[order.order_id] = order
        self._ended[order.order_id] = None

    def remembered(self) -> list[Order]:
        """Returns the orders to remember, oldest end first, then live ones; of the quotes only
        those that ended with a trade."""
        ended = [self._orders[order_id] for order_id in self._ended]
        live = [order for book in self._live.values() for order in book.values()]
        return [order for order in ended if not order.is_quote or order.filled_lots] + live

    def add(self, order: Order) -> None:
        self._orders[order.order_id] = order
        if order.is_quote:
            self._quotes[_quote_key(order)] = order
            self._quotes_of.setdefault(order.account_id, {})[order.order_id] = order
        else:
            self._live.setdefault(order.account_id, {})[order.order_id] = order
        if order.book_id:
            self._by_book_id[order.book_id] = order

    def rebook(self, order: Order, book_id: int) -> None:
        """Follows an order to another id in the matching engine; 0 takes it off."""
        if order.book_id and order.book_id != book_id:
            self._by_book_id.pop(order.book_id, None)
        order.book_id = book_id
        if book_id:
            self._by_book_id[book_id] = order

    def end(self, order: Order, book_id: int = 0) -> None:
        """Moves an order that filled, was cancelled or rejected out of the live ones."""
        assert not order.is_live
        self._by_book_id.pop(book_id or order.book_id, None)
        order.book_id = 0
        if order.is_quote:
            if self._quotes.get(_quote_key(order)) is order:
                del self._quotes[_quote_key(order)]
            self._quotes_of.get(order.account_id, {}).pop(order.order_id, None)
        else:
            self._live.get(order.account_id, {}).pop(order.order_id, None)
        self._ended[order.order_id] = None
        while len(self._ended) > HISTORY_MAX:
            oldest, _ = self._ended.popitem(last=False)
            del self._orders[oldest]

    def get(self, order_id: str) -> Order | None:
        return self._orders.get(order_id)

    def by_book_id(self, book_id: int) -> Order | None:
        return self._by_book_id.get(book_id)

    def live(self, account_id: int) -> list[Order]:
        """Returns the live orders of an account, oldest first, quotes not among them."""
        return list(self._live.get(account_id, {}).values())

    def quote(self, account_id: int, group: str, index: int, side: int) -> Order | None:
        return self._quotes.get((account_id, group, index, side))

    def quotes(self, account_id: int) -> list[Order]:
        return list(self._quotes_of.get(account_id, {}).values())

    def quote_count(self, account_id: int) -> int:
        return len(self._quotes_of.get(account_id, {}))

    def ended(self, account_id: int) -> list[Order]:
        """Returns ended orders of an account that are still remembered, newest first."""
        return [
            order
            for order_id in reversed(self._ended)
            if (order := self._orders[order_id]).account_id == account_id
        ]

    def untriggered(self) -> list[Order]:
        """Returns the orders that wait for their trigger, of all accounts."""
        return [
            order
            for book in self._live.values()
            for order in book.values()
            if order.state == "untriggered"
        ]

    def expiring(self) -> list[Order]:
        """Returns the live orders that end by themselves, of all accounts."""
        return [o for book in self._live.values() for o in book.values() if o.expires_ns]

    def live_in(self, index: int) -> list[Order]:
        """Returns the live orders and quotes in one instrument, of all accounts."""
        books = (*self._live.values(), *self._quotes_of.values())
        return [order for book in books for order in book.values() if order.index == index]


def _quote_key(order: Order) -> tuple[int, str, int, int]:
    return order.account_id, order.mmp_group, order.index, order.side
