"""MassQuote, QuoteCancel and market-maker protection, over the methods of JSON-RPC."""

from collections.abc import Callable
from typing import Any

from services.venue.errors import VenueError
from services.venue.fix import dialect as d
from services.venue.fix.reports import Fields, Fill
from services.venue.fix.request import Answer, Desk, Request, refusal_text
from services.venue.floor import Method
from services.venue.matching.exchange import Exchange
from services.venue.matching.orders import BUY, Order
from services.venue.matching.quote_entry import Report
from services.venue.rpc.methods_quotes import QuoteMethods
from shared.fix.codec import FixError, Message, format_time, integer_of, pack, parse_time
from shared.fix.tags import REASON_GROUP_COUNT, REASON_INCORRECT_VALUE, TEXT
from shared.messages.market import Instrument

NS_PER_MS = 1_000_000
ACCEPTED, REJECTED = 0, 5
OTHER = 99  # MassCancelRejectReason
SECURITY_TYPES = {"OPT": "option", "FUT": "future"}
Items = list[dict[str, Any]]


class QuoteDesk:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._exchange = desk.floor.exchange
        self._quote = Method(
            QuoteMethods(desk.floor).report, cost="mass_quote", needs="trade", is_private=True
        )

    def table(self) -> dict[str, Callable[[Request], Answer]]:
        return {
            "i": self.mass_quote,
            "Z": self.cancel_quotes,
            "MM": self.set_protection,
            "MZ": self.reset_protection,
        }

    def mass_quote(self, request: Request) -> Answer:
        """Every quote of the request in one go; each side that is refused is an entry."""
        message = request.message
        quote_id = message.text(d.QUOTE_ID)
        items, entry_ids = self._items(message)
        values: dict[str, Any] = {
            "quote_id": quote_id,
            "mmp_group": message.text(d.MMP_GROUP),
            "quotes": items,
        }
        valid_until = message.get(d.VALID_UNTIL_TIME)
        if valid_until is not None:
            values["valid_until"] = parse_time(valid_until, d.VALID_UNTIL_TIME) // NS_PER_MS
        try:
            report: Report = self._desk.run(request, self._quote, values)
        except VenueError as error:
            refusal: Fields = [
                (d.QUOTE_ID, quote_id),
                (d.QUOTE_STATUS, REJECTED),
                (d.QUOTE_REJECT_REASON, error.code),
                (d.QUOTE_ENTRY_REJECT_REASON, error.code),
                (TEXT, error.message),
            ]
            return [("b", pack(refusal))]
        told, instruments = self._desk.reports.entry_ids, self._exchange.instruments
        for order in report.orders:
            if order.state == "cancelled":
                told.pop(order.order_id, None)
            else:
                told[order.order_id] = entry_ids[instruments[order.index].name]
        if self._exchange.news.orders:
            self._desk.publish(request.now_ns)  # fills go before the answer
        head: Fields = [
            (d.QUOTE_ID, quote_id),
            (d.QUOTE_STATUS, ACCEPTED),
            (d.NO_QUOTE_ENTRIES, len(report.orders) + len(report.errors)),
        ]
        stamp = format_time(request.now_ns)
        entries = "".join(
            [_entry(instruments[order.index], order, entry_ids, stamp) for order in report.orders]
        )
        errors: Fields = []
        for refused in report.errors:
            errors += _error_fields(refused, entry_ids.get(refused["instrument_name"], "0"))
        return [("b", pack(head) + entries.encode("latin-1") + pack(errors))]

    def _items(self, message: Message) -> tuple[Items, dict[str, str]]:
        """Reads sets and entries in one pass; returns quotes as JSON-RPC has them, and the id of
        each instrument's entry."""
        items: Items = []
        entry_ids: dict[str, str] = {}
        counts = {d.NO_QUOTE_SETS: 0, d.NO_QUOTE_ENTRIES: 0, d.TOT_NO_QUOTE_ENTRIES: 0}
        set_count, set_id, entry_id = 0, "", ""
        item: dict[str, Any] = {}
        for tag, value in message.fields:
            if tag == d.QUOTE_ENTRY_ID:
                entry_id, item = value, {"quote_set_id": set_id}
                items.append(item)
            elif tag == d.SYMBOL:
                item["instrument_name"] = value
                entry_ids[value] = entry_id
            elif tag in _SIDE_FIELDS:
                word, name = _SIDE_FIELDS[tag]
                if not items:
                    raise FixError(REASON_GROUP_COUNT, "outside of an entry", tag)
                item.setdefault(word, {})[name] = d.number_of(value, tag)
            elif tag == d.EXEC_INST:
                item["inst"] = value
            elif tag == d.QUOTE_SET_ID:
                set_id, set_count = value, set_count + 1
            elif tag in counts:
                counts[tag] += integer_of(value, tag)
        wanted = (counts[d.NO_QUOTE_SETS], counts[d.NO_QUOTE_ENTRIES])
        if wanted != (set_count, len(items)) or not items:
            raise FixError(REASON_GROUP_COUNT, "count differs from the entries", d.NO_QUOTE_ENTRIES)
        if counts[d.TOT_NO_QUOTE_ENTRIES] not in (0, len(items)):
            # A set in several messages is not offered, here as there.
            raise FixError(REASON_GROUP_COUNT, "splitting is unsupported", d.TOT_NO_QUOTE_ENTRIES)
        for item in items:
            self._finish(item)
        return items, entry_ids

    def _finish(self, item: dict[str, Any]) -> None:
        """Turns contracts into the amount that they are, and ExecInst into its flags."""
        inst = item.pop("inst", "")
        if inst not in ("", "6", "6A", "6 A"):
            raise FixError(REASON_INCORRECT_VALUE, "no such ExecInst for a quote", d.EXEC_INST)
        index = self._exchange.index_of.get(item.get("instrument_name", ""), -1)
        future = self._exchange.instruments[index]
        is_scaled = index >= 0 and future.kind != "option"
        for word in ("bid", "ask"):
            side = item.get(word)
            if side is None:
                continue
            if is_scaled and "amount" in side:
                side["amount"] = d.amount_of(future, side["amount"])
            if inst:
                side["post_only"], side["reject_post_only"] = True, inst != "6"

    def cancel_quotes(self, request: Request) -> Answer:
        message = request.message
        kind = message.text(d.QUOTE_CANCEL_TYPE)
        head: Fields = [
            (d.CL_ORD_ID, message.get(d.QUOTE_MSG_ID) or message.get(d.QUOTE_ID)),
            (d.MASS_CANCEL_REQUEST_TYPE, kind),
            (d.QUOTE_CANCEL_TYPE, kind),
        ]
        try:
            count = self._desk.call(request, "private/cancel_quotes", _cancel_values(message, kind))
        except VenueError as error:
            return [("r", pack(head + refusal_fields(error)))]
        return [
            ("r", pack([*head, (d.MASS_CANCEL_RESPONSE, kind), (d.TOTAL_AFFECTED_ORDERS, count)]))
        ]

    def set_protection(self, request: Request) -> Answer:
        message = request.message
        values: dict[str, Any] = {
            "index_name": _index_name(message),
            "mmp_group": message.get(d.MMP_GROUP) or "",
            "interval": message.integer(d.MMP_INTERVAL_S),
        }
        for tag, name in _LIMITS.items():
            if (text := message.get(tag)) is not None:
                values[name] = d.number_of(text, tag)
        return self._protect(request, "private/set_mmp_config", values)

    def reset_protection(self, request: Request) -> Answer:
        values: dict[str, Any] = {"index_name": _index_name(request.message)}
        if (group := request.message.get(d.MMP_GROUP)) is not None:
            values["mmp_group"] = group
        return self._protect(request, "private/reset_mmp", values)

    def _protect(self, request: Request, method: str, values: dict[str, Any]) -> Answer:
        head: Fields = [(d.MMP_REQUEST_ID, request.message.get(d.MMP_REQUEST_ID))]
        try:
            self._desk.call(request, method, values)
        except VenueError as error:
            return [("MR", pack([*head, (d.MMP_APPLIED, False), (TEXT, refusal_text(error))]))]
        return [("MR", pack([*head, (d.MMP_APPLIED, True)]))]


_SIDE_FIELDS = {
    d.BID_PX: ("bid", "price"),
    d.BID_SIZE: ("bid", "amount"),
    d.OFFER_PX: ("ask", "price"),
    d.OFFER_SIZE: ("ask", "amount"),
}
_LIMITS = {
    d.MMP_FROZEN_S: "frozen_time",
    d.MMP_QUANTITY: "quantity_limit",
    d.MMP_DELTA: "delta_limit",
    d.MMP_VEGA: "vega_limit",
    d.MMP_MAX_QUOTE_QUANTITY: "max_quote_quantity",
}


def refusal_fields(error: VenueError) -> Fields:
    """Returns why an OrderMassCancelReport cancelled nothing."""
    return [
        (d.MASS_CANCEL_RESPONSE, 0),
        (d.MASS_CANCEL_REJECT_REASON, OTHER),
        (d.QUOTE_ENTRY_REJECT_REASON, error.code),
        (TEXT, error.message),
    ]


def _entry(instrument: Instrument, order: Order, entry_ids: dict[str, str], stamp: str) -> str:
    """Returns one side of a quote as an entry of a MassQuoteAck: written out, for there may be two
    hundred."""
    if order.is_live:
        state = d.STATUS_REPLACED if order.is_replaced else d.STATUS_OPEN
    elif order.state == "filled":
        state = d.STATUS_FILLED
    else:
        state = d.STATUS_CANCELLED_MMP if order.is_mmp_cancelled else d.STATUS_CANCELLED
    side = order.side
    set_field = f"302={order.quote_set_id}\x01" if order.quote_set_id else ""
    return (
        f"299={entry_ids[instrument.name]}\x019020=0\x01{set_field}1167={state}\x01"
        f"55={instrument.name}\x0154={side + 1}\x0137={order.order_id}\x01"
        f"{d.BID_PX + side}={d.price_text(instrument, order.price_ticks)}\x01"
        f"{d.BID_SIZE + side}={d.quantity_text(instrument, order.remaining_lots)}\x01"
        f"60={stamp}\x01"
    )


def _error_fields(refused: dict[str, Any], entry_id: str) -> Fields:
    error = refused["error"]
    return [
        (d.QUOTE_ENTRY_ID, entry_id),
        (d.QUOTE_ENTRY_TYPE, d.ENTRY_ERROR),
        (d.QUOTE_ENTRY_STATUS, d.STATUS_REJECTED),
        (d.SYMBOL, refused["instrument_name"]),
        (d.SIDE, d.SIDES[0 if refused["side"] == "bid" else 1]),
        (d.QUOTE_ENTRY_REJECT_REASON, error["code"]),
        (TEXT, error["message"]),
    ]


def _cancel_values(message: Message, kind: str) -> dict[str, Any]:
    """Returns the parameters of private/cancel_quotes for a QuoteCancel."""
    values: dict[str, Any] = {"freeze_quotes": message.boolean(d.FREEZE_QUOTES)}
    match kind:
        case "1":
            values.update(cancel_type="instrument", instrument_name=message.text(d.SYMBOL))
        case "2":
            security = SECURITY_TYPES.get(message.text(d.SECURITY_TYPE), "none")
            currency = message.get(d.CURRENCY) or "any"
            values.update(cancel_type="instrument_kind", kind=security, currency=currency)
        case "4":
            values.update(cancel_type="all")
        case "5":
            values.update(cancel_type="currency", currency=message.text(d.CURRENCY))
        case "6":
            values.update(cancel_type="quote_set_id", quote_set_id=message.text(d.QUOTE_SET_ID))
        case "7":
            values.update(cancel_type="delta")
            for tag, name in ((d.MIN_DELTA, "min_delta"), (d.MAX_DELTA, "max_delta")):
                if (text := message.get(tag)) is not None:
                    values[name] = d.number_of(text, tag)
        case _:
            raise FixError(REASON_INCORRECT_VALUE, "no such type", d.QUOTE_CANCEL_TYPE)
    return values


def _index_name(message: Message) -> str:
    second = message.get(d.SECONDARY_CURRENCY) or "USD"
    return f"{message.text(d.CURRENCY)}_{second}".lower()


def trade_ack(exchange: Exchange, order: Order, fills: list[Fill], now_ns: int) -> bytes:
    """Returns fills of a quote as a MassQuoteAck, for a session that did not ask for reports."""
    instrument = exchange.instruments[order.index]
    is_bid = order.side == BUY
    fields: Fields = [
        (d.QUOTE_ID, order.quote_id),
        (d.QUOTE_STATUS, ACCEPTED),
        (d.NO_QUOTE_ENTRIES, len(fills)),
    ]
    for trade, _ in fills:
        fields += [
            (d.QUOTE_ENTRY_ID, trade.trade_id),
            (d.QUOTE_ENTRY_TYPE, d.ENTRY_TRADE),
            (d.QUOTE_SET_ID, order.quote_set_id),
            (d.QUOTE_ENTRY_STATUS, d.STATUS_OPEN if order.is_live else d.STATUS_FILLED),
            (d.SYMBOL, instrument.name),
            (d.SIDE, d.SIDES[order.side]),
            (d.ORDER_ID, order.order_id),
            (d.BID_PX if is_bid else d.OFFER_PX, d.price_text(instrument, trade.price_ticks)),
            (d.BID_SIZE if is_bid else d.OFFER_SIZE, d.quantity_text(instrument, trade.lots)),
            (d.TRANSACT_TIME, format_time(now_ns)),
        ]
    return pack(fields)
