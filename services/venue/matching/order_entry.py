"""Orders in: what is asked is checked, priced inside the rules, and handed to the exchange."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from native.book import ERR_FULL, ERR_NOT_FILLABLE, ERR_WOULD_CROSS, FOK, GTC, IOC
from native.library import NativeError
from services.venue.accounts.margin import Margin
from services.venue.errors import VenueError, invalid
from services.venue.matching.exchange import Exchange
from services.venue.matching.history import Trade
from services.venue.matching.orders import BUY, SELL, Order
from services.venue.matching.price_grid import ceil_ticks, coins_of, floor_ticks
from shared.settlement import next_settlement_ns
from shared.units import price_from_ticks

OPEN_ORDERS_MAX = 1_000  # of an account
TIFS = {"good_til_cancelled": GTC, "good_til_day": GTC, "immediate_or_cancel": IOC,
        "fill_or_kill": FOK}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """One order as asked for. `price_ticks` 0: at market."""

    index: int
    side: int
    lots: int
    price_ticks: int
    order_type: str = "limit"
    time_in_force: str = "good_til_cancelled"
    label: str = ""
    is_post_only: bool = False
    is_reject_post_only: bool = False
    is_reduce_only: bool = False
    is_mmp: bool = False
    mmp_group: str = ""
    trigger: str = ""
    trigger_ticks: int = 0


class OrderEntry:
    """Places, changes and cancels the orders of accounts that log in."""

    def __init__(self, exchange: Exchange, margin: Margin) -> None:
        self._exchange = exchange
        self._margin = margin

    def place(
        self, account_id: int, connection_id: int, ask: Ask, now_ns: int
    ) -> tuple[Order, list[Trade]]:
        """Returns the order and its trades at once. Raises VenueError and changes nothing."""
        exchange = self._exchange
        self.check_open(ask.index, now_ns)
        if len(exchange.orders.live(account_id)) >= OPEN_ORDERS_MAX:
            raise VenueError(11050, data={"reason": "too many open orders"})
        lots = self._reduced(account_id, ask) if ask.is_reduce_only else ask.lots
        order = _order(ask, lots, account_id, connection_id, now_ns)
        if ask.trigger:
            order.state = "untriggered"
            order.order_id = exchange.orders.next_id(exchange.instruments[ask.index].underlying)
            exchange.orders.add(order)
            exchange.news.orders[order.order_id] = order
            return order, []
        return order, self._enter(order, now_ns)

    def release(self, order: Order, now_ns: int) -> None:
        """Sends a trigger order whose trigger was met; one that is refused now ends rejected."""
        assert order.state == "untriggered"
        order.state = "open"
        try:
            if order.is_reduce_only:
                position = self._exchange.position_lots(order.account_id, order.index)
                order.lots = _reducible(position, order.side, order.lots)
            self.check_open(order.index, now_ns)
            self._enter(order, now_ns)
        except VenueError as error:
            self._exchange.end(order, "rejected", error.message, now_ns)

    def edit(
        self,
        order: Order,
        lots: int,
        price_ticks: int,
        now_ns: int,
        *,
        is_post_only: bool,
        is_reject_post_only: bool,
        is_reduce_only: bool,
    ) -> list[Trade]:
        """Changes size and price of an open order; keeps its place at the same price and not
        more size. An edit that would take where it must not cancels nothing and is refused."""
        exchange = self._exchange
        self.check_open(order.index, now_ns)
        if order.order_type != "limit" or not order.book_id:
            raise VenueError(11044)
        if lots <= order.filled_lots:
            raise VenueError(10002)
        if is_post_only:
            price_ticks = self.passive_price(
                order.index, order.side, price_ticks, is_reject=is_reject_post_only
            )
        self.check_band(order.index, order.side, price_ticks)
        self._check_funds(order, lots - order.filled_lots, price_ticks, resting=order)
        order.lots, order.price_ticks = lots, price_ticks
        order.is_post_only, order.is_reject_post_only = is_post_only, is_reject_post_only
        order.is_reduce_only = is_reduce_only
        order.is_replaced = True
        order.updated_ns = now_ns
        exchange.news.orders[order.order_id] = order
        exchange.book.amend(order.book_id, price_ticks, order.remaining_lots)
        return exchange.settle_events(now_ns)

    def cancel_all(
        self, orders: list[Order], now_ns: int, reason: str = "user_request"
    ) -> list[Order]:
        for order in orders:
            self._exchange.cancel(order, reason, now_ns)
        return orders

    def check_open(self, index: int, now_ns: int) -> None:
        instrument = self._exchange.instruments[index]
        if self._exchange.states[index] != "open":
            raise VenueError(10012)
        if self._exchange.is_settling(instrument.underlying, now_ns):
            raise VenueError(10041)

    def check_band(self, index: int, side: int, price_ticks: int) -> None:
        """Refuses a buy above and a sale below the price band, naming the limit."""
        low, high = self.band_ticks(index)
        instrument = self._exchange.instruments[index]
        if side == BUY and price_ticks > high:
            raise VenueError(10007, f"{price_from_ticks(instrument, high):g}")
        if side == SELL and price_ticks < low:
            raise VenueError(10005, f"{price_from_ticks(instrument, low):g}")

    def band_ticks(self, index: int) -> tuple[int, int]:
        """Returns the lowest sale and the highest buy, on the grid."""
        marks = self._exchange.marks
        return marks.low_ticks[index], marks.high_ticks[index]

    def passive_price(self, index: int, side: int, price_ticks: int, *, is_reject: bool) -> int:
        """Returns a price that does not take: the asked one, or one step inside the other side.

        Raises 11054 where that is not wanted, or there is no such price.
        """
        levels, _ = self._exchange.book.levels(_one(index), 1)
        opposite = int(levels[0][1 - side][0]["price_ticks"])
        if not opposite:
            return price_ticks
        crosses = price_ticks >= opposite if side == BUY else price_ticks <= opposite
        if not crosses:
            return price_ticks
        instrument = self._exchange.instruments[index]
        inside = (
            floor_ticks(instrument, opposite - 1)
            if side == BUY
            else ceil_ticks(instrument, opposite + 1)
        )
        if is_reject or inside < 1:
            raise VenueError(11054)
        return inside

    def _enter(self, order: Order, now_ns: int) -> list[Trade]:
        """Submits an order to the book and books what happens."""
        exchange = self._exchange
        limit_ticks, tif = self._terms(order)
        self._check_funds(order, order.lots, limit_ticks)
        try:
            outcome = exchange.book.submit(
                order.index, order.account_id, order.side, limit_ticks, order.lots, tif
            )
        except NativeError as error:
            if error.status == ERR_WOULD_CROSS:
                raise VenueError(11054) from error
            if error.status != ERR_NOT_FILLABLE:
                raise _full(error) from error
            self._number(order)
            exchange.orders.add(order)
            exchange.end(order, "cancelled", "fill_or_kill", now_ns)
            return []
        self._number(order)
        order.book_id = outcome.order_id
        exchange.orders.add(order)
        exchange.news.orders[order.order_id] = order
        exchange.news.accounts.add((order.account_id, exchange.instruments[order.index].underlying))
        trades = exchange.settle_events(now_ns)
        if order.is_live and not outcome.resting_lots:
            exchange.orders.rebook(order, 0)
            exchange.end(order, "cancelled", order.time_in_force, now_ns)
        return trades

    def _number(self, order: Order) -> None:
        if not order.order_id:
            currency = self._exchange.instruments[order.index].underlying
            order.order_id = self._exchange.orders.next_id(currency)

    def _terms(self, order: Order) -> tuple[int, int]:
        """Returns limit and time in force for the book. A market order may go as far as the price
        band, and shows that as its price; market_limit rests where it began to trade."""
        tif = TIFS[order.time_in_force]
        if order.price_ticks:
            if order.is_post_only:
                order.price_ticks = self.passive_price(
                    order.index,
                    order.side,
                    order.price_ticks,
                    is_reject=order.is_reject_post_only,
                )
            self.check_band(order.index, order.side, order.price_ticks)
            return order.price_ticks, tif
        low, high = self.band_ticks(order.index)
        limit = high if order.side == BUY else low
        if order.order_type != "market_limit":
            order.price_ticks = limit
            return limit, FOK if tif == FOK else IOC
        levels, _ = self._exchange.book.levels(_one(order.index), 1)
        opposite = int(levels[0][1 - order.side][0]["price_ticks"])
        if not opposite:
            order.price_ticks = limit
            return limit, IOC
        order.price_ticks = min(opposite, high) if order.side == BUY else max(opposite, low)
        return order.price_ticks, GTC

    def _check_funds(
        self, order: Order, lots: int, price_ticks: int, resting: Order | None = None
    ) -> None:
        if not self._margin.can_place(order, lots, price_ticks, resting):
            raise VenueError(10009)

    def _reduced(self, account_id: int, ask: Ask) -> int:
        position = self._exchange.position_lots(account_id, ask.index)
        lots = _reducible(position, ask.side, ask.lots)
        if ask.is_mmp:
            raise VenueError(11047, data={"reason": "mmp with reduce_only"})
        return lots


def close_side(position_lots: int) -> int:
    """Returns the side that closes a position."""
    if not position_lots:
        raise VenueError(10010)
    return SELL if position_lots > 0 else BUY


def protected_size(exchange: Exchange, order: Order) -> float:
    """Returns an order's remaining size in coin, as max_quote_quantity counts it."""
    mark = exchange.marks.mark_price(order.index)
    return coins_of(exchange.instruments[order.index], order.remaining_lots, mark)


def _reducible(position_lots: int, side: int, lots: int) -> int:
    """Returns the lots of an order that only reduces. Raises where none would."""
    room = max(0, -position_lots if side == BUY else position_lots)
    if not room:
        raise invalid("reduce_only", "the order would not reduce a position")
    return min(lots, room)


def _one(index: int) -> NDArray[np.int32]:
    return np.array([index], dtype=np.int32)


def _order(ask: Ask, lots: int, account_id: int, connection_id: int, now_ns: int) -> Order:
    return Order(
        order_id="",
        account_id=account_id,
        connection_id=connection_id,
        index=ask.index,
        side=ask.side,
        price_ticks=ask.price_ticks,
        lots=lots,
        created_ns=now_ns,
        updated_ns=now_ns,
        order_type=ask.order_type,
        time_in_force=ask.time_in_force,
        label=ask.label,
        is_post_only=ask.is_post_only,
        is_reject_post_only=ask.is_reject_post_only,
        is_reduce_only=ask.is_reduce_only,
        is_mmp=ask.is_mmp,
        mmp_group=ask.mmp_group,
        trigger=ask.trigger,
        trigger_ticks=ask.trigger_ticks,
        expires_ns=next_settlement_ns(now_ns) if ask.time_in_force == "good_til_day" else 0,
    )


def _full(error: NativeError) -> VenueError:
    if error.status == ERR_FULL:
        return VenueError(10047)
    raise error
