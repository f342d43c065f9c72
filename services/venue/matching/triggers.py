"""Stop and take orders on futures: they wait here until their price comes by."""

from services.venue.matching.exchange import Exchange
from services.venue.matching.order_entry import OrderEntry
from services.venue.matching.orders import BUY, Order
from shared.units import price_from_ticks


class Triggers:
    """Looks at waiting orders once for every step of the market."""

    def __init__(self, exchange: Exchange, entry: OrderEntry) -> None:
        self._exchange = exchange
        self._entry = entry

    def on_step(self, now_ns: int) -> None:
        """Sends the orders whose condition holds."""
        for order in self._exchange.orders.untriggered():
            if self._is_met(order, now_ns):
                self._entry.release(order, now_ns)

    def _is_met(self, order: Order, now_ns: int) -> bool:
        instrument = self._exchange.instruments[order.index]
        threshold = price_from_ticks(instrument, order.trigger_ticks)
        price = self._price(order, now_ns)
        if price == 0.0:
            return False
        is_stop = order.order_type.startswith("stop")
        rises = (order.side == BUY) == is_stop  # buy stops and sell takes wait for higher prices
        return price >= threshold if rises else price <= threshold

    def _price(self, order: Order, now_ns: int) -> float:
        """Returns the price that an order watches; 0 while there is none."""
        exchange = self._exchange
        instrument = exchange.instruments[order.index]
        if order.trigger == "index_price":
            return exchange.marks.index_usd(instrument.underlying)
        if order.trigger == "mark_price":
            return exchange.marks.mark_now(order.index, now_ns)
        return price_from_ticks(instrument, exchange.history.tapes[order.index].last_ticks)
