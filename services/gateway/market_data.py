"""Newest prices per instrument, conflated into batches of ticks.

`quote.*` is the hot path: thousands a second arrive, so a quote that changes nothing costs little
and nothing is built before the batch is due. Marks of all options change every second: one that
moves less than a reader could care about goes with the rolling refresh.
"""

from typing import Any

from services.gateway.books import Book, lots_of, ticks_on_grid
from services.gateway.readings import STAMP_MS_MAX, stamp_ns
from shared.clock import NS_PER_MS
from shared.messages.market import Instrument, Tick, TicksV1
from shared.units import E8

BATCH_MAX = 1024  # of TicksV1
MARK_MAX = 1e9
VOL_MAX = 50.0
MARK_STEP_TICKS = 0.25  # of an option's mark, below which it waits for the refresh
MARK_STEP_VOL = 0.001


class Market:
    """One instrument as last seen. Options take quotes, futures a book."""

    __slots__ = (
        "_amount_scale",
        "_feed",
        "_price_scale",
        "ask_lots",
        "ask_ticks",
        "bid_lots",
        "bid_ticks",
        "book",
        "has_prices",
        "instrument",
        "is_dirty",
        "is_open",
        "mark_price",
        "mark_vol",
        "sent_mark_price",
        "sent_mark_vol",
        "sent_ns",
        "venue_ns",
    )

    def __init__(self, instrument: Instrument, feed: "UnderlyingFeed", *, is_open: bool) -> None:
        self.instrument = instrument
        self._feed = feed
        self._price_scale = E8 / instrument.tick_e8
        self._amount_scale = E8 / instrument.lot_e8
        is_option = instrument.kind == "option"
        self.book = None if is_option else Book(self._price_scale, self._amount_scale)
        self.is_open = is_open
        self.has_prices = False  # since the link came up
        self.is_dirty = False
        self.bid_ticks = self.bid_lots = self.ask_ticks = self.ask_lots = 0
        self.mark_price = self.mark_vol = 0.0
        self.sent_mark_price = self.sent_mark_vol = 0.0
        self.sent_ns = 0
        self.venue_ns = 0

    @property
    def is_live(self) -> bool:
        return self.is_open and self.has_prices

    def on_quote(self, data: dict[str, Any], _now_ns: int) -> tuple[()]:
        """Takes best prices. Raises ValueError or its like on nonsense, leaving all as it was."""
        timestamp = data["timestamp"]
        if type(timestamp) is not int or not 0 < timestamp < STAMP_MS_MAX:
            raise ValueError("time")
        venue_ns = timestamp * NS_PER_MS
        if venue_ns < self.venue_ns and self.has_prices:
            return ()  # overtaken
        bid_ticks = bid_lots = ask_ticks = ask_lots = 0
        amount = data["best_bid_amount"]
        if amount:
            bid_lots = lots_of(amount, self._amount_scale)
            bid_ticks = ticks_on_grid(data["best_bid_price"], self._price_scale)
        amount = data["best_ask_amount"]
        if amount:
            ask_lots = lots_of(amount, self._amount_scale)
            ask_ticks = ticks_on_grid(data["best_ask_price"], self._price_scale)
        if bid_ticks >= ask_ticks > 0 and bid_lots:
            raise ValueError("crossed")
        self.venue_ns = venue_ns
        if (
            bid_ticks != self.bid_ticks
            or ask_ticks != self.ask_ticks
            or bid_lots != self.bid_lots
            or ask_lots != self.ask_lots
            or not self.has_prices
        ):
            self.bid_ticks, self.bid_lots = bid_ticks, bid_lots
            self.ask_ticks, self.ask_lots = ask_ticks, ask_lots
            self.has_prices = True
            if not self.is_dirty:
                self.is_dirty = True
                self._feed.dirty.append(self)
        return ()

    def on_book(self, data: dict[str, Any]) -> None:
        """Takes a book change. Raises BookGapError where one is missing."""
        book = self.book
        assert book is not None
        try:
            is_used = book.apply(data)
        finally:
            if not book.is_synced and self.has_prices:
                self.has_prices = False
                self.changed()
        if is_used:
            self.venue_ns = stamp_ns(data["timestamp"])
            self.bid_ticks, self.bid_lots = book.bid_ticks, book.bid_lots
            self.ask_ticks, self.ask_lots = book.ask_ticks, book.ask_lots
            self.has_prices = True
            self.changed()

    def on_ticker(self, data: dict[str, Any], _now_ns: int) -> tuple[()]:
        """Takes a future's mark and whether it trades."""
        mark_price = data["mark_price"]
        if not 0.0 <= mark_price <= MARK_MAX:
            raise ValueError("mark")
        is_open = data["state"] == "open"
        if mark_price != self.mark_price or is_open != self.is_open:
            self.mark_price = float(mark_price)
            self.is_open = is_open
            self.changed()
        return ()

    def on_mark(self, mark_price: float, mark_vol: float) -> None:
        if not (0.0 <= mark_price <= MARK_MAX and 0.0 <= mark_vol <= VOL_MAX):
            raise ValueError("mark")
        self.mark_price = float(mark_price)
        self.mark_vol = float(mark_vol)
        moved = abs(mark_price - self.sent_mark_price) * self._price_scale
        if moved > MARK_STEP_TICKS or abs(mark_vol - self.sent_mark_vol) > MARK_STEP_VOL:
            self.changed()

    def close(self) -> None:
        """The instrument trades no more."""
        if self.is_open:
            self.is_open = False
            self.changed()

    def reopen(self) -> None:
        """The venue lists it as open (again)."""
        if not self.is_open:
            self.is_open = True
            self.changed()

    def lost(self) -> None:
        """The link is down: what is known is old."""
        self.has_prices = False
        if self.book is not None:
            self.book.reset()
        self.changed()

    def changed(self) -> None:
        if not self.is_dirty:
            self.is_dirty = True
            self._feed.dirty.append(self)

    def take_tick(self, now_ns: int) -> Tick:
        """Returns the tick to send now."""
        self.is_dirty = False
        self.sent_ns = now_ns
        self.sent_mark_price = self.mark_price
        self.sent_mark_vol = self.mark_vol
        return Tick(
            self.instrument.name,
            self.bid_ticks,
            self.bid_lots,
            self.ask_ticks,
            self.ask_lots,
            self.mark_price,
            self.mark_vol,
            self.venue_ns,
            self.is_open and self.has_prices,
        )


class UnderlyingFeed:
    """All markets of one underlying, and what of them is due to be published."""

    def __init__(self, underlying: str) -> None:
        self.underlying = underlying
        self.index_usd = 0.0
        self.dirty: list[Market] = []
        self.markets: dict[str, Market] = {}
        self._index_ns = 0
        self._is_index_dirty = False
        self._sequence = 0
        self._rolling: list[Market] = []  # what the current full refresh has still to send
        self._expiries_ns: list[int] = []

    def add(self, instrument: Instrument, *, is_open: bool) -> Market:
        market = self.markets[instrument.name] = Market(instrument, self, is_open=is_open)
        if instrument.expiry_ns and instrument.expiry_ns not in self._expiries_ns:
            self._expiries_ns = sorted([*self._expiries_ns, instrument.expiry_ns])
        return market

    def remove(self, name: str) -> None:
        market = self.markets.pop(name, None)
        if market is not None:
            market.close()  # its last tick says so
            market.changed()

    def on_index(self, data: dict[str, Any], _now_ns: int) -> tuple[()]:
        price = data["price"]
        if not 0.0 < price <= MARK_MAX:
            raise ValueError("index")
        self._index_ns = stamp_ns(data["timestamp"])
        if price != self.index_usd:
            self.index_usd = float(price)
            self._is_index_dirty = True
        return ()

    def on_marks(self, data: list[dict[str, Any]], _now_ns: int) -> tuple[()]:
        """Takes the marks of all options; `iv` is a ratio."""
        markets = self.markets
        bad_count = 0
        for row in data:
            try:
                market = markets.get(row["instrument_name"])
                if market is not None:
                    market.on_mark(row["mark_price"], row["iv"])
            except (KeyError, TypeError, ValueError, OverflowError):
                bad_count += 1
        if bad_count:
            raise ValueError(f"{bad_count} marks were unreadable")
        return ()

    def lost(self) -> None:
        for market in self.markets.values():
            market.lost()

    def flush(self, now_ns: int, interval_ns: int, cycle_ns: int) -> list[TicksV1]:
        """Returns the batches due now: what has changed, and what was long not sent.

        Called every `interval_ns`, it looks at every market once a cycle, and sends those that
        were not sent for a cycle: so all at least every two cycles.
        """
        if not self.index_usd:
            return []
        if self._expiries_ns and now_ns >= self._expiries_ns[0]:
            self._expire(now_ns)
        self._roll(now_ns, interval_ns, cycle_ns)
        if not self.dirty and not self._is_index_dirty:
            return []
        ticks = [market.take_tick(now_ns) for market in self.dirty]
        self.dirty.clear()
        self._is_index_dirty = False
        batches = []
        for start in range(0, max(len(ticks), 1), BATCH_MAX):
            self._sequence += 1
            batches.append(
                TicksV1(
                    created_ns=now_ns,
                    underlying=self.underlying,
                    sequence=self._sequence,
                    index_usd=self.index_usd,
                    index_ns=self._index_ns,
                    ticks=tuple(ticks[start : start + BATCH_MAX]),
                )
            )
        return batches

    def _roll(self, now_ns: int, interval_ns: int, cycle_ns: int) -> None:
        """Looks at the next slice of all markets, for those that were not sent for long."""
        if not self._rolling:
            self._rolling = list(self.markets.values())
        count = -(-len(self.markets) * interval_ns // cycle_ns)
        oldest_ns = now_ns - cycle_ns - interval_ns
        for market in self._rolling[-count:]:
            if market.sent_ns <= oldest_ns and market.instrument.name in self.markets:
                market.changed()
        del self._rolling[-count:]

    def _expire(self, now_ns: int) -> None:
        self._expiries_ns = [expiry_ns for expiry_ns in self._expiries_ns if expiry_ns > now_ns]
        for market in self.markets.values():
            if 0 < market.instrument.expiry_ns <= now_ns:
                market.close()
