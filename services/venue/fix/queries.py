"""Questions that change nothing: positions, the account, instruments, a book's best prices."""

from collections.abc import Callable
from datetime import UTC, datetime

from services.venue.errors import VenueError
from services.venue.fix import dialect as d
from services.venue.fix.reports import Fields
from services.venue.fix.request import Answer, Desk, Request
from shared.clock import NS_PER_S
from shared.fix.codec import pack
from shared.fix.tags import TEXT, USERNAME
from shared.messages.market import Instrument

DEPTHS_MAX = 20
SNAPSHOT = 0


class QueryDesk:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._floor = desk.floor

    def table(self) -> dict[str, Callable[[Request], Answer]]:
        return {
            "AN": self.positions,
            "BE": self.user,
            "x": self.securities,
            "V": self.snapshot,
        }

    def positions(self, request: Request) -> Answer:
        message = request.message
        request_id = message.text(d.POS_REQ_ID)
        currency = message.get(d.CURRENCY) or "any"
        rows = self._desk.call(request, "private/get_positions", {"currency": currency})
        fields: Fields = [
            (d.POS_REQ_ID, request_id),
            (d.POS_REQ_TYPE, 0),
            (d.POS_REQ_RESULT, 0),
            (d.NO_POSITIONS, len(rows)),
        ]
        for row in rows:
            size = _contracts(self._instrument(row["instrument_name"]), row["size"])
            fields += [
                (d.SYMBOL, row["instrument_name"]),
                (d.LONG_QTY, _number(max(0.0, size))),
                (d.SHORT_QTY, _number(max(0.0, -size))),
                (d.SETTL_PRICE, _number(row["average_price"])),
                (d.UNDERLYING_END_PRICE, _number(row["mark_price"])),
            ]
        return [("AP", pack(fields))]

    def user(self, request: Request) -> Answer:
        """Returns the account's money in one currency."""
        message = request.message
        currency = message.get(d.CURRENCY) or "BTC"
        row = self._desk.call(request, "private/get_account_summary", {"currency": currency})
        fields: Fields = [
            (d.USER_REQUEST_ID, message.text(d.USER_REQUEST_ID)),
            (USERNAME, request.client.client_id),
            (d.USER_STATUS, 1),
            (d.CURRENCY, currency),
            (d.USER_EQUITY, _number(row["equity"])),
            (d.USER_BALANCE, _number(row["balance"])),
            (d.USER_INITIAL_MARGIN, _number(row["initial_margin"])),
            (d.USER_MAINTENANCE_MARGIN, _number(row["maintenance_margin"])),
        ]
        return [("BF", pack(fields))]

    def securities(self, request: Request) -> Answer:
        message = request.message
        request_id = message.text(d.SECURITY_REQ_ID)
        currency, kind = message.get(d.CURRENCY) or "any", message.get(d.SECURITY_TYPE) or ""
        wanted = {"OPT": "option", "FUT": "future"}.get(kind, "any")
        chosen = [
            self._floor.exchange.instruments[index]
            for index in self._floor.select(currency, wanted)
        ]
        fields: Fields = [
            (d.SECURITY_REQ_ID, request_id),
            (d.SECURITY_RESPONSE_ID, request_id),
            (d.SECURITY_REQUEST_RESULT, 0 if chosen else 2),
            (d.NO_RELATED_SYM, len(chosen)),
        ]
        for instrument in chosen:
            fields += _security(instrument)
        return [("y", pack(fields))]

    def snapshot(self, request: Request) -> Answer:
        """Returns a book's best levels; what goes on changing is on the other interfaces."""
        message = request.message
        request_id, name = message.text(d.MD_REQ_ID), message.text(d.SYMBOL)
        refusal: Fields = [(d.MD_REQ_ID, request_id), (d.MD_REQ_REJ_REASON, 0)]
        if message.integer(d.SUBSCRIPTION_REQUEST_TYPE, SNAPSHOT) != SNAPSHOT:
            return [("Y", pack([*refusal, (TEXT, "only snapshots are offered")]))]
        try:
            depth = min(message.integer(d.MARKET_DEPTH, 1) or DEPTHS_MAX, DEPTHS_MAX)
            values = {"instrument_name": name, "depth": depth}
            book = self._desk.call(request, "public/get_order_book", values)
        except VenueError as error:
            return [("Y", pack([*refusal, (TEXT, error.message)]))]
        levels = [("0", level) for level in book["bids"]] + [("1", level) for level in book["asks"]]
        fields: Fields = [
            (d.MD_REQ_ID, request_id),
            (d.SYMBOL, name),
            (d.MARK_PRICE, _number(book["mark_price"])),
            (d.NO_MD_ENTRIES, len(levels)),
        ]
        instrument = self._instrument(name)
        for side, (price, amount, *_rest) in levels:
            fields += [
                (d.MD_ENTRY_TYPE, side),
                (d.MD_ENTRY_PX, _number(price)),
                (d.MD_ENTRY_SIZE, _number(_contracts(instrument, amount))),
            ]
        return [("W", pack(fields))]

    def _instrument(self, name: str) -> Instrument:
        exchange = self._floor.exchange
        return exchange.instruments[exchange.index_of[name]]


def _security(instrument: Instrument) -> Fields:
    is_option = instrument.kind == "option"
    fields: Fields = [
        (d.SYMBOL, instrument.name),
        (d.SECURITY_ID, instrument.instrument_id),
        (d.SECURITY_TYPE, "OPT" if is_option else "FUT"),
        (d.CURRENCY, instrument.underlying),
    ]
    if is_option:
        fields += [
            (d.PUT_OR_CALL, 1 if instrument.is_call else 0),
            (d.STRIKE_PRICE, _number(instrument.strike_usd)),
            (d.STRIKE_CURRENCY, "USD"),
        ]
    if instrument.expiry_ns:
        day = datetime.fromtimestamp(instrument.expiry_ns // NS_PER_S, UTC)
        fields.append((d.MATURITY_DATE, day.strftime("%Y%m%d")))
    fields += [
        (d.CONTRACT_MULTIPLIER, 1 if is_option else d.decimal_e8(instrument.lot_e8)),
        (d.MIN_TRADE_VOL, d.decimal_e8(instrument.lot_e8) if is_option else 1),
        (d.MIN_PRICE_INCREMENT, d.decimal_e8(instrument.tick_e8)),
    ]
    if instrument.tick_steps:
        fields.append((d.NO_TICK_RULES, len(instrument.tick_steps)))
    for step in instrument.tick_steps:
        fields += [
            (d.START_TICK_PRICE_RANGE, d.price_text(instrument, step.above_ticks)),
            (d.TICK_INCREMENT, d.price_text(instrument, step.step_ticks)),
        ]
    return fields


def _contracts(instrument: Instrument, amount: float) -> float:
    return amount if instrument.kind == "option" else round(amount * 1e8 / instrument.lot_e8)


def _number(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")
