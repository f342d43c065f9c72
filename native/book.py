"""The matching book: many instruments, price-time priority, one block of memory (hr_book.h)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from native.library import check, ffi, lib

BUY: Final = 0
SELL: Final = 1
GTC: Final = 0
IOC: Final = 1
FOK: Final = 2
ANY: Final = -1  # a filter that takes all
NO_GROUP: Final = -1  # the group of an order that is no quote
TRADE: Final = 1
SELF_CANCEL: Final = 2
UNTOUCHED_LOTS: Final = -1  # in a quote: leave this side alone

# Statuses that a caller answers rather than crashes on; refusals raise NativeError with them.
ERR_FULL: Final = -5
ERR_NOT_FOUND: Final = -6
ERR_WOULD_CROSS: Final = -9
ERR_NOT_FILLABLE: Final = -10

EVENT = np.dtype(
    [
        ("sequence", "<i8"),
        ("maker_order_id", "<i8"),
        ("taker_order_id", "<i8"),
        ("price_ticks", "<i8"),
        ("lots", "<i8"),
        ("maker_remaining_lots", "<i8"),
        ("taker_remaining_lots", "<i8"),
        ("kind", "<i4"),
        ("instrument", "<i4"),
        ("taker_side", "<i4"),
        ("maker_owner", "<i4"),
        ("taker_owner", "<i4"),
        ("maker_group", "<i4"),
        ("taker_group", "<i4"),
        ("reserved", "<i4"),
    ]
)
QUOTE = np.dtype(
    [
        ("bid_ticks", "<i8"),
        ("bid_lots", "<i8"),
        ("ask_ticks", "<i8"),
        ("ask_lots", "<i8"),
        ("instrument", "<i4"),
        ("reserved", "<i4"),
    ]
)
QUOTE_RESULT = np.dtype(
    [
        ("bid_order_id", "<i8"),
        ("ask_order_id", "<i8"),
        ("bid_status", "<i4"),
        ("ask_status", "<i4"),
    ]
)
ORDER = np.dtype(
    [
        ("order_id", "<i8"),
        ("price_ticks", "<i8"),
        ("lots", "<i8"),
        ("instrument", "<i4"),
        ("owner", "<i4"),
        ("side", "<i4"),
        ("group", "<i4"),
    ]
)
LEVEL = np.dtype([("price_ticks", "<i8"), ("lots", "<i8")])

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]
Records = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order: `order_id` is positive even when nothing rests."""

    order_id: int
    filled_lots: int
    resting_lots: int


@dataclass(frozen=True, slots=True)
class Order:
    order_id: int
    price_ticks: int
    lots: int
    instrument: int
    owner: int
    side: int
    group: int


@dataclass(frozen=True, slots=True)
class Best:
    """Best prices of all instruments; an empty side has lots 0."""

    bid_ticks: Int64s
    bid_lots: Int64s
    ask_ticks: Int64s
    ask_lots: Int64s


class Book:
    """Many instruments, one block of memory, fixed capacities.

    Every method refuses with NativeError and changes nothing then, but for a refused quote, which
    leaves no quote.
    """

    def __init__(
        self,
        instrument_max: int,
        order_max: int,
        owner_max: int,
        group_max: int,
        event_max: int = 65_536,
    ) -> None:
        self.instrument_max = instrument_max
        params = ffi.new("hr_book_params *")
        params.instrument_max = instrument_max
        params.order_max = order_max
        params.owner_max = owner_max
        params.group_max = group_max
        params.event_max = event_max
        size_bytes = lib.hr_book_size(params)
        memory = np.zeros(size_bytes + 64, dtype=np.uint8)
        start = -memory.ctypes.data % 64
        self._memory = memory  # the book points into it
        book_out = ffi.new("hr_book **")
        block = ffi.cast("void *", memory.ctypes.data + start)
        check(lib.hr_book_init(block, size_bytes, params, book_out))
        self._book = book_out[0]
        self._request = ffi.new("hr_book_request *")
        self._result = ffi.new("hr_book_result *")
        self._order = ffi.new("hr_book_order *")
        self._count = ffi.new("int64_t *")
        self._events = np.zeros(4096, dtype=EVENT)
        self._dirty = np.zeros(instrument_max, dtype=np.int32)
        self._orders = np.zeros(order_max, dtype=ORDER)
        self._best: Best | None = None
        self._best_sequence = -1
        self._best_rows = -1

    def submit(
        self,
        instrument: int,
        owner: int,
        side: int,
        price_ticks: int,
        lots: int,
        time_in_force: int = GTC,
        *,
        post_only: bool = False,
    ) -> Outcome:
        """Matches an order; raises with ERR_WOULD_CROSS, ERR_NOT_FILLABLE or ERR_FULL."""
        request = self._request
        request.instrument = instrument
        request.owner = owner
        request.side = side
        request.price_ticks = price_ticks
        request.lots = lots
        request.time_in_force = time_in_force
        request.post_only = post_only
        check(lib.hr_book_submit(self._book, request, self._result))
        return self._outcome()

    def amend(
        self, order_id: int, price_ticks: int, lots: int, *, post_only: bool = False
    ) -> Outcome:
        """Sets price and remaining lots; same price and not more lots keeps its place."""
        check(lib.hr_book_amend(self._book, order_id, price_ticks, lots, post_only, self._result))
        return self._outcome()

    def cancel(self, order_id: int) -> Order:
        """Returns the order as it was; raises with ERR_NOT_FOUND."""
        check(lib.hr_book_cancel(self._book, order_id, self._order))
        return self._order_found()

    def cancel_owner(self, owner: int, instrument: int = ANY, group: int = ANY) -> Records:
        """Cancels an owner's orders, all or of one instrument and quote group; returns them."""
        check(
            lib.hr_book_cancel_owner(
                self._book,
                owner,
                instrument,
                group,
                ffi.from_buffer("hr_book_order[]", self._orders),
                len(self._orders),
                self._count,
            )
        )
        return self._orders[: self._count[0]].copy()

    def quote_batch(
        self, owner: int, group: int, quotes: Records, *, post_only: bool = True
    ) -> Records:
        """Replaces the two-sided quotes of a group (QUOTE rows); returns QUOTE_RESULT rows."""
        assert quotes.dtype == QUOTE
        rows = np.ascontiguousarray(quotes)
        results = np.empty(len(rows), dtype=QUOTE_RESULT)
        check(
            lib.hr_book_quote_batch(
                self._book,
                owner,
                group,
                post_only,
                ffi.from_buffer("hr_book_quote[]", rows),
                len(rows),
                ffi.from_buffer("hr_book_quote_result[]", results, require_writable=True),
            )
        )
        return results

    def drain_events(self) -> Records:
        """Returns the EVENT rows since the last drain, oldest first."""
        parts: list[Records] = []
        while True:
            check(
                lib.hr_book_drain_events(
                    self._book,
                    ffi.from_buffer("hr_book_event[]", self._events),
                    len(self._events),
                    self._count,
                )
            )
            count = self._count[0]
            if count or not parts:
                parts.append(self._events[:count].copy())
            if count < len(self._events):
                return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def drain_dirty(self) -> Int32s:
        """Returns the instruments that changed since the last drain, in order of first change."""
        check(
            lib.hr_book_drain_dirty(
                self._book, ffi.from_buffer("int32_t[]", self._dirty), self._count
            )
        )
        return self._dirty[: self._count[0]].copy()

    def best(self, count: int | None = None) -> Best:
        """Returns the best prices of instruments [0, count), all of them by default.

        The arrays are read-only: they are shared by all who ask until the book changes.
        """
        rows = self.instrument_max if count is None else count
        sequence = lib.hr_book_change_sequence(self._book)
        if self._best is None or sequence != self._best_sequence or rows != self._best_rows:
            table = np.empty((4, max(rows, 1)), dtype=np.int64)
            columns = [ffi.from_buffer("int64_t[]", table[side]) for side in range(4)]
            check(lib.hr_book_best(self._book, rows, *columns))
            table.flags.writeable = False
            self._best = Best(table[0, :rows], table[1, :rows], table[2, :rows], table[3, :rows])
            self._best_sequence, self._best_rows = sequence, rows
        return self._best

    def levels(self, instruments: Int32s, depth: int) -> tuple[Records, Int64s]:
        """Returns LEVEL rows (instrument, side, depth), lots 0 after the last, and change ids."""
        rows = np.ascontiguousarray(instruments, dtype=np.int32)
        table = np.empty((len(rows), 2, depth), dtype=LEVEL)
        change_ids = np.empty(len(rows), dtype=np.int64)
        if len(rows):
            check(
                lib.hr_book_levels(
                    self._book,
                    ffi.from_buffer("int32_t[]", rows),
                    len(rows),
                    depth,
                    ffi.cast("hr_book_level *", table.ctypes.data),
                    ffi.from_buffer("int64_t[]", change_ids),
                )
            )
        return table, change_ids

    def order(self, order_id: int) -> Order:
        """Returns a resting order; raises with ERR_NOT_FOUND."""
        check(lib.hr_book_order_get(self._book, order_id, self._order))
        return self._order_found()

    def owner_orders(self, owner: int) -> Records:
        """Returns an owner's resting orders and quotes as ORDER rows, newest first."""
        check(
            lib.hr_book_owner_orders(
                self._book,
                owner,
                ffi.from_buffer("hr_book_order[]", self._orders),
                len(self._orders),
                self._count,
            )
        )
        return self._orders[: self._count[0]].copy()

    def available(self, instrument: int, owner: int, side: int, limit_ticks: int) -> int:
        """Returns the lots an order could trade now at its limit, the owner's own left out."""
        check(lib.hr_book_available(self._book, instrument, owner, side, limit_ticks, self._count))
        return int(self._count[0])

    def _outcome(self) -> Outcome:
        result: Any = self._result
        return Outcome(result.order_id, result.filled_lots, result.resting_lots)

    def _order_found(self) -> Order:
        found: Any = self._order
        return Order(
            found.order_id,
            found.price_ticks,
            found.lots,
            found.instrument,
            found.owner,
            found.side,
            found.group,
        )
