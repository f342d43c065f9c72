"""Mass quotes and market-maker protection, as methods."""

from typing import Any

from services.venue.errors import VenueError, invalid
from services.venue.floor import Context, Floor, Method, Table
from services.venue.matching.mmp import Group
from services.venue.matching.orders import Order
from services.venue.matching.quote_entry import Report


class QuoteMethods:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._index_names = tuple(f"{name.lower()}_usd" for name in floor.exchange.currencies)

    def table(self) -> Table:
        return {
            "private/mass_quote": Method(
                self.mass_quote,
                cost="mass_quote",
                needs="trade",
                is_private=True,
                is_websocket_only=True,
            ),
            "private/cancel_quotes": Method(
                self.cancel_quotes, cost="cancel_all", needs="trade", is_private=True
            ),
            "private/set_mmp_config": Method(self.set_config, needs="trade", is_private=True),
            "private/get_mmp_config": Method(self.get_config, is_private=True),
            "private/get_mmp_status": Method(self.get_status, is_private=True),
            "private/reset_mmp": Method(self.reset, needs="trade", is_private=True),
        }

    def report(self, call: Context) -> Report:
        """Takes a mass quote; the answer is whoever asked for it to write."""
        if not call.connection.cancel_on_disconnect:
            raise VenueError(13042)
        if call.params.has("valid_until") and (
            call.params.integer("valid_until") < call.now_ns // 1_000_000
        ):
            raise VenueError(13888)
        return self._floor.quotes.mass_quote(
            call.account_id, call.connection.connection_id, call.params, call.now_ns
        )

    def mass_quote(self, call: Context) -> dict[str, Any]:
        is_detailed = call.params.boolean("detailed")
        call.params.boolean("wait_for_response", default=True)
        report = self.report(call)
        if not is_detailed:
            return {"errors": report.errors}
        instruments = self._floor.exchange.instruments
        trades = [
            trade.wire_of(instruments[trade.index], party)
            for trade in report.trades
            for party in trade.parties
            if party.account_id == call.account_id
        ]
        return {
            "errors": report.errors,
            "orders": [self._wire(order) for order in report.orders],
            "trades": trades,
        }

    def cancel_quotes(self, call: Context) -> Any:
        ended = self._floor.quotes.cancel_quotes(call.account_id, call.params, call.now_ns)
        if call.params.boolean("detailed"):
            return [self._wire(order) for order in ended]
        return len(ended)

    def set_config(self, call: Context) -> dict[str, Any]:
        """Sets a group, or removes it and its quotes (interval 0)."""
        params = call.params
        groups = self._floor.exchange.groups_of(call.account_id)
        old = groups.find(params.text("index_name"), params.text("mmp_group", ""))
        group = groups.configure(params, self._index_names)
        if group is not None:
            self._curtail(call, group)
            return group.wire()
        if old is not None:
            self._pull(call, old)
        return {
            "index_name": params.text("index_name"),
            "mmp_group": params.text("mmp_group", ""),
            "interval": 0,
            "frozen_time": 0,
        }

    def get_config(self, call: Context) -> list[dict[str, Any]]:
        return [group.wire() for group in self._selected(call)]

    def get_status(self, call: Context) -> list[dict[str, Any]]:
        """Returns the groups that are frozen now."""
        return [
            {
                "index_name": group.index_name,
                "frozen_until": group.frozen_until_ms(),
                "mmp_group": group.name,
            }
            for group in self._selected(call)
            if group.is_frozen(call.now_ns)
        ]

    def reset(self, call: Context) -> str:
        call.params.text("index_name")
        for group in self._selected(call):
            group.reset()
        return "ok"

    def _selected(self, call: Context) -> list[Group]:
        index_name = call.params.text("index_name", "all")
        if index_name not in ("all", *self._index_names):
            raise invalid("index_name", "unknown index")
        name = call.params.text("mmp_group") if call.params.has("mmp_group") else None
        return self._floor.exchange.groups_of(call.account_id).select(index_name, name)

    def _members(self, call: Context, group: Group) -> list[Order]:
        exchange = self._floor.exchange
        mine = (*exchange.orders.quotes(call.account_id), *exchange.orders.live(call.account_id))
        return [
            order
            for order in mine
            if order.is_mmp
            and order.mmp_group == group.name
            and exchange.price_index(order.index) == group.index_name
        ]

    def _pull(self, call: Context, group: Group) -> None:
        for order in self._members(call, group):
            self._floor.exchange.cancel(order, "mmp_config_curtailment", call.now_ns)

    def _curtail(self, call: Context, group: Group) -> None:
        """Cancels what is larger than the group now allows."""
        exchange = self._floor.exchange
        for order in self._members(call, group):
            instrument = exchange.instruments[order.index]
            coins = order.remaining_lots * instrument.lot_e8 / 1e8
            if instrument.kind != "option":
                coins /= exchange.marks.mark_price(order.index)
            if coins > group.max_quote_quantity + 1e-9:
                exchange.cancel(order, "mmp_config_curtailment", call.now_ns)

    def _wire(self, order: Order) -> dict[str, Any]:
        return order.wire(self._floor.exchange.instruments[order.index], order.account_id)
