"""What the venue holds of the desk: trades since the last known, open orders, positions and cash.

After every reconnect all of it is read again; trades also every few seconds in case a notification
was lost, and the account so that risk can compare it with its own. An account is read in two
requests; the venue says when it took and answered each, so that of a trade that comes meanwhile it
is known whether both have it, neither has it, or perhaps one.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from services.gateway.calls import Calls, rows_of
from services.gateway.fills import Fills, Made
from services.gateway.listing import Listing
from services.gateway.orders import Orders
from services.gateway.readings import NONSENSE, coin_e12, number
from shared.alerts import Alerts
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.orders import AccountPosition, AccountV1
from shared.units import lots_nearest
from shared.venue_link import VenueReply, VenueRequest

PAGE_COUNT = 1000  # the venue's most
PAGES_MAX = 200
OVERLAP_NS = 60 * NS_PER_S  # trades are asked for from so long before the newest known
POLL_OVERLAP_NS = 5 * NS_PER_S
SOON_NS = 300 * NS_PER_MS  # the account is read so soon after a fill
HOLD_NS = 200 * NS_PER_MS  # and held so long, to see that no trade was on its way
RETRY_NS = NS_PER_S
READ_NS_MIN = NS_PER_S  # between two readings: each takes credits that orders' questions need too
CROSSED_NS_MIN = 500 * NS_PER_MS  # and where a trade has spoilt the first
STAMP_NS = 5 * NS_PER_MS  # a trade is stamped in whole ms, and not in the moment it counts
FOREVER_NS = 2**62


class _Reading(msgspec.Struct):
    """One reading of an account, under way. `newest`: the last trade that it is known to have."""

    asked_ns: int
    fill_count: int
    newest: Made
    rows: list[dict[str, Any]] | None = None
    summary: dict[str, Any] | None = None
    complete_ns: int = 0
    venue_in_ns: int = FOREVER_NS  # when the venue took the first of the two; 0: it did not say
    venue_out_ns: int = 0  # when it answered the last

    def hear(self, reply: VenueReply) -> None:
        self.venue_in_ns = min(self.venue_in_ns, reply.venue_in_ns)
        self.venue_out_ns = max(self.venue_out_ns, reply.venue_out_ns)

    def is_spoilt(self, since: list[Made]) -> bool:
        """Says whether of the trades since it was asked for one may be in one half only."""
        if since and not self.venue_in_ns:
            return True
        begin_ns, end_ns = self.venue_in_ns - STAMP_NS, self.venue_out_ns + STAMP_NS
        return any(begin_ns <= made.venue_ns <= end_ns for made in since)

    def take(self, since: list[Made]) -> None:
        """Counts the trades that both halves have."""
        both = [made for made in since if made.venue_ns < self.venue_in_ns]
        self.newest = max([self.newest, *both], key=lambda made: made.venue_ns)


class Reconciliation:
    """One per account; by currency throughout."""

    def __init__(
        self,
        calls: Calls,
        listing: Listing,
        alerts: Alerts,
        fills: Fills,
        orders: Orders,
        *,
        account_ns: int,
        trades_ns: int,
        lookback_ns: int,
    ) -> None:
        self._calls = calls
        self._listing = listing
        self._alerts = alerts
        self._fills = fills
        self._orders = orders
        self._account_ns = account_ns
        self._trades_ns = trades_ns
        self._lookback_ns = lookback_ns
        self._is_up = False
        self._caught_up: set[str] = set()  # currencies whose missed trades have been read
        self._readings: dict[str, _Reading] = {}
        self._account_due_ns: dict[str, int] = {}
        self._asked_ns: dict[str, int] = {}
        self._trades_due_ns: dict[str, int] = {}
        self._counts_seen: dict[str, int] = {}

    def is_caught_up(self) -> bool:
        return len(self._caught_up) == len(self._listing.underlyings)

    def on_up(self, now_ns: int) -> Iterator[object]:
        """Reads everything again. To be called when the instruments are known."""
        self._is_up = True
        self._readings.clear()
        self._caught_up.clear()
        for currency in self._listing.underlyings:
            yield self._trades_since(currency, OVERLAP_NS, now_ns)
            params = {"currency": currency, "kind": "future"}
            yield self._calls.request(
                "private/get_open_orders_by_currency", params, self._on_open_orders
            )
            self._account_due_ns[currency] = now_ns
            self._trades_due_ns[currency] = now_ns + self._trades_ns

    def on_down(self) -> None:
        self._is_up = False
        self._readings.clear()

    def on_timer(self, now_ns: int) -> Iterator[object]:
        if not self._is_up:
            return
        for currency in self._listing.underlyings:
            if now_ns >= self._trades_due_ns[currency]:
                overlap_ns = POLL_OVERLAP_NS if currency in self._caught_up else OVERLAP_NS
                yield self._trades_since(currency, overlap_ns, now_ns)
            count = self._fills.count.get(currency, 0)
            if count != self._counts_seen.get(currency, 0):
                self._counts_seen[currency] = count
                soon_ns = max(now_ns + SOON_NS, self._asked_ns.get(currency, 0) + READ_NS_MIN)
                self._account_due_ns[currency] = min(self._account_due_ns[currency], soon_ns)
            yield from self._finish_reading(currency, now_ns)
            if currency not in self._readings and now_ns >= self._account_due_ns[currency]:
                yield from self._read_account(currency, now_ns)

    # Trades

    def _trades_since(self, currency: str, overlap_ns: int, now_ns: int) -> VenueRequest:
        last_ns = self._fills.last_ns.get(currency, 0)
        from_ns = last_ns - overlap_ns if last_ns else now_ns - self._lookback_ns
        self._trades_due_ns[currency] = now_ns + self._trades_ns
        return self._trades_page(currency, max(0, from_ns) // NS_PER_MS, 1, now_ns)

    def _trades_page(self, currency: str, from_ms: int, page: int, now_ns: int) -> VenueRequest:
        params = {
            "currency": currency,
            "kind": "any",
            "start_timestamp": from_ms,
            "end_timestamp": (now_ns + OVERLAP_NS) // NS_PER_MS,
            "count": PAGE_COUNT,
            "sorting": "asc",
        }
        return self._calls.request(
            "private/get_user_trades_by_currency_and_time",
            params,
            partial(self._on_trades, currency, from_ms, page),
        )

    def _on_trades(
        self, currency: str, from_ms: int, page: int, reply: VenueReply
    ) -> Iterator[object]:
        now_ns = reply.created_ns
        result = reply.result
        if reply.error_code or not isinstance(result, dict):
            self._trades_due_ns[currency] = now_ns + RETRY_NS
            return
        rows = rows_of(result.get("trades"))
        yield from self._fills.take(rows, now_ns)
        stamps = [row["timestamp"] for row in rows if isinstance(row.get("timestamp"), int)]
        if not result.get("has_more") or not stamps:
            self._caught_up.add(currency)
        elif page >= PAGES_MAX:
            text = f"{currency}: more than {page} pages of missed trades"
            yield from self._alerts.raised("too-many-trades", "page", text, now_ns)
        else:
            # A whole page within one millisecond cannot be split: go on after it.
            next_ms = max(stamps) if max(stamps) > from_ms else from_ms + 1
            yield self._trades_page(currency, next_ms, page + 1, now_ns)

    def _on_open_orders(self, reply: VenueReply) -> Iterator[object]:
        yield from self._orders.adopt(rows_of(reply.result), reply.created_ns)

    # Account

    def _read_account(self, currency: str, now_ns: int) -> Iterator[object]:
        self._account_due_ns[currency] = now_ns + self._account_ns
        self._asked_ns[currency] = now_ns
        fills = self._fills
        reading = self._readings[currency] = _Reading(
            asked_ns=now_ns,
            fill_count=fills.count.get(currency, 0),
            newest=Made(fills.last_ns.get(currency, 0), fills.last_id.get(currency, "")),
        )
        params = {"currency": currency}
        yield self._calls.request(
            "private/get_positions", params, partial(self._on_positions, currency, reading)
        )
        yield self._calls.request(
            "private/get_account_summary", params, partial(self._on_summary, currency, reading)
        )

    def _on_positions(self, currency: str, reading: _Reading, reply: VenueReply) -> tuple[()]:
        if reply.error_code or not isinstance(reply.result, list):
            self._give_up(currency, reading)
        else:
            reading.rows = rows_of(reply.result)
            reading.hear(reply)
        return ()

    def _on_summary(self, currency: str, reading: _Reading, reply: VenueReply) -> tuple[()]:
        if reply.error_code or not isinstance(reply.result, dict):
            self._give_up(currency, reading)
        else:
            reading.summary = reply.result
            reading.complete_ns = reply.created_ns
            reading.hear(reply)
        return ()

    def _give_up(self, currency: str, reading: _Reading) -> None:
        if self._readings.get(currency) is reading:
            del self._readings[currency]

    def _finish_reading(self, currency: str, now_ns: int) -> Iterator[object]:
        """Publishes a reading that no trade has spoilt: one would make it half old, half new."""
        reading = self._readings.get(currency)
        if reading is None or reading.rows is None or reading.summary is None:
            return
        since = self._fills.since(currency, reading.fill_count)
        if since is None or reading.is_spoilt(since):
            del self._readings[currency]
            self._account_due_ns[currency] = max(now_ns, reading.asked_ns + CROSSED_NS_MIN)
            return
        if now_ns - reading.complete_ns < HOLD_NS:
            return
        del self._readings[currency]
        reading.take(since)
        try:
            yield self._account(currency, reading, reading.rows, reading.summary, now_ns)
        except NONSENSE as error:
            text = f"{currency} account: {type(error).__name__} {error}"
            yield from self._alerts.raised("unreadable-account", "ticket", text, now_ns)

    def _account(
        self,
        currency: str,
        reading: _Reading,
        rows: list[dict[str, Any]],
        summary: dict[str, Any],
        now_ns: int,
    ) -> AccountV1:
        positions = []
        for row in rows:
            if row["size"] == 0:
                continue
            instrument = self._listing.by_name[row["instrument_name"]]
            position_lots = lots_nearest(instrument, number(row["size"]))
            if abs(position_lots) > 10**12:
                raise ValueError(f"position {row['size']}")
            positions.append(AccountPosition(instrument.name, position_lots))
        return AccountV1(
            created_ns=now_ns,
            currency=currency,
            positions=tuple(sorted(positions, key=lambda one: one.instrument)),
            # What futures realise stays beside the balance until the daily settlement.
            balance_coin_e12=coin_e12(
                number(summary["balance"]) + number(summary.get("futures_session_rpl", 0.0))
            ),
            equity_coin_e12=coin_e12(summary["equity"]),
            venue_ns=reading.venue_in_ns or reading.asked_ns,
            last_trade_id=reading.newest.trade_id,
            open_order_count=self._orders.live_count(currency),
        )
