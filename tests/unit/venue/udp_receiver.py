"""A reader of the venue's datagrams in plain Python, written from the facts alone: it shares no
code with the venue's encoder or the desk's decoder."""

import math
import struct
from dataclasses import dataclass, field
from typing import Any

NULL_BYTES = b"\xff" * 8
STATES = ("created", "open", "closed", "settled", "deactivated", "inactive", "started")


@dataclass
class Message:
    template: int
    version: int
    fields: dict[str, Any]
    entries: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""


@dataclass
class Packet:
    channel: int
    sequence: int
    messages: list[Message]


# name and format of every field of a block and of a group's entries
BLOCKS: dict[int, tuple[tuple[str, str], ...]] = {
    1001: (("id", "I"), ("ts", "Q"), ("prev", "Q"), ("change_id", "Q"), ("is_last", "B")),
    1002: (("id", "I"),),
    1003: (
        ("id", "I"), ("state", "B"), ("ts", "Q"), ("open_interest", "d"), ("min_price", "d"),
        ("max_price", "d"), ("last_price", "d"), ("index_price", "d"), ("mark_price", "d"),
        ("best_bid_price", "d"), ("best_bid_amount", "d"), ("best_ask_price", "d"),
        ("best_ask_amount", "d"), ("current_funding", "d"), ("funding_8h", "d"),
        ("estimated_delivery_price", "d"), ("delivery_price", "d"), ("settlement_price", "d"),
    ),
    1004: (("id", "I"), ("ts", "Q"), ("change_id", "Q"), ("is_complete", "B"), ("is_last", "B")),
    1005: (("delay_ms", "I"),),
    1006: (),
    1008: (("name", "16s"), ("price", "d"), ("ts", "Q")),
}  # fmt: skip
_DEFINITION_TAIL = (
    ("period", "B"), ("period_count", "H"), ("base", "8s"), ("quote", "8s"), ("counter", "8s"),
    ("settlement", "8s"), ("size", "8s"), ("created_ms", "Q"), ("expires_ms", "Q"), ("strike", "d"),
    ("contract_size", "d"), ("min_trade_amount", "d"), ("tick_size", "d"), ("maker", "d"),
    ("taker", "d"), ("block", "d"), ("max_liquidation", "d"), ("max_leverage", "d"),
)  # fmt: skip
_DEFINITION_HEAD = (
    ("id", "I"), ("state", "B"), ("kind", "B"), ("type", "B"), ("option_type", "B"),
)  # fmt: skip
BLOCKS[1000] = (*_DEFINITION_HEAD, ("rfq", "B"), *_DEFINITION_TAIL)
BLOCKS[1010] = (*_DEFINITION_HEAD, *_DEFINITION_TAIL)
ENTRIES: dict[int, tuple[tuple[str, str], ...]] = {
    1001: (("side", "B"), ("change", "B"), ("price", "d"), ("amount", "d")),
    1002: (
        ("direction", "B"), ("price", "d"), ("amount", "d"), ("ts", "Q"), ("mark_price", "d"),
        ("index_price", "d"), ("trade_seq", "Q"), ("trade_id", "Q"), ("tick_direction", "B"),
        ("liquidation", "B"), ("iv", "d"), ("block_id", "Q"), ("combo_id", "Q"),
    ),
    1004: (("side", "B"), ("price", "d"), ("amount", "d")),
    1010: (("above_price", "d"), ("tick_size", "d")),
}  # fmt: skip
TEXTS = frozenset({1000, 1010})
BLOCK_BYTES = {1000: 140, 1001: 29, 1002: 4, 1003: 133, 1004: 22, 1005: 4, 1006: 0, 1008: 32,
               1010: 139}  # fmt: skip


def read_packet(data: bytes) -> Packet:
    """Reads one datagram to its last byte; raises AssertionError on anything amiss."""
    assert len(data) <= 1458
    size, channel, sequence = struct.unpack_from("<HHI", data)
    assert size == len(data) - 8
    messages, at = [], 8
    while at < len(data):
        message, at = _message(data, at)
        messages.append(message)
    assert at == len(data)
    assert messages
    return Packet(channel, sequence, messages)


def _message(data: bytes, at: int) -> tuple[Message, int]:
    block_bytes, template, schema, version, groups, texts = struct.unpack_from("<6H", data, at)
    assert (schema, version) == (1, 3 if template == 1010 else 2)
    assert block_bytes == BLOCK_BYTES[template]
    assert groups == (template in ENTRIES)
    assert texts == (template in TEXTS)
    fields, end = _fields(data, at + 12, BLOCKS[template])
    at += 12 + block_bytes
    assert at == end
    message = Message(template, version, fields)
    if groups:
        entry_bytes, count, inner, inner_texts = struct.unpack_from("<4H", data, at)
        assert (inner, inner_texts) == (0, 0)
        at += 8
        for _ in range(count):
            entry, end = _fields(data, at, ENTRIES[template])
            at += entry_bytes
            assert at == end
            message.entries.append(entry)
    if texts:
        length = data[at]
        message.text = data[at + 1 : at + 1 + length].decode("ascii")
        at += 1 + length
    return message, at


def _fields(data: bytes, at: int, layout: tuple[tuple[str, str], ...]) -> tuple[dict, int]:
    values: dict[str, Any] = {}
    for name, code in layout:
        size = struct.calcsize("<" + code)
        if code == "d" and data[at : at + 8] == NULL_BYTES:
            values[name] = None
        else:
            (value,) = struct.unpack_from("<" + code, data, at)
            assert not isinstance(value, float) or math.isfinite(value)
            values[name] = value.rstrip(b"\0").decode() if isinstance(value, bytes) else value
        at += size
    return values, at


@dataclass
class Book:
    bids: dict[float, float] = field(default_factory=dict)
    asks: dict[float, float] = field(default_factory=dict)
    change_id: int = -1  # of the last message applied
    is_fresh: bool = False
    part: int = -1  # the change id of a message that goes on in the next one

    def side(self, number: int) -> dict[float, float]:
        return self.bids if number == 1 else self.asks


class Follower:
    """Follows all channels. A hole in a channel's numbers makes its books stale; each is healed by
    its next snapshot, whatever id that has, and stays so as long as its changes join up."""

    def __init__(self) -> None:
        self.sequences: dict[int, int] = {}
        self.books: dict[int, Book] = {}
        self.tickers: dict[int, dict[str, Any]] = {}
        self.index: dict[str, float] = {}
        self.definitions: dict[int, Message] = {}
        self.trades: list[tuple[int, dict[str, Any]]] = []
        self.channel_of: dict[int, int] = {}
        self.hole_count = 0

    def on_packet(self, data: bytes) -> None:
        packet = read_packet(data)
        last = self.sequences.get(packet.channel)
        if last is not None and packet.sequence != last + 1:
            self.hole_count += 1
            self._stale(packet.channel % 100)
        self.sequences[packet.channel] = packet.sequence
        for message in packet.messages:
            self._on_message(packet.channel, message)

    def _stale(self, channel: int) -> None:
        for number, book in self.books.items():
            if self.channel_of[number] == channel:
                book.is_fresh = False
                book.part = -1

    def _on_message(self, channel: int, message: Message) -> None:
        fields = message.fields
        if "id" in fields:
            assert self.channel_of.setdefault(fields["id"], channel % 100) == channel % 100
        match message.template:
            case 1001:
                assert channel < 100
                self._on_change(message)
            case 1002:
                self.trades.extend((fields["id"], entry) for entry in message.entries)
            case 1003:
                self.tickers[fields["id"]] = fields
            case 1004:
                assert channel > 100
                self._on_snapshot(message)
            case 1008:
                assert channel == 0
                self.index[fields["name"]] = fields["price"]
            case 1000 | 1010:
                self.definitions[fields["id"]] = message

    def _on_change(self, message: Message) -> None:
        fields = message.fields
        book = self.books.setdefault(fields["id"], Book())
        if fields["prev"] == 0 and not book.is_fresh:  # the first there is of this instrument
            book.bids, book.asks, book.change_id, book.is_fresh = {}, {}, 0, True
        if not book.is_fresh:
            return
        if book.part < 0:
            assert fields["prev"] == book.change_id
        else:
            assert (fields["prev"], fields["change_id"]) == (book.change_id, book.part)
        for entry in message.entries:
            side, price = book.side(entry["side"]), entry["price"]
            assert (price in side) == (entry["change"] != 0)
            if entry["change"] == 2:
                assert entry["amount"] == 0.0
                del side[price]
            else:
                assert entry["amount"] > 0.0
                assert entry["amount"] != side.get(price)
                side[price] = entry["amount"]
        book.part = -1 if fields["is_last"] else fields["change_id"]
        if fields["is_last"]:
            book.change_id = fields["change_id"]

    def _on_snapshot(self, message: Message) -> None:
        fields = message.fields
        book = self.books.setdefault(fields["id"], Book())
        if book.is_fresh and book.change_id > fields["change_id"]:
            return
        if book.part < 0 or book.change_id != fields["change_id"]:
            book.bids, book.asks = {}, {}
        for entry in message.entries:
            book.side(entry["side"])[entry["price"]] = entry["amount"]
        book.change_id = fields["change_id"]
        book.is_fresh = bool(fields["is_last"] and fields["is_complete"])
        book.part = -1 if fields["is_last"] else fields["change_id"]
