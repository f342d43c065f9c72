"""The desk's feed in C (hr_feed.h) behind a plain face, as a loop would drive it."""

from typing import Any

import numpy as np

from native.library import check, ffi, lib
from shared.messages.market import Instrument
from shared.units import E8

EVENTS_MAX = 4_608
EVENT_INDEX = 2
DEPTH_MAX = 64
INDEXES = (b"btc_usd", b"eth_usd")
Sides = tuple[list[tuple[int, int]], list[tuple[int, int]]]


class FeedReader:
    """Knows a chain's instruments and both indices."""

    def __init__(self, instruments: list[Instrument]) -> None:
        size = lib.hr_feed_size()
        self._memory = np.zeros(size + 64, dtype=np.uint8)
        start = self._memory.ctypes.data + -self._memory.ctypes.data % 64
        feed_out = ffi.new("hr_feed **")
        check(lib.hr_feed_init(ffi.cast("void *", start), size, feed_out))
        self._feed = feed_out[0]
        self._events = ffi.new("hr_feed_event[]", EVENTS_MAX)
        self._count = ffi.new("int64_t *")
        self._book = ffi.new("hr_feed_book *")
        row = ffi.new("hr_feed_instrument *")
        for handle, instrument in enumerate(instruments):
            row.tick, row.lot = instrument.tick_e8 / E8, instrument.lot_e8 / E8
            row.instrument_id, row.handle = instrument.instrument_id, handle
            check(lib.hr_feed_add(self._feed, row))
        for handle, name in enumerate(INDEXES):
            check(lib.hr_feed_add_index(self._feed, name, handle))
        self.index_usd: dict[bytes, float] = {}

    def on_packet(self, data: bytes, *, is_snapshot: bool, now_ns: int) -> None:
        check(
            lib.hr_feed_on_packet(
                self._feed, int(is_snapshot), data, len(data), now_ns,
                self._events, EVENTS_MAX, self._count,
            )
        )  # fmt: skip
        for at in range(self._count[0]):
            event = self._events[at]
            if event.kind == EVENT_INDEX:
                self.index_usd[INDEXES[event.handle]] = event.price

    def book(self, instrument_id: int) -> Sides | None:
        """Returns ticks and lots of bids and asks, best first; None while it is stale."""
        if not lib.hr_feed_is_fresh(self._feed, instrument_id):
            return None
        check(lib.hr_feed_book_get(self._feed, instrument_id, self._book))
        book = self._book
        return (
            [(level.price_ticks, level.lots) for level in book.bids[0 : book.bid_count]],
            [(level.price_ticks, level.lots) for level in book.asks[0 : book.ask_count]],
        )

    def judge(self, instruments: list[Instrument], books: list[Any]) -> tuple[int, list[str]]:
        """Returns how many books are stale, and the names of those that are wrong: never any."""
        stale, wrong = 0, []
        for instrument, (bids, asks, _) in zip(instruments, books, strict=True):
            held = self.book(instrument.instrument_id)
            if held is None:
                stale += 1
            elif held != (bids[:DEPTH_MAX], asks[:DEPTH_MAX]):
                wrong.append(instrument.name)
        return stale, wrong

    def counters(self) -> dict[str, int]:
        found = ffi.new("hr_feed_counters *")
        check(lib.hr_feed_counters_get(self._feed, found))
        return {name: getattr(found, name) for name, _ in ffi.typeof(found[0]).fields}
