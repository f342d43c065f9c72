"""The account's trades, each published once as a fill whatever way and however often it comes."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from services.gateway.calls import Calls
from services.gateway.listing import Listing
from services.gateway.readings import NAME, NONSENSE, coin_e12, name, number, stamp_ns
from shared.alerts import Alerts
from shared.messages.market import Instrument
from shared.messages.orders import FillV1
from shared.units import lots_nearest, ticks_nearest
from shared.venue_link import NOT_SENT, OUTCOME_UNKNOWN, VenueReply, is_quote_trade

KNOWN_MAX = 200_000
WAITING_MAX = 1000
RECENT_MAX = 256


class Made(NamedTuple):
    """A trade that the venue has made."""

    venue_ns: int
    trade_id: str


class Fills:
    """Knows which trades the desk has been told of: its own record, replayed, says so."""

    def __init__(self, calls: Calls, listing: Listing, alerts: Alerts) -> None:
        self._calls = calls
        self._listing = listing
        self._alerts = alerts
        self._known: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[str, list[dict[str, Any]]] = {}  # trades of unlisted instruments
        self._recent: dict[str, deque[Made]] = {}  # by currency
        self.count: dict[str, int] = {}  # by currency
        self.last_id: dict[str, str] = {}
        self.last_ns: dict[str, int] = {}  # venue time of the newest

    def on_fill(self, fill: FillV1) -> tuple[()]:
        """Takes a fill of the record (or our own, come back)."""
        if fill.trade_id not in self._known:
            self._note(fill)
        return ()

    def take(self, rows: list[dict[str, Any]], now_ns: int) -> Iterator[object]:
        """Yields a fill for each trade that is new, oldest first as the venue sent them."""
        for row in rows:
            trade_id = row.get("trade_id")
            if isinstance(trade_id, str) and trade_id in self._known:
                continue
            listed = row.get("instrument_name")
            instrument = self._listing.by_name.get(listed) if isinstance(listed, str) else None
            if isinstance(listed, str) and instrument is None:
                yield from self._wait(listed, row)
                continue
            try:
                fill = read_trade(row, instrument, now_ns)
            except NONSENSE as error:
                text = f"trade {trade_id}: {type(error).__name__} {error}"
                yield from self._alerts.raised("unreadable-trade", "page", text, now_ns)
                continue
            self._note(fill)
            yield fill

    def since(self, currency: str, count: int) -> list[Made] | None:
        """Returns what has come since there were so many; None if that is too long ago."""
        new_count = self.count.get(currency, 0) - count
        recent = self._recent.get(currency, ())
        return [*recent][len(recent) - new_count :] if new_count <= len(recent) else None

    def waiting_count(self) -> int:
        return sum(len(rows) for rows in self._waiting.values())

    def _note(self, fill: FillV1) -> None:
        self._known[fill.trade_id] = None
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        currency = fill.underlying
        self.count[currency] = self.count.get(currency, 0) + 1
        recent = self._recent.setdefault(currency, deque(maxlen=RECENT_MAX))
        recent.append(Made(fill.venue_ns, fill.trade_id))
        if fill.venue_ns >= self.last_ns.get(currency, 0):
            self.last_ns[currency] = fill.venue_ns
            self.last_id[currency] = fill.trade_id

    def _wait(self, unlisted: str, row: dict[str, Any]) -> Iterator[object]:
        """Asks for an instrument that is not listed (expired, or listed a moment ago)."""
        is_asked = unlisted in self._waiting
        if self.waiting_count() < WAITING_MAX and NAME.fullmatch(unlisted):
            self._waiting.setdefault(unlisted, []).append(row)
        if not is_asked and unlisted in self._waiting:
            yield self._calls.request(
                "public/get_instrument",
                {"instrument_name": unlisted},
                partial(self._described, unlisted),
            )

    def _described(self, unlisted: str, reply: VenueReply) -> Iterator[object]:
        rows = self._waiting.pop(unlisted, [])
        for underlying in self._listing.underlyings:
            if self._listing.remember(reply.result, underlying) is not None:
                yield from self.take(rows, reply.created_ns)
                return
        if reply.error_code in (OUTCOME_UNKNOWN, NOT_SENT):
            return  # they are asked for again with the trades since the last known one
        text = f"{len(rows)} trades in {unlisted}, which the desk does not know"
        yield from self._alerts.raised("trade-elsewhere", "page", text, reply.created_ns)


def read_trade(row: dict[str, Any], instrument: Instrument | None, now_ns: int) -> FillV1:
    """Returns the fill in a trade row; raises one of NONSENSE where it cannot be true."""
    if instrument is None:
        raise ValueError("no instrument")
    trade_id, venue_order_id = name(row["trade_id"]), name(row["order_id"])
    label = row.get("label") or ""
    is_quote = is_quote_trade(row)
    amount_lots = lots_nearest(instrument, number(row["amount"]))
    price_ticks = ticks_nearest(instrument, number(row["price"]))
    venue_ns = stamp_ns(row["timestamp"])
    index_usd, mark_price = float(number(row["index_price"])), float(number(row["mark_price"]))
    if row["direction"] not in {"buy", "sell"} or row["liquidity"] not in {"M", "T"}:
        raise ValueError("direction or liquidity")
    if row["fee_currency"] != instrument.underlying:
        raise ValueError(f"fee in {row['fee_currency']}")
    if not (0 < amount_lots <= 10**12 and 0 <= price_ticks <= 10**12):
        raise ValueError("amount, price or time out of range")
    if not (0.0 < index_usd < 1e9 and 0.0 <= mark_price < 1e9):
        raise ValueError("index or mark out of range")
    return FillV1(
        created_ns=now_ns,
        trade_id=trade_id,
        venue_order_id=venue_order_id,
        order_id=label if not is_quote and NAME.fullmatch(label) else "",
        is_quote=is_quote,
        underlying=instrument.underlying,
        instrument=instrument.name,
        side=row["direction"],
        amount_lots=amount_lots,
        price_ticks=price_ticks,
        is_maker=row["liquidity"] == "M",
        fee_coin_e12=coin_e12(row["fee"]),
        index_usd=index_usd,
        mark_price=mark_price,
        venue_ns=venue_ns,
    )
