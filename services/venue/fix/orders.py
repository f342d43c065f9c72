"""Orders: new, cancel, replace, mass cancel and mass status, over the methods of JSON-RPC.

What becomes of an order is told by its ExecutionReport, which comes of the exchange's news for
every session of the account; here only refusals are answered.
"""

from collections.abc import Callable
from typing import Any

from services.venue.errors import VenueError
from services.venue.fix import dialect as d
from services.venue.fix.quotes import SECURITY_TYPES, refusal_fields
from services.venue.fix.reports import STATUS, Fields, status
from services.venue.fix.request import Answer, Desk, Request, refusal_text
from services.venue.matching.orders import Order
from shared.clock import NS_PER_MS
from shared.fix.codec import FixError, Message, pack, parse_time
from shared.fix.tags import POSS_RESEND, REASON_INCORRECT_VALUE, TEXT

CLIENT_ID_MAX = 64
SIDES = {"1": "private/buy", "2": "private/sell"}
TYPES = {"1": "market", "2": "limit", "K": "market_limit"}
TIMES = {"0": "good_til_day", "1": "good_til_cancelled", "3": "immediate_or_cancel",
         "4": "fill_or_kill"}  # fmt: skip
ECHOED = (d.SYMBOL, d.SIDE, d.ORD_TYPE, d.PRICE, d.ORDER_QTY, d.LABEL)
UNKNOWN_ORDER, OTHER = 1, 99  # CxlRejReason


class OrderDesk:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._exchange = desk.floor.exchange

    def table(self) -> dict[str, Callable[[Request], Answer]]:
        return {
            "D": self.place,
            "F": self.cancel,
            "G": self.replace,
            "q": self.cancel_all,
            "AF": self.report_all,
        }

    def place(self, request: Request) -> Answer:
        message = request.message
        client_id = _client_id(message)
        try:
            self._refuse_repeated(request, client_id)
            method = _choice(message, d.SIDE, SIDES)
            result = self._desk.call(request, method, self._order_values(message))
        except VenueError as error:
            echo: Fields = [(tag, message.get(tag)) for tag in ECHOED]
            body = self._desk.reports.rejection(
                echo, client_id, error.code, refusal_text(error), request.now_ns
            )
            return [("8", body)]
        order = self._exchange.orders.get(result["order"]["order_id"])
        assert order is not None
        self._desk.reports.name(order, client_id)
        return []  # its report follows from the news

    def cancel(self, request: Request) -> Answer:
        try:
            order_id = self._order_id(request)
            self._desk.call(request, "private/cancel", {"order_id": order_id})
        except VenueError as error:
            return [("9", self._refusal(request, error, "1"))]
        return []

    def replace(self, request: Request) -> Answer:
        message = request.message
        try:
            order_id = self._order_id(request)
            values: dict[str, Any] = {"order_id": order_id}
            if message.get(d.PRICE) is not None:
                values["price"] = d.number_of(message.text(d.PRICE), d.PRICE)
            if message.get(d.ORDER_QTY) is not None:
                order = self._exchange.orders.get(order_id)
                index = order.index if order else -1
                values["amount"] = self._amount(message, index)
            if message.get(d.EXEC_INST) is not None:
                values |= _inst_values(message)
            self._desk.call(request, "private/edit", values)
        except VenueError as error:
            return [("9", self._refusal(request, error, "2"))]
        client_id, order = message.get(d.CL_ORD_ID), self._exchange.orders.get(order_id)
        if order is not None and client_id and client_id != order_id:
            self._desk.reports.name(order, client_id)
        return []

    def cancel_all(self, request: Request) -> Answer:
        message = request.message
        kind = message.text(d.MASS_CANCEL_REQUEST_TYPE)
        head: Fields = [
            (d.CL_ORD_ID, message.get(d.CL_ORD_ID)),
            (d.MASS_CANCEL_REQUEST_TYPE, kind),
        ]
        values: dict[str, Any] = {"freeze_quotes": message.boolean(d.FREEZE_QUOTES)}
        match kind:
            case "7":
                method = "private/cancel_all"
            case "1":
                method = "private/cancel_all_by_instrument"
                values["instrument_name"] = message.text(d.SYMBOL)
            case "5":
                method = "private/cancel_all_by_currency"
                values["kind"] = SECURITY_TYPES.get(message.get(d.SECURITY_TYPE) or "", "any")
                values["currency"] = message.get(d.CURRENCY) or "any"
            case "10":
                method = "private/cancel_by_label"
                values["label"] = message.text(d.LABEL)
                values["currency"] = message.get(d.CURRENCY) or "any"
            case _:
                raise FixError(REASON_INCORRECT_VALUE, "no such type", d.MASS_CANCEL_REQUEST_TYPE)
        try:
            count = self._desk.call(request, method, values)
        except VenueError as error:
            return [("r", pack(head + refusal_fields(error)))]
        done: Fields = [(d.MASS_CANCEL_RESPONSE, kind), (d.TOTAL_AFFECTED_ORDERS, count)]
        return [("r", pack(head + done))]

    def report_all(self, request: Request) -> Answer:
        """Answers with one report of every live order, or of one; where there is none, one report
        says so."""
        message = request.message
        request_id, kind = message.text(d.MASS_STATUS_REQ_ID), message.integer(
            d.MASS_STATUS_REQ_TYPE
        )  # fmt: skip
        if kind == 1:
            found = [self._own(request, self._order_id(request))]
        elif kind == 7:
            found = self._exchange.orders.live(request.client.account_id)
        else:
            raise FixError(REASON_INCORRECT_VALUE, "no such type", d.MASS_STATUS_REQ_TYPE)
        head: Fields = [
            (d.MASS_STATUS_REQ_ID, request_id),
            (d.MASS_STATUS_REQ_TYPE, kind),
            (d.TOT_NUM_REPORTS, len(found)),
        ]
        reports = self._desk.reports
        bodies = [reports.body(order, STATUS, request.now_ns) for order in found]
        if not bodies:
            none = "no order is open"
            return [("8", pack(head) + reports.rejection([], request_id, 0, none, request.now_ns))]
        return [("8", pack(head) + body) for body in bodies]

    def _order_values(self, message: Message) -> dict[str, Any]:
        """Returns the parameters of private/buy and private/sell."""
        name = message.text(d.SYMBOL)
        order_type = _choice(message, d.ORD_TYPE, TYPES, "2")
        values: dict[str, Any] = {
            "instrument_name": name,
            "amount": self._amount(message, self._exchange.index_of.get(name, -1)),
            "type": order_type,
            "time_in_force": _choice(message, d.TIME_IN_FORCE, TIMES, "1"),
            "label": message.get(d.LABEL) or "",
            "mmp": message.boolean(d.MM_PROTECTION),
            "mmp_group": message.get(d.MMP_GROUP) or "",
            **_inst_values(message),
        }
        if order_type == "limit":
            values["price"] = d.number_of(message.text(d.PRICE), d.PRICE)
        if message.get(d.ADVANCED_ORDER_TYPE) is not None:
            values["advanced"] = "implv"
        if (until := message.get(d.VALID_UNTIL_TIME)) is not None:
            values["valid_until"] = parse_time(until, d.VALID_UNTIL_TIME) // NS_PER_MS
        return values

    def _amount(self, message: Message, index: int) -> float:
        quantity = d.number_of(message.text(d.ORDER_QTY), d.ORDER_QTY)
        if index < 0 or message.get(d.QTY_TYPE) == d.UNITS:
            return quantity
        return d.amount_of(self._exchange.instruments[index], quantity)

    def _order_id(self, request: Request) -> str:
        """Returns the order that is meant: by the venue's id in 41, or the client's in 11."""
        message = request.message
        order_id = message.get(d.ORIG_CL_ORD_ID)
        if order_id and self._exchange.orders.get(order_id) is not None:
            return order_id
        for named in (order_id, message.get(d.CL_ORD_ID)):
            known = self._desk.reports.order_named(request.client.account_id, named or "")
            if known:
                return known
        raise VenueError(10004)

    def _own(self, request: Request, order_id: str) -> Order:
        order = self._exchange.orders.get(order_id)
        if order is None:
            raise VenueError(10004)
        if order.account_id != request.client.account_id:
            raise VenueError(10029)
        return order

    def _refuse_repeated(self, request: Request, client_id: str) -> None:
        """An order marked as possibly sent before is taken once."""
        is_repeated = request.message.boolean(POSS_RESEND) or request.message.is_poss_dup
        if is_repeated and self._desk.reports.order_named(request.client.account_id, client_id):
            raise VenueError(11050, data={"reason": "ClOrdID was used before"})

    def _refusal(self, request: Request, error: VenueError, response_to: str) -> bytes:
        """Returns an OrderCancelReject."""
        message = request.message
        try:
            order = self._own(request, self._order_id(request))
        except VenueError:
            order = None
        unknown = error.code in (10004, 10029)
        return pack(
            [
                (d.ORDER_ID, order.order_id if order else "NONE"),
                (d.CL_ORD_ID, order.order_id if order else message.get(d.CL_ORD_ID)),
                (d.ORIG_CL_ORD_ID, message.get(d.CL_ORD_ID) or message.get(d.ORIG_CL_ORD_ID)),
                (d.ORD_STATUS, status(order) if order else "8"),
                (d.CXL_REJ_RESPONSE_TO, response_to),
                (d.CXL_REJ_REASON, UNKNOWN_ORDER if unknown else OTHER),
                (d.QUOTE_ENTRY_REJECT_REASON, error.code),
                (TEXT, refusal_text(error)),
            ]
        )


def _client_id(message: Message) -> str:
    client_id = message.text(d.CL_ORD_ID)
    if len(client_id) > CLIENT_ID_MAX:
        raise FixError(REASON_INCORRECT_VALUE, "too long", d.CL_ORD_ID)
    return client_id


def _choice(message: Message, tag: int, words: dict[str, str], default: str = "") -> str:
    value = message.get(tag) or default or message.text(tag)
    if value not in words:
        raise FixError(REASON_INCORRECT_VALUE, "no such value here", tag)
    return words[value]


def _inst_values(message: Message) -> dict[str, bool]:
    """Returns the flags of ExecInst (18): 6 post only, A reject instead, E reduce only."""
    inst = (message.get(d.EXEC_INST) or "").replace(" ", "")
    if set(inst) - set("6AE"):
        raise FixError(REASON_INCORRECT_VALUE, "no such ExecInst", d.EXEC_INST)
    return {
        "post_only": "6" in inst,
        "reject_post_only": "6" in inst and "A" in inst,
        "reduce_only": "E" in inst,
    }
