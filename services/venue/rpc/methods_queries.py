"""What became of my orders and trades: private questions that change nothing."""

from collections.abc import Callable, Iterable
from typing import Any

from services.venue.floor import KINDS, Context, Floor, Method, Table
from services.venue.matching.history import Party, Trade
from services.venue.matching.orders import Order
from services.venue.rpc.methods_orders import OrderMethods
from services.venue.rpc.methods_trades import kind_name, page_of

COUNT_MAX = 1_000


class QueryMethods:
    def __init__(self, floor: Floor, orders: OrderMethods) -> None:
        self._floor = floor
        self._orders = orders

    def table(self) -> Table:
        handlers: dict[str, Callable[[Context], Any]] = {
            "get_open_orders": self.open_orders,
            "get_open_orders_by_currency": self.open_orders,
            "get_open_orders_by_instrument": self.open_orders,
            "get_open_orders_by_label": self.open_orders,
            "get_order_state": self.order_state,
            "get_order_state_by_label": self.by_label,
            "get_order_margin_by_ids": self.order_margins,
            "get_order_history_by_currency": self.order_history,
            "get_order_history_by_instrument": self.order_history,
            "get_trigger_order_history": self.trigger_history,
            "get_user_trades_by_currency": self.trades,
            "get_user_trades_by_currency_and_time": self.trades,
            "get_user_trades_by_instrument": self.trades,
            "get_user_trades_by_instrument_and_time": self.trades,
            "get_user_trades_by_order": self.trades_by_order,
            "get_settlement_history_by_currency": self.settlements,
            "get_settlement_history_by_instrument": self.settlements,
        }
        return {
            f"private/{name}": Method(handler, is_private=True)
            for name, handler in handlers.items()
        }

    def open_orders(self, call: Context) -> list[dict[str, Any]]:
        """Returns live orders, and quotes with `type` "all" as the venue shows both."""
        orders = self._floor.exchange.orders
        matches = self._matcher(call)
        mine = (*orders.live(call.account_id), *orders.quotes(call.account_id))
        wanted = call.params.text("type", "all", 32)
        label = call.params.text("label", "", 64)
        return [
            self._wire(order)
            for order in mine
            if matches(order.index)
            and (not label or order.label == label)
            and (wanted == "all" or _is_type(order, wanted))
        ]

    def order_state(self, call: Context) -> dict[str, Any]:
        return self._wire(self._orders.own_order(call, call.params.text("order_id")))

    def by_label(self, call: Context) -> list[dict[str, Any]]:
        """Returns all remembered orders with a label, newest first."""
        currency = self._floor.currency(call.params)
        label = call.params.text("label", "", 64)
        found = [
            order
            for order in self._all(call.account_id)
            if order.label == label and self._currency(order) == currency
        ]
        found.sort(key=lambda order: order.created_ns, reverse=True)
        return [self._wire(order) for order in found]

    def order_margins(self, call: Context) -> list[dict[str, Any]]:
        rows = []
        for order_id in call.params.texts("ids", 100):
            order = self._orders.own_order(call, order_id)
            margin = self._floor.margin.order_margin(order, order.remaining_lots, order.price_ticks)
            rows.append(
                {
                    "order_id": order_id,
                    "initial_margin": margin if order.is_live else 0.0,
                    "initial_margin_currency": self._currency(order),
                }
            )
        return rows

    def order_history(self, call: Context) -> list[dict[str, Any]]:
        """Returns ended orders, newest first; those that never traded only when asked for."""
        matches = self._matcher(call)
        count = call.params.integer("count", 20, 1, COUNT_MAX)
        offset = call.params.integer("offset", 0, 0, 10**6)
        with_unfilled = call.params.boolean("include_unfilled")
        found = [
            order
            for order in self._floor.exchange.orders.ended(call.account_id)
            if matches(order.index) and (with_unfilled or order.filled_lots) and not order.is_quote
        ]
        return [self._wire(order) for order in found[offset : offset + count]]

    def trigger_history(self, call: Context) -> dict[str, Any]:
        matches = self._matcher(call)
        found = [
            self._wire(order)
            for order in self._floor.exchange.orders.ended(call.account_id)
            if order.trigger and matches(order.index)
        ]
        count = call.params.integer("count", 20, 1, COUNT_MAX)
        return {"entries": found[:count], "continuation": None}

    def trades(self, call: Context) -> Any:
        matches = self._matcher(call)
        mine = self._trades_of(call.account_id)
        return self._page(call, [pair for pair in mine if matches(pair[0].index)])

    def trades_by_order(self, call: Context) -> Any:
        order = self._orders.own_order(call, call.params.text("order_id"))
        mine = self._trades_of(call.account_id)
        pairs = [pair for pair in mine if pair[1].order_id == order.order_id]
        return self._page(call, pairs)["trades"]

    def settlements(self, call: Context) -> dict[str, Any]:
        matches = self._matcher(call)
        wanted = call.params.choice("type", ("settlement", "delivery", "bankruptcy"), "")
        count = call.params.integer("count", 20, 1, COUNT_MAX)
        events = self._floor.settlement.account_events.get(call.account_id, ())
        index_of = self._floor.exchange.index_of
        rows = [
            row
            for row in reversed(events)
            if wanted in ("", row["type"]) and matches(index_of[row["instrument_name"]])
        ]
        page = [{k: v for k, v in row.items() if k != "commission"} for row in rows[:count]]
        return {"settlements": page, "continuation": "none"}

    def _page(self, call: Context, pairs: list[tuple[Trade, Party]]) -> dict[str, Any]:
        """Returns a page; a trade has both parties where the caller dealt with itself (never:
        self-trades are prevented), so trades identify their parties."""
        instruments = self._floor.exchange.instruments
        parties = {trade.number: party for trade, party in pairs}
        page, has_more = page_of(call.params, [trade for trade, _ in pairs])
        wires = [t.wire_of(instruments[t.index], parties[t.number]) for t in page]
        return {"trades": wires, "has_more": has_more}

    def _trades_of(self, account_id: int) -> Iterable[tuple[Trade, Party]]:
        return self._floor.exchange.history.by_account.get(account_id, ())

    def _matcher(self, call: Context) -> Callable[[int], bool]:
        """Returns the test for instruments: by name, or by currency and kind."""
        params = call.params
        if params.has("instrument_name"):
            wanted = self._floor.index(params.text("instrument_name"))
            return lambda index: index == wanted
        currency = self._floor.currency(params, "any", any_=True)
        kind = params.choice("kind", KINDS, "any")
        instruments = self._floor.exchange.instruments
        return lambda index: (
            currency in ("any", instruments[index].underlying)
            and kind in ("any", kind_name(instruments[index].kind))
        )

    def _all(self, account_id: int) -> list[Order]:
        orders = self._floor.exchange.orders
        return [*orders.live(account_id), *orders.ended(account_id)]

    def _currency(self, order: Order) -> str:
        return self._floor.exchange.instruments[order.index].underlying

    def _wire(self, order: Order) -> dict[str, Any]:
        return order.wire(self._floor.exchange.instruments[order.index], order.account_id)


def _is_type(order: Order, wanted: str) -> bool:
    if wanted == "trigger_all":
        return bool(order.trigger)
    if wanted.endswith("_all"):
        return order.order_type.startswith(wanted.removesuffix("all"))
    return order.order_type == wanted
