"""Books on the wire: what changed since it was last published (1001), and whole books (1004).

All dirty books are compared in one go. A level is one number, instrument and side before price, so
that both what is published and what stands now are sorted as they come out of the book.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from native.book import LEVEL, Book
from services.venue.multicast.layouts import (
    ASK,
    BID,
    BOOK,
    BOOK_ROW,
    CHANGE_ROW,
    CHANGED,
    CREATED,
    DELETED,
    LEVEL_ROW,
    NO,
    SNAPSHOT,
    SNAPSHOT_ROW,
    YES,
    Rows,
    rows,
)
from services.venue.multicast.packets import MESSAGE_BYTES_MAX
from shared.messages.market import Instrument
from shared.units import E8

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DEPTH_FIRST = 16  # most books have no more levels
DEPTH_MAX = 1_000  # deeper levels are not published
TICKS_BITS = 41  # above every price in ticks (hr_book.h)
TICKS_MASK = (1 << TICKS_BITS) - 1
CHANGES_MAX = (MESSAGE_BYTES_MAX - BOOK_ROW.itemsize) // CHANGE_ROW.itemsize
LEVELS_MAX = (MESSAGE_BYTES_MAX - SNAPSHOT_ROW.itemsize) // LEVEL_ROW.itemsize


class Levels(NamedTuple):
    """Resting levels of some books: `keys` sorted, bids before asks, best first."""

    keys: Ints  # row, side and price
    lots: Ints


class Entries(NamedTuple):
    """Levels of some books as the wire has them, sorted by row."""

    row: Ints
    is_bid: Bools
    change: NDArray[np.uint8]
    ticks: Ints
    lots: Ints


class Books:
    """The books as they are published."""

    def __init__(self, book: Book, instruments: list[Instrument]) -> None:
        self._book = book
        self._instruments = instruments  # the exchange's own list, which grows
        self._published = np.zeros((0, 2, DEPTH_FIRST), dtype=LEVEL)
        self._change_ids = np.zeros(0, dtype=np.uint64)
        self.relist()

    def relist(self) -> None:
        """More instruments may follow on those known: nothing of them is published yet."""
        instruments = self._instruments
        more = len(instruments) - len(self._published)
        empty = np.zeros((more, *self._published.shape[1:]), dtype=LEVEL)
        self._ids = np.array([i.instrument_id for i in instruments], dtype=np.uint32)
        self._tick_e8 = np.array([i.tick_e8 for i in instruments], dtype=np.int64)
        self._lot_e8 = np.array([i.lot_e8 for i in instruments], dtype=np.int64)
        self._published = np.concatenate((self._published, empty))
        self._change_ids = np.append(self._change_ids, np.zeros(more, dtype=np.uint64))

    def changes(self, indices: Ints, now_ms: int) -> dict[int, list[bytes]]:
        """Returns the messages of each book that is another than it was, and takes them for
        published. `indices` have no doubles."""
        table, change_ids = self._read(indices)
        entries = _difference(_levels(self._published[indices]), _levels(table))
        counts = np.bincount(entries.row, minlength=len(indices))
        changed = np.flatnonzero(counts)  # a change that was taken back leaves the change id
        at = indices[changed]
        heads = rows(BOOK_ROW, len(at), BOOK, CHANGE_ROW)
        heads["instrument_id"], heads["timestamp_ms"] = self._ids[at], now_ms
        heads["prev_change_id"], heads["change_id"] = self._change_ids[at], change_ids[changed]
        self._published[at] = table[changed]
        self._change_ids[at] = change_ids[changed]
        body = np.empty(len(entries.row), dtype=CHANGE_ROW)
        body["change"] = entries.change
        self._fill(body, entries, indices)
        messages = _messages(heads, body, counts[changed], CHANGES_MAX, "is_last")
        return dict(zip(at.tolist(), messages, strict=True))

    def snapshots(self, indices: Ints, now_ms: int) -> Iterator[list[bytes]]:
        """Returns the messages of each book as it is published."""
        levels = _levels(self._published[indices])
        entries = _entries(levels.keys, levels.lots, np.zeros(len(levels.keys), dtype=np.uint8))
        heads = rows(SNAPSHOT_ROW, len(indices), SNAPSHOT, LEVEL_ROW)
        heads["instrument_id"], heads["timestamp_ms"] = self._ids[indices], now_ms
        heads["change_id"], heads["is_book_complete"] = self._change_ids[indices], YES
        body = np.empty(len(entries.row), dtype=LEVEL_ROW)
        self._fill(body, entries, indices)
        counts = np.bincount(entries.row, minlength=len(indices))
        return _messages(heads, body, counts, LEVELS_MAX, "is_last_in_book")

    def _fill(self, body: Rows, entries: Entries, indices: Ints) -> None:
        """Writes sides, prices and amounts; both are the JSON's own numbers."""
        at = indices[entries.row]
        body["side"] = np.where(entries.is_bid, BID, ASK)
        body["price"] = entries.ticks * self._tick_e8[at] / E8
        body["amount"] = entries.lots * self._lot_e8[at] / E8

    def _read(self, indices: Ints) -> tuple[Rows, Ints]:
        """Returns books as they stand; the table of published ones grows with the deepest."""
        depth = self._published.shape[2]
        table, change_ids = self._book.levels(indices.astype(np.int32), depth)
        while depth < DEPTH_MAX and table["lots"][:, :, -1].any():
            depth = min(2 * depth, DEPTH_MAX)
            wider = np.zeros((len(self._ids), 2, depth), dtype=LEVEL)
            wider[:, :, : self._published.shape[2]] = self._published
            self._published = wider
            table, change_ids = self._book.levels(indices.astype(np.int32), depth)
        return table, change_ids


def _levels(table: Rows) -> Levels:
    """Returns the resting levels of a (row, side, depth) table of LEVEL."""
    row, side, depth = np.nonzero(table["lots"])
    level = table[row, side, depth]
    ticks = level["price_ticks"]
    order = np.where(side == 0, TICKS_MASK - ticks, ticks)  # best first on both sides
    return Levels((row * 2 + side << TICKS_BITS) | order, level["lots"])


def _difference(old: Levels, new: Levels) -> Entries:
    """Returns what makes the old books the new ones; of each book its deletions first."""
    if len(old.keys):
        at = np.minimum(np.searchsorted(old.keys, new.keys), len(old.keys) - 1)
        is_known = old.keys[at] == new.keys
    else:
        at = np.zeros(len(new.keys), dtype=np.int64)
        is_known = np.zeros(len(new.keys), dtype=np.bool_)
    is_gone = np.ones(len(old.keys), dtype=np.bool_)
    is_gone[at[is_known]] = False
    is_another = ~is_known
    is_another[is_known] = old.lots[at[is_known]] != new.lots[is_known]
    gone = old.keys[is_gone]
    keys = np.concatenate((gone, new.keys[is_another]))
    lots = np.concatenate((np.zeros(len(gone), dtype=np.int64), new.lots[is_another]))
    changes = np.where(is_known[is_another], CHANGED, CREATED)
    change = np.concatenate((np.full(len(gone), DELETED), changes)).astype(np.uint8)
    order = np.argsort(keys >> (TICKS_BITS + 1), kind="stable")
    return _entries(keys[order], lots[order], change[order])


def _entries(keys: Ints, lots: Ints, change: NDArray[np.uint8]) -> Entries:
    is_bid = (keys >> TICKS_BITS) & 1 == 0
    order = keys & TICKS_MASK
    ticks = np.where(is_bid, TICKS_MASK - order, order)
    return Entries(keys >> (TICKS_BITS + 1), is_bid, change, ticks, lots)


def _messages(
    heads: Rows, body: Rows, counts: NDArray[Any], entries_max: int, last: str
) -> Iterator[list[bytes]]:
    """Yields each row's messages: one, unless it has more entries than a packet holds."""
    heads["entries"], heads[last] = np.minimum(counts, entries_max), counts <= entries_max
    blob, entries = heads.tobytes(), body.tobytes()
    head, size = heads.dtype.itemsize, body.dtype.itemsize
    start = 0
    for row, count in enumerate(counts.tolist()):
        end = start + count * size
        if count <= entries_max:
            yield [blob[row * head : (row + 1) * head] + entries[start:end]]
        else:
            yield list(_parts(heads[row : row + 1].copy(), entries[start:end], entries_max, last))
        start = end


def _parts(head: Rows, entries: bytes, entries_max: int, last: str) -> Iterator[bytes]:
    """Yields one book in several messages; the last one says so."""
    size = int(head["entry_bytes"][0])
    for start in range(0, len(entries), entries_max * size):
        part = entries[start : start + entries_max * size]
        head["entries"] = len(part) // size
        head[last] = YES if start + len(part) == len(entries) else NO
        yield head.tobytes() + part
