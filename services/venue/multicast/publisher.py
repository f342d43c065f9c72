"""Market data as datagrams: what changed goes out at once, index first, and all of it again in
turn on the snapshot channels.

On a fill an instrument's trades, ticker and book stand in one packet, in this order. Change ids are
those of the raw book channels. Every open instrument's ticker comes once a second, its definition,
ticker and book once in a cycle of snapshots; both are spread evenly, so that every channel says
something at every step.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from services.venue.matching.exchange import Exchange, News
from services.venue.matching.history import Trade
from services.venue.multicast import layouts
from services.venue.multicast.books import Books
from services.venue.multicast.channels import PRICE_INDEX, SNAPSHOTS, channel_of, channels
from services.venue.multicast.definitions import definitions
from services.venue.multicast.layouts import GROUP, HEAD, NULL, TRADE, TRADES_BLOCK
from services.venue.multicast.packets import MESSAGE_BYTES_MAX, Packets
from services.venue.multicast.rotation import Rotation
from services.venue.multicast.tickers import Tickers
from services.venue.outputs import Datagram
from services.venue.rpc.views import Views
from shared.clock import NS_PER_MS, NS_PER_S

Ints = NDArray[np.int64]
TRADES_MAX = (MESSAGE_BYTES_MAX - HEAD.size - TRADES_BLOCK.size - GROUP.size) // TRADE.size
INDEX_REPEAT_NS = 50 * NS_PER_MS  # it has no snapshots: it is said again when it stands still
TICKER_CYCLE_NS = NS_PER_S
START = layouts.message(layouts.SNAPSHOT_START, layouts.START_BLOCK.pack(0))
END = layouts.message(layouts.SNAPSHOT_END, b"")


class Publisher:
    """Built only where somebody listens. Yields nothing by itself: the venue asks it."""

    def __init__(
        self, exchange: Exchange, views: Views, snapshot_cycle_ms: int, now_ns: int
    ) -> None:
        self._exchange = exchange
        self._books = Books(exchange.book, exchange.instruments)
        self._tickers = Tickers(exchange, views)
        self._index_packets = Packets(PRICE_INDEX)
        self._index_usd: dict[str, tuple[float, int]] = {}  # as last said, and when
        numbers = [channel.number for channel in channels(exchange.currencies)]
        self._events = {number: Packets(number) for number in numbers}
        self._snapshots = {number: Packets(number + SNAPSHOTS) for number in numbers}
        none: Ints = np.zeros(0, dtype=np.int64)
        self._tickers_due = {number: Rotation(none, TICKER_CYCLE_NS, now_ns) for number in numbers}
        self._snapshots_due = Rotation(none, snapshot_cycle_ms * NS_PER_MS, now_ns)
        self._in_snapshots_of = -1  # the channel whose snapshots have started
        self._definitions: list[list[bytes]] = []
        self._lay_out(0)
        self._is_new = True

    def relist(self, at_ns: int) -> None:
        """Takes the instruments that have been listed; what had expired by then is told of no more,
        but for what expired just now."""
        self._books.relist()
        self._tickers.relist()
        self._lay_out(at_ns)

    def _lay_out(self, gone_ns: int) -> None:
        """Says on which channel and in which order instruments come."""
        exchange = self._exchange
        numbers = list(self._tickers_due)
        of = np.array([channel_of(instrument) for instrument in exchange.instruments])
        is_told = np.array([not 0 < i.expiry_ns < gone_ns for i in exchange.instruments])
        self._channel: list[int] = of.tolist()
        for number, rotation in self._tickers_due.items():
            rotation.replace(np.flatnonzero((of == number) & is_told))
        rank = np.array([numbers.index(number) for number in self._channel])
        cycle = np.argsort(rank, kind="stable")
        self._order: Ints = np.argsort(cycle)  # (instrument,)
        told = cycle[is_told[cycle]]
        self._first_in_cycle = int(told[0])
        self._snapshots_due.replace(told)
        for index in range(len(self._definitions), len(of)):
            self._definitions.append([])
            self._define(index)

    def on_changes(self, dirty: NDArray[np.int32], news: News, now_ns: int) -> list[Datagram]:
        """Returns what has happened since the last call; `dirty` books may have changed."""
        out = self._index(now_ns)
        self._tickers.refresh()
        if self._is_new:
            self._is_new = False
            dirty = np.arange(len(self._channel), dtype=np.int32)
        if not len(dirty) and not news.trades and not news.instrument_states:
            return out
        units: dict[int, list[bytes]] = {}
        for index in dict.fromkeys(index for index, _ in news.instrument_states):
            self._define(index)
            units.setdefault(index, []).extend(self._definitions[index])
        self._tickers.refresh()
        self._trades(news.trades, units)
        now_ms = now_ns // NS_PER_MS
        at = dirty.astype(np.int64)
        books = self._books.changes(at, now_ms)
        told = np.union1d(self._tickers.newly_best(at), np.array(list(units), dtype=np.int64))
        for index, ticker in zip(told.tolist(), self._tickers.messages(told, now_ms), strict=True):
            units.setdefault(index, []).append(ticker)
        for index, messages in books.items():
            units.setdefault(index, []).extend(messages)
        for index in sorted(units, key=self._order.__getitem__):
            self._events[self._channel[index]].add_together(units[index])
        out.extend(_taken(self._events))
        return out

    def on_time(self, now_ns: int) -> list[Datagram]:
        """Returns the tickers and snapshots whose turn it is."""
        out = self._index(now_ns)
        self._tickers.refresh()
        now_ms = now_ns // NS_PER_MS
        for number, rotation in self._tickers_due.items():
            due = rotation.take(now_ns)
            if len(due):
                self._events[number].add(self._tickers.messages(due, now_ms))
        out.extend(_taken(self._events))
        due = self._snapshots_due.take(now_ns)
        if len(due):
            self._snapshot(due, now_ms)
            out.extend(_taken(self._snapshots))
        return out

    def _index(self, now_ns: int) -> list[Datagram]:
        """Returns the price indices that are new, or were not said for a while."""
        for currency in self._exchange.currencies:
            price = self._exchange.marks.index_usd(currency)
            said, at_ns = self._index_usd.get(currency, (0.0, 0))
            if price == said and now_ns - at_ns < INDEX_REPEAT_NS:
                continue
            self._index_usd[currency] = (price, now_ns)
            self._tickers.on_index(currency, price)
            name = f"{currency.lower()}_usd".encode("ascii")
            block = layouts.PRICE_INDEX_BLOCK.pack(name, price, now_ns // NS_PER_MS)
            self._index_packets.add([layouts.message(layouts.PRICE_INDEX, block)])
        return self._index_packets.take()

    def _define(self, index: int) -> None:
        exchange = self._exchange
        self._definitions[index] = definitions(
            exchange.instruments[index], exchange.created_ns[index], exchange.states[index]
        )
        self._tickers.on_states()

    def _trades(self, trades: list[Trade], units: dict[int, list[bytes]]) -> None:
        """Adds the trades of each instrument in as few messages as hold them."""
        of: dict[int, list[Trade]] = {}
        for trade in trades:
            of.setdefault(trade.index, []).append(trade)
        for index, mine in of.items():
            self._tickers.on_trade(index)
            for first in range(0, len(mine), TRADES_MAX):
                part = mine[first : first + TRADES_MAX]
                units.setdefault(index, []).append(self._trade_message(index, part))

    def _trade_message(self, index: int, trades: list[Trade]) -> bytes:
        instrument = self._exchange.instruments[index]
        entries = []
        for trade in trades:
            shown = trade.wire(instrument)
            entries.append(
                (
                    trade.side, shown["price"], shown["amount"], shown["timestamp"],
                    shown["mark_price"], shown["index_price"], trade.sequence, trade.number,
                    trade.tick_direction, 0, shown.get("iv", NULL), 0, 0,
                )
            )  # fmt: skip
        block = TRADES_BLOCK.pack(instrument.instrument_id)
        return layouts.message(layouts.TRADES, block, groups=1) + layouts.group(TRADE, entries)

    def _snapshot(self, indices: Ints, now_ms: int) -> None:
        """Adds snapshots, with the marks where those of a channel begin and end."""
        tickers = self._tickers.messages(indices, now_ms)
        books = self._books.snapshots(indices, now_ms)
        for index, ticker, book in zip(indices.tolist(), tickers, books, strict=True):
            number = self._channel[index]
            if number != self._in_snapshots_of or index == self._first_in_cycle:
                if self._in_snapshots_of in self._snapshots:
                    self._snapshots[self._in_snapshots_of].add([END])
                self._snapshots[number].add([START])
                self._in_snapshots_of = number
            self._snapshots[number].add([*self._definitions[index], ticker, *book])


def _taken(packets: dict[int, Packets]) -> Iterable[Datagram]:
    for channel in packets.values():
        yield from channel.take()
