"""The feed as a test holds it: the built module's, or compiled with a fault planted."""

import subprocess
from pathlib import Path

from cffi import FFI

from native.build_ffi import declarations
from native.library import ffi, lib

NATIVE = Path(__file__).resolve().parents[2] / "native"
EVENTS, SNAPSHOTS = 0, 1
TOP, INDEX, TICKER, STALE, HEALED, DEFINED = range(1, 7)
CAPACITY = 4608


class Feed:
    def __init__(self, native=None) -> None:
        self.ffi, self.lib = native or (ffi, lib)
        size = self.lib.hr_feed_size()
        self._memory = self.ffi.new("char[]", size + 64)
        start = int(self.ffi.cast("uintptr_t", self._memory))
        out = self.ffi.new("hr_feed **")
        block = self.ffi.cast("void *", start + -start % 64)
        assert self.lib.hr_feed_init(block, size, out) == 0
        self.feed = out[0]
        self.events = self.ffi.new("hr_feed_event[]", CAPACITY)
        self.count = self.ffi.new("int64_t *")
        self._book = self.ffi.new("hr_feed_book *")

    def add(self, instrument_id, tick, lot, handle=0) -> None:
        row = self.ffi.new("hr_feed_instrument *", (tick, lot, instrument_id, handle))
        assert self.lib.hr_feed_add(self.feed, row) == 0

    def take(self, kind, packet, now_ns=0):
        """Returns the status; the events are in `events[:count[0]]`."""
        return self.lib.hr_feed_on_packet(
            self.feed, kind, packet, len(packet), now_ns, self.events, CAPACITY, self.count
        )

    def told(self, *kinds):
        return [
            self.events[at]
            for at in range(self.count[0])
            if not kinds or self.events[at].kind in kinds
        ]

    def is_fresh(self, instrument_id) -> bool:
        return bool(self.lib.hr_feed_is_fresh(self.feed, instrument_id))

    def book(self, instrument_id):
        """Returns (change id, bids, asks), sides as (ticks, lots) best first."""
        self.lib.hr_feed_book_get(self.feed, instrument_id, self._book)
        book = self._book
        bids = [(book.bids[at].price_ticks, book.bids[at].lots) for at in range(book.bid_count)]
        asks = [(book.asks[at].price_ticks, book.asks[at].lots) for at in range(book.ask_count)]
        return book.change_id, bids, asks

    def counters(self):
        row = self.ffi.new("hr_feed_counters *")
        assert self.lib.hr_feed_counters_get(self.feed, row) == 0
        return {name: getattr(row, name) for name, _ in self.ffi.typeof(row).item.fields}


def with_fault(folder: Path, file: str, right: str, wrong: str):
    """Compiles the feed with `right` replaced by `wrong`; returns its (ffi, lib)."""
    sources = []
    for path in sorted((NATIVE / "src").glob("hr_[fs][eb]e*.c")):
        text = path.read_text(encoding="utf-8")
        if path.name == file:
            assert text.count(right) == 1, f"{file} has changed: {right}"
            text = text.replace(right, wrong)
        sources.append(folder / path.name)
        sources[-1].write_text(text, encoding="utf-8")
    assert any(source.name == file for source in sources)
    built = folder / "faulty.so"
    includes = [f"-I{NATIVE / 'include'}", f"-I{NATIVE / 'src'}"]
    subprocess.run(
        ["gcc", "-std=c11", "-O1", "-shared", "-fPIC", *includes, *sources, "-o", built, "-lm"],
        check=True,
    )
    own = FFI()
    for header in ("hedgerow.h", "hr_sbe.h", "hr_feed.h"):
        own.cdef(declarations((NATIVE / "include" / header).read_text(encoding="utf-8")))
    return own, own.dlopen(str(built))
