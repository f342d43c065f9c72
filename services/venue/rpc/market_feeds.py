"""Public channels: built only for what somebody listens to, and only when it changed.

Everything is flushed at three paces: `raw` after every input, `100ms` and `agg2` by the timer.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from services.venue.matching.exchange import Exchange
from services.venue.matching.history import Trade
from services.venue.outputs import Send
from services.venue.rpc.channels import FAST, INTERVALS, RAW, SLOW, Channel, Key, Registry
from services.venue.rpc.envelope import notice
from services.venue.rpc.views import DEPTH_MAX, Depth, Levels, Views
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.market import Instrument
from shared.settlement import next_settlement_ns
from shared.units import E8, amount_from_lots, price_from_ticks

TWAP_NS = 1800 * NS_PER_S
INDEX_NS_MAX = NS_PER_S  # an index that stands still is told again: silence would mean it is stale
TICKERS = (("ticker", RAW), ("ticker", FAST), ("ticker", SLOW), ("incremental_ticker", ""))
Sends = list[Send]


@dataclass(slots=True)
class BookFeed:
    """What a book channel has shown its listeners so far."""

    bids: dict[int, int] = field(default_factory=dict)  # ticks -> lots
    asks: dict[int, int] = field(default_factory=dict)
    change_id: int = 0


class MarketFeeds:
    def __init__(self, exchange: Exchange, views: Views, registry: Registry) -> None:
        self._exchange = exchange
        self._views = views
        self._registry = registry
        self._sends: Sends = []
        self._dirty: dict[str, dict[int, None]] = {interval: {} for interval in INTERVALS}
        self._stale: dict[str, dict[int, None]] = {interval: {} for interval in INTERVALS}
        self._trades: dict[str, dict[Key, list[Trade]]] = {name: {} for name in INTERVALS}
        self._quotes: dict[int, tuple[int, int, int, int]] = {}
        self._books: dict[Key, BookFeed] = {}
        self._tickers: dict[Key, dict[str, Any]] = {}  # incremental_ticker, as last shown
        self._index_told: dict[str, tuple[float, int]] = {}  # last price, and when
        self._names: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def take(self) -> Sends:
        """Returns what there is to send, in order."""
        sends, self._sends = self._sends, []
        return sends

    def on_ended(self, key: Key) -> None:
        """Nobody listens to a channel any more."""
        self._books.pop(key, None)
        self._tickers.pop(key, None)
        for pending in self._trades.values():
            pending.pop(key, None)

    def on_subscribed(self, channel: Channel, key: Key, connection_id: int, now_ns: int) -> None:
        """Sends a new listener where the channel stands."""
        body: Any = None
        match channel.topic:
            case "book":
                body = self._snapshot(channel, key, now_ns)
            case "grouped_book":
                body = self._grouped(channel, now_ns)
            case "ticker":
                body = self._views.ticker(channel.index, now_ns)
            case "incremental_ticker":
                body = {"type": "snapshot", **self._views.ticker(channel.index, now_ns)}
                self._tickers.setdefault(key, body)
            case "quote":
                self._quotes.setdefault(channel.index, self._views.best(channel.index))
                body = self._views.quote(channel.index, now_ns)
            case "markprice.options":
                body = self._views.mark_prices(self._options(channel.currency), now_ns)
            case "deribit_price_index":
                body = self._index(channel.currency, now_ns)
            case "deribit_volatility_index":
                body = self._volatility(channel.currency, now_ns)
            case "perpetual":
                body = self._perpetual(channel, now_ns)
            case "estimated_expiration_price":
                body = self._expiration(channel.currency, now_ns)
            case "platform_state":
                body = {"price_index": "btc_usd", "locked": False}
        if body is not None:
            self._sends.append(Send(connection_id, notice(channel.name, body)))

    def on_dirty(self, indices: Iterable[int]) -> None:
        """Books have changed."""
        fresh = dict.fromkeys(indices)
        for dirty in self._dirty.values():
            dirty.update(fresh)

    def on_trades(self, trades: list[Trade], now_ns: int) -> None:
        registry = self._registry
        for trade in trades:
            instrument = self._exchange.instruments[trade.index]
            for interval in INTERVALS:
                for name in self._trade_channels(instrument, interval):
                    if registry.has((name, -1)):
                        self._trades[interval].setdefault((name, -1), []).append(trade)
        if registry.of_topic("chart.trades"):
            self._chart(trades, now_ns)

    def on_marks(self, now_ns: int) -> None:
        """All marks are new: once a second."""
        for key, channel in self._registry.of_topic("markprice.options").items():
            self._emit(key, self._views.mark_prices(self._options(channel.currency), now_ns))
        for topic, interval in TICKERS:
            self._stale[interval or FAST].update(
                dict.fromkeys(self._registry.feeds(topic, interval))
            )
        for key, channel in self._registry.of_topic("deribit_volatility_index").items():
            self._emit(key, self._volatility(channel.currency, now_ns))
        for key, channel in self._registry.of_topic("estimated_expiration_price").items():
            self._emit(key, self._expiration(channel.currency, now_ns))

    def on_index(self, now_ns: int) -> None:
        """The market may have moved. Tickers follow with their books and with the marks."""
        told: set[str] = set()
        for key, channel in self._registry.of_topic("deribit_price_index").items():
            price, since_ns = self._index_told.get(channel.currency, (0.0, 0))
            is_moved = price != self._exchange.marks.index_usd(channel.currency)
            if is_moved or now_ns - since_ns >= INDEX_NS_MAX:
                self._emit(key, self._index(channel.currency, now_ns))
                told.add(channel.currency)
        for currency in told:
            self._index_told[currency] = (self._exchange.marks.index_usd(currency), now_ns)

    def on_instrument_states(self, changes: list[tuple[int, str]], now_ns: int) -> None:
        for index, state in changes:
            instrument = self._exchange.instruments[index]
            kind = "option" if instrument.kind == "option" else "future"
            body = {
                "timestamp": now_ns // NS_PER_MS,
                "state": state,
                "instrument_name": instrument.name,
            }
            for key, channel in self._registry.of_topic("instrument.state").items():
                if channel.kind in ("any", kind) and channel.currency in (
                    "any", instrument.underlying
                ):  # fmt: skip
                    self._emit(key, body)

    def flush(self, interval: str, now_ns: int) -> None:
        """Sends what changed since the interval's last flush: trades, tickers, then books."""
        for key, trades in self._trades[interval].items():
            self._emit(key, [self._wire(trade) for trade in trades])
        self._trades[interval].clear()
        dirty, stale = self._dirty[interval], self._stale[interval]
        if not dirty and not stale:
            return
        self._dirty[interval], self._stale[interval] = {}, {}
        stale.update(dirty)
        for key, channel in self._wanted("ticker", interval, stale):
            self._emit(key, self._views.ticker(channel.index, now_ns))
        for key, channel in self._wanted("grouped_book", interval, dirty):
            self._emit(key, self._grouped(channel, now_ns))
        self._books_changed(interval, dirty, now_ns)
        for key, channel in self._wanted("perpetual", interval, stale):
            self._emit(key, self._perpetual(channel, now_ns))
        if interval == RAW:
            self._quotes_changed(dirty, now_ns)
        elif interval == FAST:
            for key, channel in self._wanted("incremental_ticker", "", stale):
                self._incremental(channel.index, key, now_ns)

    def _wanted(
        self, topic: str, interval: str, dirty: dict[int, None]
    ) -> Iterator[tuple[Key, Channel]]:
        """Yields the channels of a topic whose instrument has changed."""
        feeds = self._registry.feeds(topic, interval)
        if feeds:
            for index in dirty:
                if index in feeds:
                    yield from feeds[index].items()

    def _emit(self, key: Key, body: Any) -> None:
        data = notice(key[0], body)
        for connection_id in self._registry.listeners(key):
            self._sends.append(Send(connection_id, data))

    def _quotes_changed(self, dirty: dict[int, None], now_ns: int) -> None:
        """Sends best prices where price or amount is another."""
        feeds = self._registry.feeds("quote", "")
        if not feeds:
            return
        for index in dirty:
            keys = feeds.get(index)
            if keys is None:
                continue
            best = self._views.best(index)
            if best == self._quotes.get(index):
                continue
            self._quotes[index] = best
            data = self._quote_notice(index, best, now_ns)
            for key in keys:
                for connection_id in self._registry.listeners(key):
                    self._sends.append(Send(connection_id, data))

    def _quote_notice(self, index: int, best: tuple[int, int, int, int], now_ns: int) -> bytes:
        """Returns what `notice` makes of a quote; written out, for nothing is sent as often."""
        instrument = self._exchange.instruments[index]
        bid, bid_lots, ask, ask_lots = best
        tick, lot = instrument.tick_e8, instrument.lot_e8
        return (
            f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"quote.'
            f'{instrument.name}","data":{{"timestamp":{now_ns // NS_PER_MS},"instrument_name":"'
            f'{instrument.name}","best_bid_price":{bid * tick / E8!r},"best_bid_amount":'
            f'{bid_lots * lot / E8!r},"best_ask_price":{ask * tick / E8!r},"best_ask_amount":'
            f"{ask_lots * lot / E8!r}}}}}}}"
        ).encode()

    def _incremental(self, index: int, key: Key, now_ns: int) -> None:
        body = self._views.ticker(index, now_ns)
        shown = self._tickers.get(key, {})
        changed = {name: value for name, value in body.items() if shown.get(name) != value}
        self._tickers[key] = body
        if len(changed) > 1:  # more than the time
            name = self._exchange.instruments[index].name
            self._emit(key, {"type": "change", "instrument_name": name, **changed})

    def _snapshot(self, channel: Channel, key: Key, now_ns: int) -> dict[str, Any]:
        """Returns the book as the channel's listeners know it; a snapshot has no
        `prev_change_id`."""
        feed = self._books.get(key)
        if feed is None:
            bids, asks, change_id = self._views.levels(channel.index, DEPTH_MAX)
            feed = self._books[key] = BookFeed(dict(bids), dict(asks), change_id)
        instrument = self._exchange.instruments[channel.index]
        return {
            "type": "snapshot",
            "timestamp": now_ns // NS_PER_MS,
            "instrument_name": instrument.name,
            "change_id": feed.change_id,
            "bids": [["new", *_level(instrument, item)] for item in feed.bids.items()],
            "asks": [["new", *_level(instrument, item)] for item in feed.asks.items()],
        }

    def _books_changed(self, interval: str, dirty: dict[int, None], now_ns: int) -> None:
        """Sends the changes of all books that are wanted, read in one go."""
        feeds = self._registry.feeds("book", interval)
        changed = [index for index in dirty if index in feeds]
        if changed:
            books = self._views.books(changed, DEPTH_MAX)
            for index, depth in zip(changed, books, strict=True):
                for key in feeds[index]:
                    self._changes(index, key, depth, now_ns)

    def _changes(self, index: int, key: Key, depth: Depth, now_ns: int) -> None:
        feed = self._books.get(key)
        bids, asks, change_id = depth
        if feed is None or change_id == feed.change_id:
            return
        instrument = self._exchange.instruments[index]
        new_bids, new_asks = dict(bids), dict(asks)
        body = {
            "type": "change",
            "timestamp": now_ns // NS_PER_MS,
            "prev_change_id": feed.change_id,
            "instrument_name": instrument.name,
            "change_id": change_id,
            "bids": _difference(instrument, feed.bids, new_bids),
            "asks": _difference(instrument, feed.asks, new_asks),
        }
        if not body["bids"] and not body["asks"]:
            return  # what changed has changed back
        feed.bids, feed.asks, feed.change_id = new_bids, new_asks, change_id
        self._emit(key, body)

    def _grouped(self, channel: Channel, now_ns: int) -> dict[str, Any]:
        instrument = self._exchange.instruments[channel.index]
        width = 1 if channel.group == "none" else int(channel.group)
        depth = channel.depth if width == 1 else DEPTH_MAX
        bids, asks, change_id = self._views.levels(channel.index, depth)
        if width > 1:
            bids = _grouped(bids, width, -1)
            asks = _grouped(asks, width, 1)
        return {
            "timestamp": now_ns // NS_PER_MS,
            "instrument_name": instrument.name,
            "change_id": change_id,
            "bids": [_level(instrument, item) for item in bids[: channel.depth]],
            "asks": [_level(instrument, item) for item in asks[: channel.depth]],
        }

    def _perpetual(self, channel: Channel, now_ns: int) -> dict[str, Any]:
        currency = self._exchange.instruments[channel.index].underlying
        price = self._exchange.marks.index_usd(currency)
        return {"timestamp": now_ns // NS_PER_MS, "interest": 0.0, "index_price": price}

    def _index(self, currency: str, now_ns: int) -> dict[str, Any]:
        return {
            "timestamp": now_ns // NS_PER_MS,
            "price": self._exchange.marks.index_usd(currency),
            "index_name": f"{currency.lower()}_usd",
        }

    def _volatility(self, currency: str, now_ns: int) -> dict[str, Any]:
        return {
            "timestamp": now_ns // NS_PER_MS,
            "volatility": self._exchange.marks.volatility_index(currency, now_ns),
            "index_name": f"{currency.lower()}_usd",
        }

    def _expiration(self, currency: str, now_ns: int) -> dict[str, Any]:
        left_ns = next_settlement_ns(now_ns) - now_ns
        return {
            "seconds": left_ns // NS_PER_S,
            "price": self._exchange.marks.index_usd(currency),
            "is_estimated": left_ns > TWAP_NS,
        }

    def _chart(self, trades: list[Trade], now_ns: int) -> None:
        traded = dict.fromkeys(trade.index for trade in trades)
        for index in traded:
            for key, channel in self._registry.feeds("chart.trades", "").get(index, {}).items():
                bar = self._exchange.candles.latest(index, now_ns // NS_PER_MS, channel.resolution)
                if bar is None:
                    continue
                body = {
                    "tick": bar.tick_ms, "open": bar.open, "high": bar.high, "low": bar.low,
                    "close": bar.close, "volume": round(bar.volume, 8),
                    "cost": round(bar.cost, 8),
                }  # fmt: skip
                self._emit(key, body)

    def _options(self, currency: str) -> list[int]:
        return [
            index
            for index, instrument in enumerate(self._exchange.instruments)
            if instrument.kind == "option"
            and instrument.underlying == currency
            and self._exchange.states[index] == "open"
        ]

    def _trade_channels(self, instrument: Instrument, interval: str) -> tuple[str, ...]:
        kind = "option" if instrument.kind == "option" else "future"
        currency = instrument.underlying
        shared = self._names.get((kind, currency, interval))
        if shared is None:
            shared = self._names[kind, currency, interval] = (
                f"trades.{kind}.{currency}.{interval}",
                f"trades.any.{currency}.{interval}",
                f"trades.{kind}.any.{interval}",
                f"trades.any.any.{interval}",
            )
        return (f"trades.{instrument.name}.{interval}", *shared)

    def _wire(self, trade: Trade) -> dict[str, Any]:
        return trade.wire(self._exchange.instruments[trade.index])


def _level(instrument: Instrument, item: tuple[int, int]) -> list[float]:
    ticks, lots = item
    return [price_from_ticks(instrument, ticks), amount_from_lots(instrument, lots)]


def _difference(
    instrument: Instrument, old: dict[int, int], new: dict[int, int]
) -> list[list[str | float]]:
    """Returns the levels that appeared, changed or went away; never a delete of an unknown one."""
    if old == new:
        return []
    changes: list[list[str | float]] = []
    for ticks, lots in new.items():
        known = old.get(ticks)
        if known != lots:
            word = "change" if known is not None else "new"
            changes.append([word, *_level(instrument, (ticks, lots))])
    changes.extend(
        ["delete", price_from_ticks(instrument, ticks), 0.0] for ticks in old if ticks not in new
    )
    return changes


def _grouped(levels: Levels, width: int, direction: int) -> Levels:
    """Joins levels into groups of `width` ticks, rounded away from the other side."""
    joined: dict[int, int] = defaultdict(int)
    for ticks, lots in levels:
        edge = ticks - ticks % width if direction < 0 else ticks + -ticks % width
        joined[edge] += lots
    return list(joined.items())
