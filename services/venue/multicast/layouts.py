"""The messages of the wire as packed rows (../shared/reference/venue.md section 2).

Little-endian; a null double is the NaN of all ones. What comes a thousand at a time is a numpy row
with its message header, what comes seldom a struct. This shares no code with the desk's decoder
(native/include/hr_sbe.h), so that each is a check of the other.
"""

from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]
SCHEMA = 1
VERSION = 2
VERSION_INSTRUMENT_V2 = 3
NULL = np.array([0xFFFFFFFFFFFFFFFF], dtype="<u8").view("<f8")[0]

INSTRUMENT, BOOK, TRADES, TICKER, SNAPSHOT = 1000, 1001, 1002, 1003, 1004
SNAPSHOT_START, SNAPSHOT_END, PRICE_INDEX, INSTRUMENT_V2 = 1005, 1006, 1008, 1010

ASK, BID = 0, 1
CREATED, CHANGED, DELETED = 0, 1, 2
NO, YES = 0, 1

FRAME = Struct("<HHI")  # bytes of the messages, channel, sequence number
HEAD = Struct("<HHHHHH")  # block bytes, template, schema, version, groups, texts
GROUP = Struct("<HHHH")  # bytes of an entry, entries, groups, texts
_HEAD_FIELDS = [
    ("block_bytes", "<u2"), ("template", "<u2"), ("schema", "<u2"), ("version", "<u2"),
    ("groups", "<u2"), ("texts", "<u2"),
]  # fmt: skip
_GROUP_FIELDS = [
    ("entry_bytes", "<u2"), ("entries", "<u2"), ("inner_groups", "<u2"), ("inner_texts", "<u2"),
]  # fmt: skip

TICKER_ROW = np.dtype(
    [
        *_HEAD_FIELDS,
        ("instrument_id", "<u4"),
        ("state", "u1"),
        ("timestamp_ms", "<u8"),
        ("open_interest", "<f8"),
        ("min_sell_price", "<f8"),
        ("max_buy_price", "<f8"),
        ("last_price", "<f8"),
        ("index_price", "<f8"),
        ("mark_price", "<f8"),
        ("best_bid_price", "<f8"),
        ("best_bid_amount", "<f8"),
        ("best_ask_price", "<f8"),
        ("best_ask_amount", "<f8"),
        ("current_funding", "<f8"),
        ("funding_8h", "<f8"),
        ("estimated_delivery_price", "<f8"),
        ("delivery_price", "<f8"),
        ("settlement_price", "<f8"),
    ]
)
BOOK_ROW = np.dtype(
    [
        *_HEAD_FIELDS,
        ("instrument_id", "<u4"),
        ("timestamp_ms", "<u8"),
        ("prev_change_id", "<u8"),
        ("change_id", "<u8"),
        ("is_last", "u1"),
        *_GROUP_FIELDS,
    ]
)
CHANGE_ROW = np.dtype([("side", "u1"), ("change", "u1"), ("price", "<f8"), ("amount", "<f8")])
SNAPSHOT_ROW = np.dtype(
    [
        *_HEAD_FIELDS,
        ("instrument_id", "<u4"),
        ("timestamp_ms", "<u8"),
        ("change_id", "<u8"),
        ("is_book_complete", "u1"),
        ("is_last_in_book", "u1"),
        *_GROUP_FIELDS,
    ]
)
LEVEL_ROW = np.dtype([("side", "u1"), ("price", "<f8"), ("amount", "<f8")])

TRADES_BLOCK = Struct("<I")  # instrument
# direction, price, amount, time in ms, mark, index, number in the instrument, trade id, tick
# direction, liquidation, implied volatility in percent, block trade, combo trade
TRADE = Struct("<BddQddQQBBdQQ")
PRICE_INDEX_BLOCK = Struct("<16sdQ")  # name, price, time in ms
START_BLOCK = Struct("<I")  # the snapshots' delay in ms
# instrument, state, kind, type, option type, (rfq), settlement period and count, currencies: base,
# quote, counter, settlement, size; created and expires in ms; strike, contract, least amount, tick,
# maker, taker, block and liquidation fees, leverage
INSTRUMENT_BLOCK = Struct("<IBBBBBBH8s8s8s8s8sQQddddddddd")
INSTRUMENT_V2_BLOCK = Struct("<IBBBBBH8s8s8s8s8sQQddddddddd")
TICK_STEP = Struct("<dd")  # above this price, this tick

assert TICKER_ROW.itemsize == HEAD.size + 133
assert BOOK_ROW.itemsize == HEAD.size + 29 + GROUP.size
assert SNAPSHOT_ROW.itemsize == HEAD.size + 22 + GROUP.size
assert (CHANGE_ROW.itemsize, LEVEL_ROW.itemsize, TRADE.size) == (18, 17, 83)
assert (INSTRUMENT_BLOCK.size, INSTRUMENT_V2_BLOCK.size) == (140, 139)


def rows(dtype: np.dtype[Any], count: int, template: int, entry: np.dtype[Any] | None) -> Rows:
    """Returns rows with their message (and group) header filled in; all else is 0."""
    made = np.zeros(count, dtype=dtype)
    group_bytes = 0 if entry is None else GROUP.size
    made["block_bytes"] = dtype.itemsize - HEAD.size - group_bytes
    made["template"], made["schema"], made["version"] = template, SCHEMA, VERSION
    if entry is not None:
        made["groups"] = 1
        made["entry_bytes"] = entry.itemsize
    return made


def message(
    template: int, block: bytes, *, groups: int = 0, texts: int = 0, version: int = VERSION
) -> bytes:
    """Returns a message's header and block; groups and texts follow."""
    return HEAD.pack(len(block), template, SCHEMA, version, groups, texts) + block


def group(entry: Struct, entries: list[tuple[Any, ...]]) -> bytes:
    return GROUP.pack(entry.size, len(entries), 0, 0) + b"".join(entry.pack(*e) for e in entries)


def text(value: str) -> bytes:
    data = value.encode("ascii")
    return bytes((len(data),)) + data


def cut(blob: bytes, size: int) -> list[bytes]:
    """Returns the rows of a block of bytes."""
    return [blob[at : at + size] for at in range(0, len(blob), size)]
