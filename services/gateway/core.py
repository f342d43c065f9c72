"""The gateway's core: one venue account and its market data, turned into the desk's messages.

Nouns in their own files: listing, market_data and books, subscriptions, orders, fills,
reconciliation. This one sees to what is done when, and to whom a notification belongs.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from services.gateway.books import BookGapError
from services.gateway.calls import Calls, rows_of
from services.gateway.fills import Fills
from services.gateway.listing import VENUE_KINDS, Listing
from services.gateway.market_data import Market, UnderlyingFeed
from services.gateway.orders import Orders
from services.gateway.readings import NONSENSE
from services.gateway.reconciliation import Reconciliation
from services.gateway.settlements import Settlements
from services.gateway.subscriptions import Subscriptions
from shared.alerts import Alerts
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.market import FeedV1, Instrument
from shared.messages.orders import (
    CancelOrderV1,
    FillV1,
    PlaceOrderV1,
    QueryOrderV1,
    SettlementV1,
)
from shared.service import Reading
from shared.venue_link import VenueDown, VenueNotice, VenueReply, VenueRequest, VenueUp

Route = Callable[[Any, int], Iterable[object]]
FEED_NS = NS_PER_S
CLOCK_NS = 30 * NS_PER_S
LISTING_SOON_NS = NS_PER_S  # after a word on instruments: more of them usually follow
TICKS_INTERVAL_MS = 100


# A ticker brings the mark and the state; that of a dated future is read, not traded on.
TICKER_PACES = {"perpetual": "100ms", "future": "agg2"}


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[gateway]`."""

    refresh_ms: Annotated[int, Meta(ge=500, le=60_000)] = 3000  # all ticks again, rolling
    account_ms: Annotated[int, Meta(ge=200, le=60_000)] = 2000
    trades_ms: Annotated[int, Meta(ge=1000, le=600_000)] = 15_000  # trades are asked for again
    listing_ms: Annotated[int, Meta(ge=10_000, le=3_600_000)] = 300_000
    settle_ms: Annotated[int, Meta(ge=500, le=60_000)] = 2000  # before an order is not found
    first_lookback_s: Annotated[int, Meta(ge=0, le=86_400)] = 3600  # of trades, with no record


class Gateway:
    """Handlers return plain lists or iterate once; nothing here waits."""

    def __init__(self, config: Config, underlyings: tuple[str, ...]) -> None:
        self._config = config
        self._calls = Calls()
        self._alerts = Alerts("gateway")
        self.listing = Listing(underlyings)
        self.feeds = {underlying: UnderlyingFeed(underlying) for underlying in underlyings}
        self.subscriptions = Subscriptions(self._calls)
        self.fills = Fills(self._calls, self.listing, self._alerts)
        self.orders = Orders(
            self._calls,
            self.listing,
            self._alerts,
            config.settle_ms * NS_PER_MS,
            self.fills.take,
        )
        self.reconciliation = Reconciliation(
            self._calls,
            self.listing,
            self._alerts,
            self.fills,
            self.orders,
            account_ns=config.account_ms * NS_PER_MS,
            trades_ns=config.trades_ms * NS_PER_MS,
            lookback_ns=config.first_lookback_s * NS_PER_S,
        )
        self.settlements = Settlements(self._calls, self.listing, self._alerts)
        self._routes: dict[str, Route] = {}
        self._cycle_ns = config.refresh_ms * NS_PER_MS // 2
        self._now_ns = 0
        self._is_up = False
        self._is_draining = False
        self._is_reconciling = False  # since this connection came up
        self._down_reason = "not connected yet"
        self._connection_count = 0
        self._gap_count = 0
        self._clock_offset_ns = 0
        self._feed_due_ns = 0
        self._clock_due_ns = 0
        self._listing_due_ns: dict[tuple[str, str], int] = {}
        self._to_subscribe: list[str] = []
        self._route_fixed_channels()

    def not_ready(self) -> str:
        if not self._is_up:
            return self._down_reason
        if not self.listing.is_complete():
            return "instruments not read yet"
        if not self.reconciliation.is_caught_up():
            return "trades not reconciled yet"
        return ""

    def is_drained(self) -> bool:
        return self.orders.unanswered_count() == 0

    # Commands and the record

    def on_place(self, command: PlaceOrderV1) -> Iterable[object]:
        return self.orders.on_place(command, self._time(command.created_ns))

    def on_cancel(self, command: CancelOrderV1) -> Iterable[object]:
        return self.orders.on_cancel(command, self._time(command.created_ns))

    def on_query(self, command: QueryOrderV1) -> Iterable[object]:
        return self.orders.on_query(command, self._time(command.created_ns))

    def on_fill(self, fill: FillV1) -> Iterable[object]:
        return self.fills.on_fill(fill)

    def on_settlement(self, settlement: SettlementV1) -> Iterable[object]:
        return self.settlements.on_settlement(settlement)

    # The link

    def on_up(self, up: VenueUp) -> Iterator[object]:
        now_ns = self._time(up.created_ns)
        self._is_up = True
        self._is_reconciling = False
        self._connection_count = up.connection_count
        yield self._feed_message(now_ns)
        yield from self.subscriptions.on_up(now_ns)
        self._clock_due_ns = now_ns
        for underlying in self.listing.underlyings:
            for venue_kind in VENUE_KINDS:
                yield self._ask_listing(underlying, venue_kind, now_ns)
        yield from self._reconcile_once_listed(now_ns)

    def on_down(self, down: VenueDown) -> Iterator[object]:
        now_ns = self._time(down.created_ns)
        self._is_up = False
        self._down_reason = down.reason
        self.subscriptions.on_down()
        self.orders.on_down()
        self.reconciliation.on_down()
        for feed in self.feeds.values():
            feed.lost()
        if not self._is_draining:
            yield from self._flush(now_ns, 0)
        yield self._feed_message(now_ns)

    def on_reply(self, reply: VenueReply) -> Iterable[object]:
        self._time(reply.created_ns)
        return self._calls.on_reply(reply)

    def on_notice(self, notice: VenueNotice) -> Iterable[object]:
        """The hot path: thousands a second."""
        now_ns = notice.created_ns
        if now_ns > self._now_ns:  # noqa: PLR1730 - this is the hot path
            self._now_ns = now_ns
        route = self._routes.get(notice.channel)
        if route is None:
            return ()
        try:
            return route(notice.data, now_ns)
        except NONSENSE as error:
            text = f"{notice.channel}: {type(error).__name__} {error}"
            return self._alerts.raised("unreadable-data", "ticket", text, now_ns)

    def readings(self, _now_ns: int) -> Iterator[Reading]:
        yield Reading("book_gap", self._gap_count)
        yield Reading("venue_clock_offset_seconds", self._clock_offset_ns / NS_PER_S)
        yield from self.orders.readings()

    # Timers

    def start(self, timer: TimerV1) -> Iterable[object]:
        now_ns = self._time(timer.created_ns)
        self.orders.start(now_ns)
        return [self._feed_message(now_ns)]

    def drain(self, timer: TimerV1) -> Iterable[object]:
        """Waits for answers to what was sent; the venue cancels the rest when the link closes."""
        self._time(timer.created_ns)
        self._is_draining = True
        return ()

    def on_timer(self, timer: TimerV1) -> Iterator[object]:
        now_ns = self._time(timer.created_ns)
        if self._is_up or not self._is_draining:  # a desk that ends needs no news of its own end
            yield from self._flush(now_ns, TICKS_INTERVAL_MS * NS_PER_MS)
        if now_ns >= self._feed_due_ns:
            yield self._feed_message(now_ns)
        if not self._is_up:
            return
        yield from self.subscriptions.on_timer(now_ns)
        yield from self.orders.on_timer(now_ns)
        yield from self.reconciliation.on_timer(now_ns)
        yield from self.settlements.on_timer(now_ns)
        if now_ns >= self._clock_due_ns:
            self._clock_due_ns = now_ns + CLOCK_NS
            yield self._calls.request("public/get_time", {}, partial(self._on_clock, now_ns))
        for (underlying, venue_kind), due_ns in list(self._listing_due_ns.items()):
            if now_ns >= due_ns:
                yield self._ask_listing(underlying, venue_kind, now_ns)

    def _flush(self, now_ns: int, interval_ns: int) -> Iterator[object]:
        for feed in self.feeds.values():
            yield from feed.flush(now_ns, interval_ns, self._cycle_ns)

    def _on_clock(self, asked_ns: int, reply: VenueReply) -> tuple[()]:
        if isinstance(reply.result, int) and 0 < reply.result < 10**14:
            middle_ns = (asked_ns + reply.created_ns) // 2
            self._clock_offset_ns = reply.result * NS_PER_MS - middle_ns
        return ()

    def _feed_message(self, now_ns: int) -> FeedV1:
        self._feed_due_ns = now_ns + FEED_NS
        return FeedV1(
            created_ns=now_ns,
            is_connected=self._is_up,
            reason="" if self._is_up else self._down_reason[:1024],
            reconnect_count=max(0, self._connection_count - 1),
            gap_count=self._gap_count,
            venue_clock_offset_ns=self._clock_offset_ns,
        )

    # Instruments

    def _ask_listing(self, underlying: str, venue_kind: str, now_ns: int) -> VenueRequest:
        self._listing_due_ns[underlying, venue_kind] = now_ns + self._config.listing_ms * NS_PER_MS
        return self._calls.request(
            "public/get_instruments",
            {"currency": underlying, "kind": venue_kind, "expired": False},
            partial(self._on_listing, underlying, venue_kind),
        )

    def _on_listing(self, underlying: str, venue_kind: str, reply: VenueReply) -> Iterator[object]:
        now_ns = reply.created_ns
        rows = rows_of(reply.result)
        if reply.error_code or not rows:
            self._listing_due_ns[underlying, venue_kind] = now_ns + LISTING_SOON_NS
            return
        refused_before = self.listing.refused_count
        change = self.listing.take(underlying, venue_kind, rows)
        feed = self.feeds[underlying]
        wanted: list[str] = []
        for instrument in change.added:
            market = feed.add(instrument, is_open=True)
            for channel, route in self._channels(market):
                self._routes[channel] = route
                wanted.append(channel)
        for instrument in change.open:
            market = feed.markets[instrument.name]
            if not 0 < instrument.expiry_ns <= now_ns:
                market.reopen()
        for instrument in change.closed:
            feed.markets[instrument.name].close()
        yield from self.listing.messages(underlying, now_ns)
        self._to_subscribe.extend(wanted)
        if self.listing.is_complete():  # at a start: all in as few calls as can be
            yield from self.subscriptions.want(self._to_subscribe)
            self._to_subscribe.clear()
        yield from self._drop(feed, change.removed)
        refused_count = self.listing.refused_count - refused_before
        if refused_count:
            text = f"{refused_count} {underlying} {venue_kind} instruments were unreadable"
            yield from self._alerts.raised("unreadable-instrument", "ticket", text, now_ns)
        yield from self._reconcile_once_listed(now_ns)

    def _drop(self, feed: UnderlyingFeed, removed: list[Instrument]) -> Iterator[object]:
        gone: list[str] = []
        for instrument in removed:
            market = feed.markets.get(instrument.name)
            if market is not None:
                gone.extend(channel for channel, _route in self._channels(market))
                feed.remove(instrument.name)
        for channel in gone:
            self._routes.pop(channel, None)
        yield from self.subscriptions.forget(gone)

    def _on_instrument_state(
        self, underlying: str, venue_kind: str, data: dict[str, Any], now_ns: int
    ) -> tuple[()]:
        """The listing changes: read it again soon. What is over trades no more from now on."""
        market = self.feeds[underlying].markets.get(data["instrument_name"])
        if market is not None and data["state"] not in {"created", "started", "open"}:
            market.close()
        key = (underlying, venue_kind)
        soon_ns = now_ns + LISTING_SOON_NS
        self._listing_due_ns[key] = min(self._listing_due_ns.get(key, soon_ns), soon_ns)
        return ()

    # Channels

    def _route_fixed_channels(self) -> None:
        self._routes["user.trades.any.any.raw"] = self._on_user_trades
        for underlying, feed in self.feeds.items():
            index = f"{underlying.lower()}_usd"
            self._routes[f"deribit_price_index.{index}"] = feed.on_index
            self._routes[f"markprice.options.{index}"] = feed.on_marks
            # Quotes of market_making are orders too, of options, and far too many to listen to.
            self._routes[f"user.orders.future.{underlying}.raw"] = self.orders.on_order_notice
            for venue_kind in VENUE_KINDS:
                handler = partial(self._on_instrument_state, underlying, venue_kind)
                self._routes[f"instrument.state.{venue_kind}.{underlying}"] = handler
        for request in self.subscriptions.want(self._routes):
            raise AssertionError(f"{request.method} before the link was up")

    def _channels(self, market: Market) -> list[tuple[str, Route]]:
        name = market.instrument.name
        if market.book is None:
            return [(f"quote.{name}", market.on_quote)]
        return [
            (f"book.{name}.100ms", partial(self._on_book, market)),
            (f"ticker.{name}.{TICKER_PACES[market.instrument.kind]}", market.on_ticker),
        ]

    def _on_book(self, market: Market, data: dict[str, Any], now_ns: int) -> list[object]:
        channel = f"book.{market.instrument.name}.100ms"
        try:
            market.on_book(data)
        except (BookGapError, *NONSENSE) as error:
            self._gap_count += 1
            text = f"{channel}: {error}"
            out: list[object] = [*self._alerts.raised("book-gap", "info", text, now_ns)]
            out.extend(self.subscriptions.renew(channel, now_ns))
            out.append(self._feed_message(now_ns))
            return out
        if market.has_prices:
            self.subscriptions.settled(channel)
        return []

    def _on_user_trades(self, data: Any, now_ns: int) -> list[object]:
        return list(self.fills.take(rows_of(data), now_ns))

    def _reconcile_once_listed(self, now_ns: int) -> Iterator[object]:
        """Orders and trades make sense only once their instruments are known."""
        if self._is_reconciling or not self._is_up or not self.listing.is_complete():
            return
        self._is_reconciling = True
        self.orders.on_up(now_ns)
        self.settlements.on_up()
        yield from self.reconciliation.on_up(now_ns)

    def _time(self, seen_ns: int) -> int:
        """Returns the newest time known: commands carry their sender's."""
        self._now_ns = max(self._now_ns, seen_ns)
        return self._now_ns
