"""The simulated venue: bytes of connections in, bytes and closings out; time is handed in.

It owns market time: `on_timer` steps the market. The same core is served on a socket, alone or in
a desk, and runs inside the one-process simulation.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from services.venue.accounts.accounts import FIRST_USER
from services.venue.accounts.portfolio import coin_e12
from services.venue.fix.door import FixDoor
from services.venue.market.chain import Chain
from services.venue.market.crowd_access import FIRST_CROWD, CrowdAccess
from services.venue.market.driver import MakeMarket
from services.venue.market.listing import STRIKES_MAX
from services.venue.market.market import MarketConfig
from services.venue.market.marks import Marks
from services.venue.matching.exchange import Exchange, News
from services.venue.matching.history import Trade
from services.venue.matching.triggers import Triggers
from services.venue.multicast.publisher import Publisher
from services.venue.multicast.settings import MulticastConfig
from services.venue.outputs import Close, Output, Send
from services.venue.rpc import envelope
from services.venue.rpc.channels import FAST, NOBODY, RAW, SLOW
from services.venue.rpc.http_requests import HttpRequest, HttpResponse
from services.venue.rpc.methods import all_methods
from services.venue.rpc.rate_limits import Allowance, Tier
from services.venue.rpc.sessions import Connection, Key
from services.venue.rpc.switchboard import Switchboard
from services.venue.wiring import wire
from shared.clock import NS_PER_DAY, NS_PER_MS, NS_PER_S
from shared.messages.market import VenueAuditV1
from shared.service import Reading
from shared.units import ticks_nearest

__all__ = ["Close", "Config", "MakeMarket", "Output", "Send", "UserAccount", "Venue"]

CONNECTIONS_PER_PEER_MAX = 32
FAST_NS = 100 * NS_PER_MS
SECOND_NS = NS_PER_S
INACTIVE_NS = 600 * NS_PER_S  # a connection that says nothing is cut off


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[venue]`."""

    step_ms: Annotated[int, Meta(ge=2, le=1000)] = 100
    settlement_s: Annotated[int, Meta(ge=1, le=60)] = 3
    deposit_btc: Annotated[float, Meta(gt=0.0, le=1e6)] = 1_000.0  # of each test account
    deposit_eth: Annotated[float, Meta(gt=0.0, le=1e6)] = 20_000.0
    trading_burst: Annotated[int, Meta(ge=1, le=10_000)] = 100
    trading_rate: Annotated[int, Meta(ge=1, le=10_000)] = 30
    mass_quote_burst: Annotated[int, Meta(ge=1, le=10_000)] = 100
    mass_quote_rate: Annotated[int, Meta(ge=1, le=10_000)] = 50
    quotes_burst: Annotated[int, Meta(ge=1, le=100_000)] = 500  # instruments quoted
    quotes_rate: Annotated[int, Meta(ge=1, le=100_000)] = 500
    orders_max: Annotated[int, Meta(ge=1_000, le=1_000_000)] = 100_000
    strikes_max: Annotated[int, Meta(ge=7, le=60)] = STRIKES_MAX  # about, of a listed expiry
    has_crowd: bool = True  # False: the market stands still
    market: MarketConfig = MarketConfig()
    multicast: MulticastConfig = MulticastConfig()


@dataclass(frozen=True, slots=True)
class UserAccount:
    """An account with a key. The first one is the desk's."""

    name: str
    client_id: str
    client_secret: str


class Venue:
    """State of the whole venue. Methods return what to send, in order."""

    def __init__(
        self,
        config: Config,
        chain: Chain,
        make_market: MakeMarket,
        users: Iterable[UserAccount],
        token_secret: bytes,
        now_ns: int,
    ) -> None:
        self._config = config
        self._crowd = CrowdAccess()
        self.market = market = make_market(self._crowd)
        self._tier = Tier(
            trading_burst=config.trading_burst,
            trading_rate=config.trading_rate,
            mass_quote_burst=config.mass_quote_burst,
            mass_quote_rate=config.mass_quote_rate,
            quotes_burst=config.quotes_burst,
            quotes_rate=config.quotes_rate,
        )
        instruments = list(market.instruments)
        listed = [one.at_ns for one in market.listings for _ in one.instruments]
        marks = Marks(instruments, market)
        marks.refresh(now_ns)
        exchange = Exchange(
            instruments, chain.underlyings(), marks,
            created_ns=[*chain.created_ns, *listed], order_max=config.orders_max,
        )  # fmt: skip
        _remember(exchange, chain.open_interest_lots.tolist())
        self.exchange = exchange
        settlement_ns = config.settlement_s * NS_PER_S
        self.floor = wire(exchange, self._tier, token_secret, settlement_ns, now_ns)
        self._switchboard = Switchboard(self.floor, all_methods(self.floor), self._tier)
        self._crowd.bind(exchange, market.owners, coin_e12(1_000_000.0))
        exchange.on_trade = self._on_trade
        self._triggers = Triggers(exchange, self.floor.orders)
        self._connections: dict[int, Connection] = {}
        self._next_step_ns = now_ns
        self._next_fast_ns = now_ns
        self._next_second_ns = now_ns - now_ns % SECOND_NS + SECOND_NS
        self._sends: list[Output] = []
        self._publisher: Publisher | None = None
        self._fix: FixDoor | None = None
        self.on_news: Callable[[News], None] = lambda _news: None  # whoever keeps a memory
        for number, user in enumerate(users):
            self._open_account(FIRST_USER + number, user, now_ns)

    def broadcast(self, now_ns: int) -> None:
        """From now on market data goes out as datagrams too."""
        cycle_ms = self._config.multicast.snapshot_cycle_ms
        self._publisher = Publisher(self.exchange, self.floor.views, cycle_ms, now_ns)

    def open_fix(self, now_ns: int) -> None:
        """From now on FIX connections are taken too."""
        self._fix = FixDoor(
            self.floor, self._switchboard, self._tier, self._publish, self._leave, now_ns
        )

    # Connections

    def on_open(self, connection_id: int, now_ns: int, transport: str = "ws") -> None:
        """A connection was opened; ids are never reused, nor are they on another door."""
        assert connection_id > 0
        if transport == "fix":
            assert self._fix is not None
            self._fix.on_open(connection_id, now_ns)
            return
        assert connection_id not in self._connections
        self._connections[connection_id] = Connection(
            connection_id=connection_id,
            transport=transport,
            opened_ns=now_ns,
            allowance=Allowance(self._tier, now_ns),
            last_received_ns=now_ns,
        )

    def on_bytes(
        self, connection_id: int, data: bytes, now_ns: int, real_ns: int = 0
    ) -> list[Output]:
        """One frame of a connection (bytes in any pieces, of a FIX one). Whatever it holds, it is
        answered."""
        connection = self._connections.get(connection_id)
        if connection is None:
            if self._fix is not None:
                self._fix.on_bytes(connection_id, data, now_ns, real_ns or now_ns)
            return self._take()
        connection.last_received_ns = now_ns
        answer = self._switchboard.answer(connection, data, now_ns, real_ns or now_ns)
        self._sends.append(Send(connection_id, answer))
        self._publish(now_ns)
        if connection.close_reason:
            self._cut(connection, connection.close_reason, now_ns)
        return self._take()

    def on_close(self, connection_id: int, now_ns: int) -> list[Output]:
        """A connection is gone: its orders go too, where it asked for that."""
        connection = self._connections.pop(connection_id, None)
        if connection is not None:
            self._leave(connection, now_ns)
        elif self._fix is not None:
            self._fix.on_close(connection_id, now_ns)
        return self._take()

    def on_http(self, request: HttpRequest, now_ns: int, real_ns: int = 0) -> HttpResponse:
        """One HTTP request; the sends to others it causes follow with the next output."""
        response = self._switchboard.on_http(request, now_ns, real_ns or now_ns)
        self._publish(now_ns)
        return response

    # Time

    def on_timer(self, now_ns: int) -> list[Output]:
        """Steps the market up to now, flushes channels, and does what is due."""
        if now_ns >= self._next_step_ns:
            # Half a step on: a timer that comes a little early must not skip a step.
            self._next_step_ns = now_ns + self._config.step_ms * NS_PER_MS // 2
            self._step(now_ns)
        self._publish(now_ns)
        if now_ns >= self._next_fast_ns:
            self._next_fast_ns = now_ns - now_ns % FAST_NS + FAST_NS
            self._flush(FAST, now_ns)
        if now_ns >= self._next_second_ns:
            self._next_second_ns = now_ns - now_ns % SECOND_NS + SECOND_NS
            self._second(now_ns)
        if self._publisher is not None:
            self._sends.extend(self._publisher.on_time(now_ns))
        if self._fix is not None:
            self._fix.on_timer(now_ns)
        return self._take()

    def readings(self, _now_ns: int) -> Iterator[Reading]:
        yield Reading("listing_room_count", self.exchange.room_count)
        quoted = self._quoted()
        for currency in self.exchange.currencies:
            yield Reading("quote_venue_count", quoted.count(currency), (currency,))

    def _quoted(self) -> list[str]:
        """Returns the underlying of each side that the desk's account quotes."""
        instruments = self.exchange.instruments
        quotes = self.exchange.orders.quotes(FIRST_USER)
        return [instruments[quote.index].underlying for quote in quotes]

    def audits(self, now_ns: int) -> Iterator[VenueAuditV1]:
        """Yields the venue's own word on its books, one per currency."""
        exchange = self.exchange
        quoted = self._quoted()
        for currency in exchange.currencies:
            yield VenueAuditV1(
                created_ns=now_ns,
                currency=currency,
                accounts_sum_coin_e12=exchange.accounts.sum_e12(currency),
                trade_count=exchange.history.trade_counts[currency],
                live_quote_count=quoted.count(currency),
                positions_sum_lots=exchange.accounts.positions_sum_lots(currency),
            )

    def connection_count(self) -> int:
        return len(self._connections) + (self._fix.connection_count() if self._fix else 0)

    # Market

    def _step(self, now_ns: int) -> None:
        self._crowd.now_ns = now_ns
        self.market.step(now_ns)
        self.exchange.marks.on_step()
        self.exchange.settle_events(now_ns)
        self._triggers.on_step(now_ns)
        self.floor.market_feeds.on_index(now_ns)

    def _on_trade(self, trade: Trade, maker_left_lots: int) -> None:
        maker = trade.maker - FIRST_CROWD if trade.maker >= FIRST_CROWD else -1
        self.market.on_trade(trade.index, trade.side, trade.lots, maker, maker_left_lots)

    def _second(self, now_ns: int) -> None:
        """Marks, settlement, slow channels, heartbeats; once a second."""
        self.exchange.marks.refresh(now_ns)
        settled_ns = self.floor.settlement.on_second(now_ns)
        if settled_ns:
            self._list_next(settled_ns, now_ns)
        self._expire_orders(now_ns)
        self._publish(now_ns)
        self.floor.market_feeds.on_marks(now_ns)
        self.floor.user_feeds.on_marks()
        self._flush(FAST, now_ns)
        self._flush(SLOW, now_ns)
        for connection in list(self._connections.values()):
            self._check_alive(connection, now_ns)

    def _list_next(self, settled_ns: int, now_ns: int) -> None:
        """Lists what the calendar puts in the place of what was delivered, of every day missed."""
        at_ns = now_ns - (now_ns - settled_ns) % NS_PER_DAY
        listing = self.market.next_listing(settled_ns, at_ns, self._config.strikes_max)
        if listing is None or len(listing.instruments) > self.exchange.room_count:
            return
        self.market.take_listing(listing)
        self.floor.add_contracts(listing.instruments, at_ns, now_ns)
        if self._publisher is not None:
            self._publisher.relist(at_ns)

    def _expire_orders(self, now_ns: int) -> None:
        for order in self.exchange.orders.expiring():
            if now_ns >= order.expires_ns:
                self.exchange.cancel(order, "expired", now_ns)

    def _publish(self, now_ns: int) -> None:
        """Tells the feeds what has happened, and sends what goes at once."""
        floor, exchange = self.floor, self.exchange
        dirty = exchange.book.drain_dirty()
        if len(dirty):
            floor.views.forget_best()
            floor.market_feeds.on_dirty(dirty.tolist())
        news = exchange.news
        exchange.news = News()
        if self._fix is not None:  # fills before all else
            self._fix.on_news(news, now_ns)
            self._sends.extend(self._fix.take())
        self.on_news(news)
        if self._publisher is not None:
            self._sends.extend(self._publisher.on_changes(dirty, news, now_ns))
        if news.trades:
            floor.market_feeds.on_trades(news.trades, now_ns)
        if news.instrument_states:
            floor.market_feeds.on_instrument_states(news.instrument_states, now_ns)
        if news.orders or news.trades or news.accounts or news.mmp_triggers:
            floor.user_feeds.on_news(news)
        self._flush(RAW, now_ns)

    def _flush(self, interval: str, now_ns: int) -> None:
        self.floor.market_feeds.flush(interval, now_ns)
        self.floor.user_feeds.flush(interval)
        self._collect()

    def _collect(self) -> None:
        for feeds in (self.floor.user_feeds, self.floor.market_feeds):
            self._sends.extend(feeds.take())
        if self._fix is not None:
            self._sends.extend(self._fix.take())

    def _take(self) -> list[Output]:
        self._collect()
        sends, self._sends = self._sends, []
        return sends

    # Connections that end

    def _check_alive(self, connection: Connection, now_ns: int) -> None:
        if now_ns - connection.last_received_ns > INACTIVE_NS and connection.cancel_on_disconnect:
            self._cut(connection, "inactive", now_ns)
            return
        if not connection.heartbeat_ns or now_ns < connection.next_heartbeat_ns:
            return
        if connection.test_request_ns:
            self._cut(connection, "heartbeat was not answered", now_ns)
            return
        connection.next_heartbeat_ns = now_ns + connection.heartbeat_ns
        connection.test_request_ns = now_ns
        for kind in ("heartbeat", "test_request"):
            self._sends.append(Send(connection.connection_id, envelope.heartbeat(kind)))

    def _cut(self, connection: Connection, reason: str, now_ns: int) -> None:
        """Ends a connection from the venue's side."""
        self._connections.pop(connection.connection_id, None)
        self._collect()
        self._sends.append(Close(connection.connection_id, reason))
        self._leave(connection, now_ns)

    def _leave(self, connection: Connection, now_ns: int) -> None:
        self.floor.registry.unsubscribe(
            connection.connection_id, connection.account_id, sorted(connection.channels)
        )
        if connection.cancel_on_disconnect and connection.account_id != NOBODY:
            orders = self.exchange.orders
            mine = (
                *orders.live(connection.account_id),
                *orders.quotes(connection.account_id),
            )
            for order in mine:
                if order.connection_id == connection.connection_id:
                    self.exchange.cancel(order, "cancel_on_disconnect", now_ns)
        self._publish(now_ns)

    def _open_account(self, account_id: int, user: UserAccount, now_ns: int) -> None:
        accounts = self.exchange.accounts
        accounts.open(account_id, user.name, is_user=True, now_ns=now_ns)
        self._switchboard.add_account(account_id, now_ns)
        self.floor.sessions.add_key(Key(user.client_id, user.client_secret, account_id))
        deposits = {"BTC": self._config.deposit_btc, "ETH": self._config.deposit_eth}
        for currency in self.exchange.currencies:
            accounts.deposit(account_id, currency, coin_e12(deposits[currency]))


def _remember(exchange: Exchange, open_interest_lots: list[int]) -> None:
    """Gives the tapes what stood before the venue opened: open interest, and futures' last price,
    for a future that never traded is a thing no client has seen."""
    for index, tape in enumerate(exchange.history.tapes):
        tape.open_interest_lots = sum(open_interest_lots[index : index + 1])
        instrument = exchange.instruments[index]
        if instrument.kind != "option":
            tape.last_ticks = ticks_nearest(instrument, exchange.marks.mark_price(index))
