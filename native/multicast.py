"""The venue's multicast packets: a packer for the venue, a decoder for tests and tools.

Rows are plain tuples in the order of their C structs (hr_sbe.h); NaN is the wire's null.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from native.library import check, ffi, lib

INSTRUMENT: Final = 1000
BOOK: Final = 1001
TRADES: Final = 1002
TICKER: Final = 1003
SNAPSHOT: Final = 1004
SNAPSHOT_START: Final = 1005
SNAPSHOT_END: Final = 1006
COMBO_LEGS: Final = 1007
PRICE_INDEX: Final = 1008
RFQ: Final = 1009
INSTRUMENT_V2: Final = 1010

ASK: Final = 0
BID: Final = 1
CREATED: Final = 0
CHANGED: Final = 1
DELETED: Final = 2
STATE_OPEN: Final = 1
KIND_FUTURE: Final = 0
KIND_OPTION: Final = 1
TYPE_REVERSED: Final = 1
OPTION_CALL: Final = 1
OPTION_PUT: Final = 2
PERIODS: Final = {"perpetual": 0, "minute": 1, "hour": 2, "day": 3, "week": 4, "month": 5}
DIRECTION_BUY: Final = 0
DIRECTION_SELL: Final = 1

PACKET_BYTES_MAX: Final = 1458
FRAME_BYTES: Final = 8
HEADER_BYTES: Final = 12
GROUP_BYTES: Final = 8
ERR_FULL: Final = -5

NULL: Final = float("nan")

# Template: the structs of its block and of its entries.
STRUCTS: Final[dict[int, tuple[str | None, str | None]]] = {
    INSTRUMENT: ("hr_sbe_instrument", None),
    BOOK: ("hr_sbe_book", "hr_sbe_change"),
    TRADES: ("hr_sbe_subject", "hr_sbe_trade"),
    TICKER: ("hr_sbe_ticker", None),
    SNAPSHOT: ("hr_sbe_snapshot", "hr_sbe_level"),
    SNAPSHOT_START: ("hr_sbe_snapshot_start", None),
    SNAPSHOT_END: (None, None),
    COMBO_LEGS: ("hr_sbe_subject", "hr_sbe_leg"),
    PRICE_INDEX: ("hr_sbe_price_index", None),
    RFQ: ("hr_sbe_rfq", None),
    INSTRUMENT_V2: ("hr_sbe_instrument", "hr_sbe_tick_step"),
}
# Bytes on the wire of the block, and of an entry, of templates that may have to be split.
WIRE_BYTES: Final = {BOOK: (29, 18), TRADES: (4, 83), SNAPSHOT: (22, 17)}


class Change(NamedTuple):
    price: float
    amount: float
    side: int
    change: int


class Level(NamedTuple):
    price: float
    amount: float
    side: int


class Trade(NamedTuple):
    price: float
    amount: float
    mark_price: float
    index_price: float
    iv: float
    timestamp_ms: int
    trade_seq: int
    trade_id: int
    block_trade_id: int = 0
    combo_trade_id: int = 0
    direction: int = DIRECTION_BUY
    tick_direction: int = 0
    liquidation: int = 0


class Ticker(NamedTuple):
    open_interest: float
    min_sell_price: float
    max_buy_price: float
    last_price: float
    index_price: float
    mark_price: float
    best_bid_price: float
    best_bid_amount: float
    best_ask_price: float
    best_ask_amount: float
    current_funding: float
    funding_8h: float
    estimated_delivery_price: float
    delivery_price: float
    settlement_price: float
    timestamp_ms: int
    instrument_id: int
    state: int = STATE_OPEN


class Definition(NamedTuple):
    """An instrument, for 1000 and 1010."""

    strike_price: float
    contract_size: float
    min_trade_amount: float
    tick_size: float
    maker_commission: float
    taker_commission: float
    block_trade_commission: float
    max_liquidation_commission: float
    max_leverage: float
    creation_ms: int
    expiration_ms: int
    base_currency: bytes
    quote_currency: bytes
    counter_currency: bytes
    settlement_currency: bytes
    size_currency: bytes
    instrument_id: int
    settlement_period_count: int
    state: int
    kind: int
    instrument_type: int
    option_type: int
    rfq: int
    settlement_period: int


class Packer:
    """Packs messages of one channel into numbered packets; `take` hands over what is packed.

    Messages share packets in the order given. A book, snapshot or list of trades that does not fit
    an empty packet is split, with isLast on its last part only.
    """

    def __init__(self, channel: int, sequence: int = 0, bytes_max: int = PACKET_BYTES_MAX) -> None:
        self.channel = channel
        self.sequence = sequence  # of the next packet
        self.bytes_max = bytes_max
        self._packets: list[bytes] = []
        self._buffer = ffi.new("uint8_t[]", bytes_max)
        self._at = FRAME_BYTES
        self._frame = ffi.new("hr_sbe_frame *")
        self._outgoing = ffi.new("hr_sbe_outgoing *")
        self._count = ffi.new("int64_t *")
        self._sizes = {
            template: (lib.hr_sbe_block_size(template), lib.hr_sbe_entry_size(template))
            for template in STRUCTS
        }

    def instrument(self, definition: Definition, name: bytes) -> None:
        self._write(INSTRUMENT, definition, (), name)

    def instrument_v2(
        self, definition: Definition, tick_steps: Sequence[tuple[float, float]], name: bytes
    ) -> None:
        """Tick steps are (above_price, tick_size)."""
        self._write(INSTRUMENT_V2, definition, tick_steps, name)

    def book(
        self,
        instrument_id: int,
        timestamp_ms: int,
        prev_change_id: int,
        change_id: int,
        changes: Sequence[tuple[float, float, int, int]],
    ) -> None:
        """Changes are Change rows: (price, amount, side, change)."""
        for part, is_last in self._parts(BOOK, changes):
            head = (timestamp_ms, prev_change_id, change_id, instrument_id, is_last)
            self._write(BOOK, head, part)

    def trades(self, instrument_id: int, trades: Sequence[Trade]) -> None:
        for part, _ in self._parts(TRADES, trades):
            self._write(TRADES, (instrument_id,), part)

    def ticker(self, ticker: Ticker) -> None:
        self._write(TICKER, ticker)

    def snapshot(
        self,
        instrument_id: int,
        timestamp_ms: int,
        change_id: int,
        levels: Sequence[tuple[float, float, int]],
    ) -> None:
        """The whole book; levels are Level rows: (price, amount, side). The time is when it was
        taken: all changes before it are in it."""
        for part, is_last in self._parts(SNAPSHOT, levels):
            self._write(SNAPSHOT, (timestamp_ms, change_id, instrument_id, 1, is_last), part)

    def snapshot_start(self, delay_ms: int) -> None:
        self._write(SNAPSHOT_START, (delay_ms,))

    def snapshot_end(self) -> None:
        self._write(SNAPSHOT_END, None)

    def combo_legs(self, instrument_id: int, legs: Sequence[tuple[int, int]]) -> None:
        self._write(COMBO_LEGS, (instrument_id,), legs)

    def price_index(self, name: bytes, price: float, timestamp_ms: int) -> None:
        self._write(PRICE_INDEX, (price, timestamp_ms, name))

    def rfq(
        self, instrument_id: int, amount: float, timestamp_ms: int, state: int, side: int
    ) -> None:
        self._write(RFQ, (amount, timestamp_ms, instrument_id, state, side))

    def flush(self) -> None:
        """Closes the packet begun, if there is one: what comes next starts a new one."""
        if self._at > FRAME_BYTES:
            self._frame[0] = (self._at - FRAME_BYTES, self.channel, self.sequence)
            lib.hr_sbe_frame_write(self._frame, self._buffer)
            self._packets.append(ffi.buffer(self._buffer, self._at)[:])
            self.sequence = (self.sequence + 1) & 0xFFFFFFFF
            self._at = FRAME_BYTES

    def empty(self) -> None:
        """Adds a packet without messages, a heartbeat of the channel."""
        self.flush()
        self._frame[0] = (0, self.channel, self.sequence)
        lib.hr_sbe_frame_write(self._frame, self._buffer)
        self._packets.append(ffi.buffer(self._buffer, FRAME_BYTES)[:])
        self.sequence = (self.sequence + 1) & 0xFFFFFFFF

    def take(self) -> list[bytes]:
        """Returns the packets since the last call, in order."""
        self.flush()
        packets, self._packets = self._packets, []
        return packets

    def _parts(self, template: int, rows: Sequence[Any]) -> list[tuple[Sequence[Any], int]]:
        block, entry = WIRE_BYTES[template]
        room = self.bytes_max - FRAME_BYTES - HEADER_BYTES - block - GROUP_BYTES
        most = room // entry
        if len(rows) <= most:
            return [(rows, 1)]
        self.flush()
        return [
            (rows[at : at + most], int(at + most >= len(rows))) for at in range(0, len(rows), most)
        ]

    def _write(
        self, template: int, block: Any, entries: Sequence[Any] = (), text: bytes = b""
    ) -> None:
        block_struct, entry_struct = STRUCTS[template]
        out = self._outgoing
        keep = [ffi.NULL, ffi.NULL, ffi.NULL]  # cffi frees what nobody holds
        if block_struct is not None:
            keep[0] = ffi.new(f"{block_struct} *", block)
        if entries:
            keep[1] = ffi.new(f"{entry_struct}[]", entries)
        if text:
            keep[2] = ffi.from_buffer("uint8_t[]", text)
        out.block, out.entries, out.text = keep
        out.block_size, out.entry_size = self._sizes[template]
        out.entry_count, out.text_bytes = len(entries), len(text)
        out.template_id = template
        status = self._append()
        if status == ERR_FULL and self._at > FRAME_BYTES:
            self.flush()
            status = self._append()
        check(status)
        self._at += self._count[0]

    def _append(self) -> int:
        return int(
            lib.hr_sbe_message_write(
                self._outgoing, self._buffer + self._at, self.bytes_max - self._at, self._count
            )
        )


class Packet(NamedTuple):
    channel: int
    sequence: int
    messages: list[dict[str, Any]]


def decode(packet: bytes) -> Packet:
    """Returns a packet's messages as dicts by the names of hr_sbe.h; raises NativeError."""
    data = ffi.from_buffer("uint8_t[]", packet)
    frame = ffi.new("hr_sbe_frame *")
    message = ffi.new("hr_sbe_message *")
    check(lib.hr_sbe_frame_read(data, len(packet), frame))
    messages = []
    at = FRAME_BYTES
    while at < len(packet):
        check(lib.hr_sbe_message_read(data + at, len(packet) - at, message))
        messages.append(_named(message))
        at += message.bytes
    return Packet(frame.channel, frame.sequence, messages)


def _named(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "template_id": message.template_id,
        "version": message.version,
        "block_bytes": message.block_bytes,
    }
    block_struct, entry_struct = STRUCTS.get(message.template_id, (None, None))
    if block_struct is not None:
        block = ffi.new(f"{block_struct} *")
        check(lib.hr_sbe_block_read(message, block, ffi.sizeof(block_struct)))
        found |= _fields(block_struct, block)
    if entry_struct is not None:
        count = message.entry_count
        rows = ffi.new(f"{entry_struct}[]", max(count, 1))
        check(lib.hr_sbe_entries_read(message, 0, count, rows, ffi.sizeof(entry_struct)))
        found["entries"] = [_fields(entry_struct, rows[row]) for row in range(count)]
    if message.text != ffi.NULL:
        found["text"] = bytes(ffi.buffer(message.text, message.text_bytes))
    return found


def _fields(struct: str, row: Any) -> dict[str, Any]:
    return {
        name: ffi.string(getattr(row, name)) if field.type.cname.startswith("char[") else
        getattr(row, name)
        for name, field in ffi.typeof(struct).fields
        if name != "reserved"
    }  # fmt: skip
