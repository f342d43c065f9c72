"""Trading methods: placing, editing, closing, cancelling, and asking what became of orders."""

from collections.abc import Callable
from typing import Any

from services.venue.errors import VenueError, invalid
from services.venue.floor import KINDS, Context, Floor, Method, Table
from services.venue.matching.history import Trade
from services.venue.matching.order_entry import TIFS, Ask, close_side, protected_size
from services.venue.matching.orders import BUY, SELL, Order
from services.venue.matching.price_grid import amount_to_lots, price_to_ticks
from services.venue.rpc.methods_trades import kind_name
from shared.clock import NS_PER_MS
from shared.messages.market import Instrument

TYPES = ("limit", "market", "market_limit", "stop_limit", "stop_market", "take_limit",
         "take_market", "trailing_stop")  # fmt: skip
TRIGGER_TYPES = {"stop_limit", "stop_market", "take_limit", "take_market"}
TRIGGERS = ("index_price", "mark_price", "last_price")
LABEL_MAX = 64


class OrderMethods:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def table(self) -> Table:
        def trading(handler: Callable[[Context], Any], cost: str = "trading") -> Method:
            return Method(handler, cost=cost, needs="trade", is_private=True)

        return {
            "private/buy": trading(lambda c: self._place(c, BUY)),
            "private/sell": trading(lambda c: self._place(c, SELL)),
            "private/edit": trading(self.edit),
            "private/edit_by_label": trading(self.edit_by_label),
            "private/close_position": trading(self.close_position),
            "private/cancel": trading(self.cancel),
            "private/cancel_by_label": trading(self.cancel_by_label, "cancel_all"),
            "private/cancel_all": trading(self.cancel_all, "cancel_all"),
            "private/cancel_all_by_currency": trading(self.cancel_by_currency, "cancel_all"),
            "private/cancel_all_by_currency_pair": trading(self.cancel_by_pair, "cancel_all"),
            "private/cancel_all_by_instrument": trading(self.cancel_by_instrument, "cancel_all"),
            "private/cancel_all_by_kind_or_type": trading(self.cancel_by_currency, "cancel_all"),
            "private/get_margins": Method(self.margins, is_private=True),
        }

    def _place(self, call: Context, side: int) -> dict[str, Any]:
        params = call.params
        index = self._floor.index(params.text("instrument_name"))
        instrument = self._floor.exchange.instruments[index]
        ask = self._read(call, side, index, instrument)
        order, trades = self._floor.orders.place(
            call.account_id, call.connection.connection_id, ask, call.now_ns
        )
        return self._outcome(order, trades)

    def _read(self, call: Context, side: int, index: int, instrument: Instrument) -> Ask:
        """Returns the order that a request asks for; what is not offered is refused by name."""
        params = call.params
        order_type = params.choice("type", TYPES, "limit")
        self._refuse_unsupported(call, order_type, instrument)
        time_in_force = params.choice("time_in_force", tuple(TIFS), "good_til_cancelled")
        is_limit = order_type.endswith("limit") and order_type != "market_limit"
        price_ticks = 0
        if is_limit:
            price_ticks = price_to_ticks(instrument, params.number("price"))
        is_post_only = params.boolean("post_only")
        if is_post_only and (time_in_force not in ("good_til_cancelled", "good_til_day")):
            raise VenueError(11047, data={"reason": "post_only with immediate time in force"})
        if is_post_only and not is_limit:
            is_post_only = False
        trigger_ticks, trigger = 0, ""
        if order_type in TRIGGER_TYPES:
            trigger = params.choice("trigger", TRIGGERS)
            trigger_ticks = price_to_ticks(instrument, params.number("trigger_price"))
        is_mmp, group = params.boolean("mmp"), params.text("mmp_group", "")
        ask = Ask(
            index=index,
            side=side,
            lots=self._lots(call, instrument),
            price_ticks=price_ticks,
            order_type=order_type,
            time_in_force=time_in_force,
            label=params.text("label", "", LABEL_MAX),
            is_post_only=is_post_only,
            is_reject_post_only=is_post_only and params.boolean("reject_post_only"),
            is_reduce_only=params.boolean("reduce_only"),
            is_mmp=is_mmp,
            mmp_group=group,
            trigger=trigger,
            trigger_ticks=trigger_ticks,
        )
        if is_mmp:
            self._check_protection(call, ask, instrument)
        return ask

    def _refuse_unsupported(self, call: Context, order_type: str, instrument: Instrument) -> None:
        params = call.params
        if order_type == "trailing_stop":
            raise VenueError(10033, data={"reason": "trailing stops are not offered"})
        if order_type in TRIGGER_TYPES and instrument.kind == "option":
            raise VenueError(10033, data={"reason": "no trigger orders on options"})
        if params.has("advanced"):
            if instrument.kind != "option":
                raise VenueError(11038)
            raise VenueError(10033, data={"reason": "advanced orders are not offered"})
        if params.has("linked_order_type") or params.has("otoco_config"):
            raise VenueError(10033, data={"reason": "linked orders are not offered"})
        if params.has("display_amount"):
            raise VenueError(10033, data={"reason": "hidden orders are not offered"})
        if params.has("valid_until") and (params.integer("valid_until") < call.now_ns // NS_PER_MS):
            raise VenueError(13888)

    def _check_protection(self, call: Context, ask: Ask, instrument: Instrument) -> None:
        """An order with protection needs its group, unfrozen and with room."""
        index_name = f"{instrument.underlying.lower()}_usd"
        exchange = self._floor.exchange
        group = exchange.groups_of(call.account_id).find(index_name, ask.mmp_group)
        if group is None:
            raise VenueError(13040, data={"reason": "mmp_group is not configured"})
        if group.is_frozen(call.now_ns):
            raise VenueError(13030)
        if ask.order_type != "limit":
            raise VenueError(11047, data={"reason": "mmp is for limit orders"})
        live = (*exchange.orders.live(call.account_id), *exchange.orders.quotes(call.account_id))
        size = sum(
            protected_size(exchange, order)
            for order in live
            if order.is_mmp
            and order.mmp_group == group.name
            and order.index == ask.index
            and order.side == ask.side
        )
        wanted = ask.lots * instrument.lot_e8 / 1e8
        if instrument.kind != "option":
            wanted /= exchange.marks.mark_price(ask.index)
        if size + wanted > group.max_quote_quantity + 1e-9:
            raise VenueError(10022, "max_quote_quantity")

    def _lots(self, call: Context, instrument: Instrument) -> int:
        """Returns the size, given as `amount` or as `contracts`; both must agree."""
        params = call.params
        by_contracts = None
        if params.has("contracts"):
            size = 1.0 if instrument.kind == "option" else instrument.lot_e8 / 1e8
            by_contracts = amount_to_lots(
                instrument, params.number("contracts") * size, "contracts"
            )
            if not params.has("amount"):
                return by_contracts
        lots = amount_to_lots(instrument, params.number("amount"))
        if by_contracts not in (None, lots):
            raise invalid("amount", "differs from contracts")
        return lots

    def edit(self, call: Context) -> dict[str, Any]:
        return self._edit(call, self.own_order(call, call.params.text("order_id")))

    def edit_by_label(self, call: Context) -> dict[str, Any]:
        label = call.params.text("label", length_max=LABEL_MAX)
        index = self._floor.index(call.params.text("instrument_name"))
        found = [
            order
            for order in self._floor.exchange.orders.live(call.account_id)
            if order.label == label and order.index == index
        ]
        if len(found) != 1:
            raise VenueError(10004) if not found else VenueError(13032)
        return self._edit(call, found[0])

    def _edit(self, call: Context, order: Order) -> dict[str, Any]:
        params = call.params
        if order.is_quote:
            raise VenueError(11044, data={"reason": "quotes are changed by private/mass_quote"})
        if not order.is_live:
            raise VenueError(11008 if order.state == "filled" else 11044)
        self._refuse_unsupported(call, "limit", self._floor.exchange.instruments[order.index])
        instrument = self._floor.exchange.instruments[order.index]
        has_size = params.has("amount") or params.has("contracts")
        lots = self._lots(call, instrument) if has_size else order.lots
        ticks = order.price_ticks
        if params.has("price"):
            ticks = price_to_ticks(instrument, params.number("price"))
        trades = self._floor.orders.edit(
            order,
            lots,
            ticks,
            call.now_ns,
            is_post_only=params.boolean("post_only", order.is_post_only),
            is_reject_post_only=params.boolean("reject_post_only", order.is_reject_post_only),
            is_reduce_only=params.boolean("reduce_only", order.is_reduce_only),
        )
        return self._outcome(order, trades)

    def close_position(self, call: Context) -> dict[str, Any]:
        params = call.params
        index = self._floor.index(params.text("instrument_name"))
        order_type = params.choice("type", ("limit", "market"))
        held = self._floor.exchange.position_lots(call.account_id, index)
        instrument = self._floor.exchange.instruments[index]
        ticks = 0
        if order_type == "limit":
            ticks = price_to_ticks(instrument, params.number("price"))
        ask = Ask(
            index=index,
            side=close_side(held),
            lots=abs(held),
            price_ticks=ticks,
            order_type=order_type,
            is_reduce_only=True,
        )
        order, trades = self._floor.orders.place(
            call.account_id, call.connection.connection_id, ask, call.now_ns
        )
        return self._outcome(order, trades)

    def cancel(self, call: Context) -> dict[str, Any]:
        order = self.own_order(call, call.params.text("order_id"))
        if not order.is_live:
            raise VenueError(11008 if order.state == "filled" else 11044)
        self._floor.exchange.cancel(order, "user_request", call.now_ns)
        return self._wire(order)

    def cancel_by_label(self, call: Context) -> Any:
        label = call.params.text("label", length_max=LABEL_MAX)
        currency = self._floor.currency(call.params, "any", any_=True)
        return self._cancel(
            call,
            lambda o: o.label == label and currency in ("any", self._currency(o)),
            quotes=False,
        )

    def cancel_all(self, call: Context) -> Any:
        return self._cancel(call, lambda _order: True)

    def cancel_by_currency(self, call: Context) -> Any:
        names = call.params.values.get("currency")
        if isinstance(names, list):
            currencies = {name.upper() for name in call.params.texts("currency", 16)}
        else:
            currencies = {self._floor.currency(call.params, any_=True)}
        kind = call.params.choice("kind", KINDS, "any")
        self._order_type(call)
        return self._cancel(
            call,
            lambda o: (
                ("any" in currencies or self._currency(o) in currencies)
                and kind in ("any", self._kind(o))
                and self._is_type(call, o)
            ),
        )

    def cancel_by_pair(self, call: Context) -> Any:
        pair = call.params.text("currency_pair")
        kind = call.params.choice("kind", KINDS, "any")
        return self._cancel(
            call,
            lambda o: (
                self._floor.exchange.price_index(o.index) == pair and kind in ("any", self._kind(o))
            ),
        )

    def cancel_by_instrument(self, call: Context) -> Any:
        index = self._floor.index(call.params.text("instrument_name"))
        self._order_type(call)
        return self._cancel(call, lambda o: o.index == index and self._is_type(call, o))

    def margins(self, call: Context) -> dict[str, float]:
        index = self._floor.index(call.params.text("instrument_name"))
        exchange = self._floor.exchange
        instrument = exchange.instruments[index]
        lots = amount_to_lots(instrument, call.params.number("amount"))
        ticks = price_to_ticks(instrument, call.params.number("price"))
        low, high = self._floor.orders.band_ticks(index)
        needs = [
            self._floor.margin.order_margin(
                Order("", call.account_id, 0, index, side, ticks, lots, 0, 0), lots, ticks
            )
            for side in (BUY, SELL)
        ]
        tick = instrument.tick_e8 / 1e8
        return {
            "buy": needs[BUY],
            "sell": needs[SELL],
            "min_price": round(low * tick, 8),
            "max_price": round(high * tick, 8),
        }

    def own_order(self, call: Context, order_id: str) -> Order:
        """Returns an order of the caller's. Raises 10004, or 10029 if it is another's."""
        order = self._floor.exchange.orders.get(order_id)
        if order is None:
            raise VenueError(10004)
        if order.account_id != call.account_id:
            raise VenueError(10029)
        return order

    def _cancel(
        self, call: Context, matches: Callable[[Order], bool], *, quotes: bool = True
    ) -> Any:
        """Cancels orders, and quotes too where `quotes`; answers with their count, or the list."""
        orders = self._floor.exchange.orders
        mine = orders.live(call.account_id)
        if quotes:
            mine += orders.quotes(call.account_id)
        ended = self._floor.orders.cancel_all(
            [order for order in mine if matches(order)], call.now_ns
        )
        if call.params.boolean("freeze_quotes"):
            self._floor.quotes.freeze(call.account_id, call.now_ns)
        if call.params.boolean("detailed"):
            return [self._wire(order) for order in ended]
        return len(ended)

    def _order_type(self, call: Context) -> str:
        return call.params.text("type", "all", 32)

    def _is_type(self, call: Context, order: Order) -> bool:
        wanted = self._order_type(call)
        if wanted == "all":
            return True
        if wanted in ("trigger_all", "stop_all", "take_all", "stop", "take"):
            word = wanted.split("_")[0]
            return bool(order.trigger) and word in ("trigger", order.order_type.split("_")[0])
        return order.order_type == wanted

    def _currency(self, order: Order) -> str:
        return self._floor.exchange.instruments[order.index].underlying

    def _kind(self, order: Order) -> str:
        return kind_name(self._floor.exchange.instruments[order.index].kind)

    def _outcome(self, order: Order, trades: list[Trade]) -> dict[str, Any]:
        instrument = self._floor.exchange.instruments[order.index]
        mine = [
            trade.wire_of(instrument, party)
            for trade in trades
            for party in trade.parties
            if party.order_id == order.order_id
        ]
        return {"order": self._wire(order), "trades": mine}

    def _wire(self, order: Order) -> dict[str, Any]:
        return order.wire(self._floor.exchange.instruments[order.index], order.account_id)
