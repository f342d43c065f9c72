"""The desk's orders at the venue, by their label. Never sent twice; asked for when in doubt.

An order goes out once. If no answer comes its outcome is unknown: the venue is asked by label, then
its history; found, it has that state; not found once a settling time has passed, it is rejected as
`not_found`. Should such an order turn up after all, it is cancelled at once and a person is told.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from services.gateway.calls import Calls, rows_of
from services.gateway.listing import Listing
from services.gateway.order_states import (
    NO_SUCH_ORDER_CODES,
    NOT_FOUND,
    UNKNOWN_CODES,
    DeskOrder,
    order_params,
    read_order,
    report,
)
from services.gateway.readings import NAME
from shared.alerts import Alerts
from shared.clock import NS_PER_S
from shared.messages.orders import CancelOrderV1, OrderState, PlaceOrderV1, QueryOrderV1
from shared.service import Reading
from shared.venue_link import NOT_SENT, VenueReply, VenueRequest

ORDERS_MAX = 20_000  # remembered; the oldest ended ones go first
HISTORY_COUNT = 200
ASK_AGAIN_NS = NS_PER_S // 2
POLL_NS = 5 * NS_PER_S  # open orders are asked for, in case a notice was lost
TakeTrades = Callable[[list[dict[str, Any]], int], Iterator[object]]


class Orders:
    """What the desk's other agents have asked for. `take_trades` gets the trades in replies."""

    def __init__(
        self,
        calls: Calls,
        listing: Listing,
        alerts: Alerts,
        settle_ns: int,
        take_trades: TakeTrades,
    ) -> None:
        self._calls = calls
        self._listing = listing
        self._alerts = alerts
        self._settle_ns = settle_ns
        self._take_trades = take_trades
        self._orders: OrderedDict[str, DeskOrder] = OrderedDict()
        self._live: dict[str, DeskOrder] = {}  # those not ended
        self._started_ns = 0
        self._is_up = False
        self.rejected_count = 0

    def live_count(self, currency: str) -> int:
        return sum(
            1
            for order in self._live.values()
            if order.instrument is not None and order.instrument.underlying == currency
        )

    def unanswered_count(self) -> int:
        return sum(1 for order in self._live.values() if order.state == "sent")

    def readings(self) -> Iterator[Reading]:
        doubtful = sum(1 for order in self._live.values() if order.state == "unknown")
        yield Reading("order_live_count", len(self._live))
        yield Reading("order_doubtful_count", doubtful)
        yield Reading("order_rejected", self.rejected_count)

    def start(self, now_ns: int) -> None:
        self._started_ns = now_ns

    def on_up(self, now_ns: int) -> None:
        """The link is back: everything that was not ended is asked for, and has time to settle."""
        self._is_up = True
        for order in self._live.values():
            order.is_asking = False
            order.unsettled_ns = max(order.unsettled_ns, now_ns)
            order.ask_at_ns = now_ns

    def on_down(self) -> None:
        self._is_up = False

    # Commands

    def on_place(self, command: PlaceOrderV1, now_ns: int) -> Iterator[object]:
        known = self._orders.get(command.order_id)
        if known is not None:  # delivered twice: the first one counts
            yield from report(known, now_ns)
            return
        instrument = self._listing.by_name.get(command.instrument)
        order = DeskOrder(
            order_id=command.order_id,
            instrument=instrument,
            side=command.side,
            amount_lots=command.amount_lots,
            price_ticks=command.price_ticks,
            unsettled_ns=now_ns,
        )
        self._remember(order)
        refusal = ""
        if command.created_ns < self._started_ns:
            # A process before this one may have sent it and died: ask, never send.
            yield from self._unknown(order, "asked for before a restart", now_ns)
            return
        if now_ns >= command.expires_ns:
            refusal = "expired"
        elif not self._is_up:
            refusal = "not connected"
        elif instrument is None:
            refusal = "unknown instrument"
        if refusal or instrument is None:
            yield from self._end(order, "rejected", refusal, now_ns, command.instrument)
            return
        method = f"private/{command.side}"
        params = order_params(command, instrument)
        yield self._calls.request(method, params, partial(self._on_placed, order))

    def on_cancel(self, command: CancelOrderV1, now_ns: int) -> Iterator[object]:
        order = self._find(command.order_id, command.instrument, now_ns)
        if order.is_ended:
            yield from report(order, now_ns)
            return
        order.is_cancel_wanted = True
        yield from self._cancel(order)

    def on_query(self, command: QueryOrderV1, now_ns: int) -> Iterator[object]:
        order = self._find(command.order_id, command.instrument, now_ns)
        if order.is_ended:
            yield from report(order, now_ns)
        elif order.state != "sent":  # a reply to what was just sent is on its way
            yield from self._ask(order, now_ns)

    # The venue's word

    def on_order_notice(self, data: Any, now_ns: int) -> list[object]:
        """Takes `user.orders`: one order, or a list of them."""
        out: list[object] = []
        for row in rows_of(data) if isinstance(data, list) else [data]:
            label = row.get("label")
            order = self._orders.get(label) if label else None
            if order is not None:
                out.extend(self._update(order, row, now_ns))
        return out

    def adopt(self, rows: list[dict[str, Any]], now_ns: int) -> Iterator[object]:
        """Takes the open orders after a reconnect; those of a process before this one join."""
        for row in rows:
            label = row.get("label")
            if not isinstance(label, str) or not NAME.fullmatch(label):
                continue
            name = row.get("instrument_name")
            if isinstance(name, str) and name in self._listing.by_name:
                yield from self._update(self._find(label, name, now_ns), row, now_ns)

    def on_timer(self, now_ns: int) -> Iterator[object]:
        if not self._is_up or not self._live:
            return
        for order in list(self._live.values()):
            if 0 < order.ask_at_ns <= now_ns and not order.is_asking:
                if order.is_cancel_wanted:
                    yield from self._cancel(order)
                yield from self._ask(order, now_ns)

    # Placing and cancelling

    def _on_placed(self, order: DeskOrder, reply: VenueReply) -> Iterator[object]:
        now_ns = reply.created_ns
        if reply.error_code in UNKNOWN_CODES:
            yield from self._unknown(order, reply.error_message or "no reply", now_ns)
        elif reply.error_code == NOT_SENT:
            yield from self._end(order, "rejected", f"not sent: {reply.error_message}", now_ns)
        elif reply.error_code:
            reason = f"{reply.error_code} {reply.error_message}"
            yield from self._end(order, "rejected", reason, now_ns)
        else:
            result = reply.result if isinstance(reply.result, dict) else {}
            yield from self._take_trades(rows_of(result.get("trades")), now_ns)
            row = result.get("order")
            if isinstance(row, dict):
                yield from self._update(order, row, now_ns)
            else:
                yield from self._unknown(order, "unreadable answer", now_ns)

    def _cancel(self, order: DeskOrder) -> Iterator[VenueRequest]:
        if not self._is_up:
            return  # `is_cancel_wanted` stays, and is acted on when the link is back
        handler = partial(self._on_cancelled, order)
        if order.venue_order_id:
            params = {"order_id": order.venue_order_id}
            yield self._calls.request("private/cancel", params, handler)
        else:
            params = {"label": order.order_id}
            yield self._calls.request("private/cancel_by_label", params, handler)

    def _on_cancelled(self, order: DeskOrder, reply: VenueReply) -> Iterator[object]:
        if isinstance(reply.result, dict):
            yield from self._update(order, reply.result, reply.created_ns)
        elif not order.is_ended and order.state != "sent":
            yield from self._ask(order, reply.created_ns)

    # Asking: by the venue's id where it is known, by label, in the history; then it is not there

    def _ask(self, order: DeskOrder, now_ns: int) -> Iterator[VenueRequest]:
        if not self._is_up or order.is_asking:
            return
        order.is_asking = True
        instrument = order.instrument
        currencies = self._listing.underlyings if instrument is None else (instrument.underlying,)
        calls: list[tuple[str, dict[str, Any]]] = []
        if order.venue_order_id:
            calls.append(("private/get_order_state", {"order_id": order.venue_order_id}))
        for currency in currencies:
            by_label = {"currency": currency, "label": order.order_id}
            calls.append(("private/get_order_state_by_label", by_label))
            history = {
                "currency": currency,
                "kind": "any",
                "count": HISTORY_COUNT,
                "include_unfilled": True,
            }
            calls.append(("private/get_order_history_by_currency", history))
        yield self._ask_next(order, calls, now_ns)

    def _ask_next(
        self, order: DeskOrder, calls: list[tuple[str, dict[str, Any]]], asked_ns: int
    ) -> VenueRequest:
        (method, params), *rest = calls
        return self._calls.request(method, params, partial(self._answered, order, rest, asked_ns))

    def _answered(
        self,
        order: DeskOrder,
        rest: list[tuple[str, dict[str, Any]]],
        asked_ns: int,
        reply: VenueReply,
    ) -> Iterator[object]:
        now_ns = reply.created_ns
        result = [reply.result] if isinstance(reply.result, dict) else reply.result
        found = [row for row in rows_of(result) if row.get("label") == order.order_id]
        if found or (reply.error_code and reply.error_code not in NO_SUCH_ORDER_CODES):
            order.is_asking = False
            order.ask_at_ns = now_ns + ASK_AGAIN_NS
            for row in found:
                yield from self._update(order, row, now_ns)
        elif rest:
            yield self._ask_next(order, rest, asked_ns)
        else:
            order.is_asking = False
            order.ask_at_ns = now_ns + ASK_AGAIN_NS
            if not order.is_ended and asked_ns - order.unsettled_ns >= self._settle_ns:
                state: OrderState = "cancelled" if order.venue_order_id else "rejected"
                yield from self._end(order, state, NOT_FOUND, now_ns)

    # State

    def _update(self, order: DeskOrder, row: dict[str, Any], now_ns: int) -> Iterator[object]:
        try:
            seen = read_order(row, self._listing)
        except ValueError as error:
            order.ask_at_ns = now_ns + ASK_AGAIN_NS
            text = f"order {order.order_id}: {error}"
            yield from self._alerts.raised("unreadable-order", "page", text, now_ns)
            return
        if order.is_ended and order.reason != NOT_FOUND and seen.filled_lots <= order.filled_lots:
            return  # an old word, overtaken
        if order.is_ended and seen.state == "open":
            order.is_cancel_wanted = True
            text = f"order {order.order_id} was given up as {order.reason}, and is open: cancelled"
            yield from self._alerts.raised("order-came-back", "page", text, now_ns)
        before = (order.state, order.filled_lots, order.price_ticks)
        order.instrument = seen.instrument
        order.side = seen.side
        order.amount_lots = seen.amount_lots
        order.price_ticks = seen.price_ticks
        order.filled_lots = max(order.filled_lots, seen.filled_lots)
        order.venue_order_id = seen.venue_order_id
        order.state = seen.state
        order.ask_at_ns = now_ns + POLL_NS if seen.state == "open" else 0
        if before != (order.state, order.filled_lots, order.price_ticks):
            order.venue_ns = max(order.venue_ns, seen.venue_ns)
            order.reason = seen.reason
            self._remember(order)
            yield from report(order, now_ns)
        if order.state == "open" and order.is_cancel_wanted:
            order.ask_at_ns = now_ns + ASK_AGAIN_NS
            yield from self._cancel(order)

    def _unknown(self, order: DeskOrder, reason: str, now_ns: int) -> Iterator[object]:
        if order.state != "sent":
            return  # a notice has told already
        order.state = "unknown"
        order.reason = reason[:200]
        order.venue_ns = order.unsettled_ns = order.ask_at_ns = now_ns
        yield from report(order, now_ns)
        yield from self._ask(order, now_ns)

    def _end(
        self,
        order: DeskOrder,
        state: OrderState,
        reason: str,
        now_ns: int,
        instrument_name: str = "",
    ) -> Iterator[object]:
        self.rejected_count += state == "rejected"
        order.state = state
        order.reason = reason[:200]
        order.venue_ns = now_ns
        order.ask_at_ns = 0
        self._remember(order)
        yield from report(order, now_ns, instrument_name)

    def _find(self, order_id: str, instrument_name: str, now_ns: int) -> DeskOrder:
        """Returns the order; one that this process never saw is in doubt until it is found."""
        order = self._orders.get(order_id)
        if order is None:
            order = DeskOrder(
                order_id=order_id,
                instrument=self._listing.by_name.get(instrument_name),
                side="buy",
                amount_lots=0,
                price_ticks=0,
                unsettled_ns=now_ns,
                state="unknown",
                ask_at_ns=now_ns,
            )
            self._remember(order)
        return order

    def _remember(self, order: DeskOrder) -> None:
        self._orders[order.order_id] = order
        if order.is_ended:
            self._live.pop(order.order_id, None)
        else:
            self._live[order.order_id] = order
        if len(self._orders) > ORDERS_MAX:
            oldest = next(iter(self._orders))
            if oldest not in self._live:
                del self._orders[oldest]
