"""ExecutionReports (8): what became of orders and quotes, for every session of their account.

One report for one order of one step, fills first: all its fills of the step are its group, so that
a fill is told once. The venue's own id stands in ClOrdID (11), the client's in OrigClOrdID (41).
"""

from services.venue.fix import dialect as d
from services.venue.matching.exchange import Exchange, News
from services.venue.matching.history import Party, Trade
from services.venue.matching.orders import Order
from shared.clock import NS_PER_MS
from shared.fix.codec import Value, format_time, pack
from shared.fix.tags import TEXT

NEW, CANCELED, REPLACED, REJECTED, EXPIRED = "0", "4", "5", "8", "C"
TRADED, STATUS = "F", "I"
ORDER_TYPES = {"market": "1", "limit": "2", "stop_market": "3", "stop_limit": "4",
               "take_market": "J", "take_limit": "J", "market_limit": "K"}  # fmt: skip
TIMES = {"good_til_day": "0", "good_til_cancelled": "1", "immediate_or_cancel": "3",
         "fill_or_kill": "4"}  # fmt: skip
CLIENT_IDS_MAX = 50_000
Fill = tuple[Trade, Party]
Fields = list[tuple[int, Value]]


class Reports:
    """Writes reports, and remembers what the venue does not need: the clients' own ids."""

    def __init__(self, exchange: Exchange, opened_ns: int) -> None:
        self._exchange = exchange
        self._opened_ms = opened_ns // NS_PER_MS  # a venue that comes back repeats no ExecID
        self._count = 0
        self._told: dict[str, None] = {}  # live orders that were reported as new
        self._client_ids: dict[str, tuple[int, str]] = {}  # order -> account, ClOrdID
        self._orders: dict[tuple[int, str], str] = {}  # account, ClOrdID -> its latest order
        self.entry_ids: dict[str, str] = {}  # quote -> QuoteEntryID

    def name(self, order: Order, client_id: str) -> None:
        """Remembers the client's id of an order."""
        while len(self._client_ids) >= CLIENT_IDS_MAX:
            oldest = next(iter(self._client_ids))
            key = self._client_ids.pop(oldest)
            if self._orders.get(key) == oldest:
                del self._orders[key]
        key = (order.account_id, client_id)
        self._client_ids[order.order_id] = key
        self._orders[key] = order.order_id

    def order_named(self, account_id: int, client_id: str) -> str:
        """Returns the venue's id of the latest order with a client's id, or nothing."""
        return self._orders.get((account_id, client_id), "")

    def client_id(self, order: Order) -> str | None:
        key = self._client_ids.get(order.order_id)
        return key[1] if key else None

    def of_news(
        self, news: News, accounts: frozenset[int], now_ns: int
    ) -> list[tuple[Order, list[Fill], bytes]]:
        """Returns the bodies of all reports that news call for, those with fills first."""
        fills: dict[str, list[Fill]] = {}
        for trade in news.trades:
            for party in trade.parties:
                if party.account_id in accounts:
                    fills.setdefault(party.order_id, []).append((trade, party))
        found: list[tuple[Order, list[Fill], bytes]] = []
        for order_id, mine in fills.items():
            order = self._exchange.orders.get(order_id)
            if order is not None:
                found.append((order, mine, self.body(order, TRADED, now_ns, mine)))
                self._follow(order)
        for order in news.orders.values():
            if order.account_id not in accounts or order.order_id in fills:
                continue
            if order.is_quote and (order.is_live or order.cancel_reason == "user_request"):
                if not order.is_live:
                    self.entry_ids.pop(order.order_id, None)
                continue  # the answer to its own request says that
            found.append((order, [], self.body(order, self._kind(order), now_ns)))
            self._follow(order)
        return found

    def body(self, order: Order, kind: str, now_ns: int, fills: list[Fill] | None = None) -> bytes:
        """Returns one report, packed."""
        instrument = self._exchange.instruments[order.index]
        average = 0
        if order.filled_lots:
            average = order.filled_ticks_lots * instrument.tick_e8 // order.filled_lots
        left = order.remaining_lots if order.is_live else 0
        fields: Fields = [
            (d.ORDER_ID, order.order_id),
            (d.CL_ORD_ID, order.order_id),
            (d.ORIG_CL_ORD_ID, self.client_id(order)),
            (d.EXEC_ID, self._next_id()),
            (d.EXEC_TYPE, kind),
            (d.ORD_STATUS, status(order)),
            (d.SYMBOL, instrument.name),
            (d.SIDE, d.SIDES[order.side]),
            (d.ORD_TYPE, ORDER_TYPES[order.order_type]),
            (d.PRICE, d.price_text(instrument, order.price_ticks) if order.price_ticks else None),
            (d.TIME_IN_FORCE, TIMES[order.time_in_force]),
            (d.ORDER_QTY, d.quantity_text(instrument, order.lots)),
            (d.CUM_QTY, d.quantity_text(instrument, order.filled_lots)),
            (d.LEAVES_QTY, d.quantity_text(instrument, left)),
            (d.AVG_PX, d.decimal_e8(average)),
            (d.TRANSACT_TIME, format_time(now_ns)),
            (d.LABEL, order.label),
            (d.MM_PROTECTION, order.is_mmp or None),
            (d.MMP_GROUP, order.mmp_group),
            (TEXT, order.cancel_reason or "success"),
        ]
        if order.is_quote:
            fields += [
                (d.QUOTE_ID, order.quote_id),
                (d.QUOTE_ENTRY_ID, self.entry_ids.get(order.order_id)),
                (d.QUOTE_SET_ID, order.quote_set_id),
            ]
        if fills:
            fields += self._fills(fills)
        return pack(fields)

    def rejection(self, fields: Fields, client_id: str, code: int, text: str, now_ns: int) -> bytes:
        """Returns the report of an order that was refused; `fields` echo what it asked for."""
        return pack(
            [
                (d.ORDER_ID, "NONE"),
                (d.CL_ORD_ID, client_id),
                (d.ORIG_CL_ORD_ID, client_id),
                (d.EXEC_ID, self._next_id()),
                (d.EXEC_TYPE, REJECTED),
                (d.ORD_STATUS, REJECTED),
                *fields,
                (d.CUM_QTY, 0),
                (d.LEAVES_QTY, 0),
                (d.AVG_PX, 0),
                (d.ORD_REJ_REASON, 99),
                (d.QUOTE_ENTRY_REJECT_REASON, code),
                (d.TRANSACT_TIME, format_time(now_ns)),
                (TEXT, text),
            ]
        )

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._opened_ms}-{self._count}"

    def _fills(self, fills: list[Fill]) -> Fields:
        """Returns the last fill's price, all fills' size, and their group."""
        trade = fills[-1][0]
        instrument = self._exchange.instruments[trade.index]
        lots = sum(trade.lots for trade, _ in fills)
        fields: Fields = [
            (d.LAST_PX, d.price_text(instrument, trade.price_ticks)),
            (d.LAST_QTY, d.quantity_text(instrument, lots)),
            (d.NO_FILLS, len(fills)),
        ]
        for trade, party in fills:
            fields += [
                (d.FILL_EXEC_ID, trade.trade_id),
                (d.FILL_PX, d.price_text(instrument, trade.price_ticks)),
                (d.FILL_QTY, d.quantity_text(instrument, trade.lots)),
                (d.FILL_LIQUIDITY, 1 if party.is_maker else 2),
            ]
        return fields

    def _kind(self, order: Order) -> str:
        if order.state == "cancelled":
            return EXPIRED if order.cancel_reason == "expired" else CANCELED
        if order.state == "rejected":
            return REJECTED
        is_known = order.is_replaced or order.order_id in self._told
        return REPLACED if is_known else NEW

    def _follow(self, order: Order) -> None:
        if order.is_live:
            self._told[order.order_id] = None
        else:
            self._told.pop(order.order_id, None)
            self.entry_ids.pop(order.order_id, None)


def status(order: Order) -> str:
    """Returns OrdStatus (39)."""
    if order.is_live:
        return "1" if order.filled_lots else "0"
    ends = {"filled": "2", "rejected": "8"}
    return "C" if order.cancel_reason == "expired" else ends.get(order.state, "4")
