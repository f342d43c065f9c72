"""The C codec against recorded packets, their independent decoding and its own golden bytes."""

import json
import math
import struct
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.library import NativeError
from native.multicast import (
    ASK,
    BID,
    BOOK,
    CREATED,
    INSTRUMENT,
    INSTRUMENT_V2,
    NULL,
    SNAPSHOT,
    STRUCTS,
    Change,
    Definition,
    Level,
    Packer,
    Ticker,
    Trade,
    decode,
)
from tests.capture import datagrams
from tests.recorded import recorded

GOLDEN = Path(__file__).parent / "golden_multicast.json"
CAPTURES = {"sample_capture_v1_6": 5066, "price_index": 1277, "combo_legs": 45, "rfq": 2}

STATES = ["created", "open", "closed", "settled", "deactivated", "inactive", "started"]
KINDS = ["future", "option", "future_combo", "option_combo", "spot"]
TYPES = ["not_applicable", "reversed", "linear"]
OPTION_TYPES = ["not_applicable", "call", "put"]
PERIODS = ["perpetual", "minute", "hour", "day", "week", "month", "year"]
YES_NO = ["no", "yes"]
DIRECTIONS = ["buy", "sell", "no_direction"]
TICK_DIRECTIONS = ["plus", "zeroplus", "minus", "zerominus"]
LIQUIDATIONS = ["none", "maker", "taker", "both"]
SIDES = ["ask", "bid"]
CHANGES = ["created", "changed", "deleted"]

# The oracle's key of each of our fields, and how it spells the value.
ORACLE_DEFINITION = {
    "id": "instrument_id", "state": ("state", STATES), "kind": ("kind", KINDS),
    "itype": ("instrument_type", TYPES), "otype": ("option_type", OPTION_TYPES),
    "period": ("settlement_period", PERIODS), "period_count": "settlement_period_count",
    "base": "base_currency", "quote": "quote_currency", "counter": "counter_currency",
    "settle": "settlement_currency", "size": "size_currency", "created_ms": "creation_ms",
    "expiry_ms": "expiration_ms", "strike": "strike_price", "contract_size": "contract_size",
    "min_amount": "min_trade_amount", "tick": "tick_size", "maker": "maker_commission",
    "taker": "taker_commission", "block": "block_trade_commission",
    "max_liq": "max_liquidation_commission", "max_lev": "max_leverage", "name": "text",
}  # fmt: skip
ORACLE_TRADE = {
    "dir": ("direction", DIRECTIONS), "px": "price", "amt": "amount", "ts": "timestamp_ms",
    "mark": "mark_price", "idx": "index_price", "seq": "trade_seq", "tid": "trade_id",
    "tick": ("tick_direction", TICK_DIRECTIONS), "liq": ("liquidation", LIQUIDATIONS),
    "iv": "iv", "block": "block_trade_id", "combo": "combo_trade_id",
}  # fmt: skip
ORACLE = {
    1000: ORACLE_DEFINITION | {"rfq": ("rfq", YES_NO)},
    1001: {
        "id": "instrument_id", "ts": "timestamp_ms", "prev": "prev_change_id",
        "chg": "change_id", "last": ("is_last", YES_NO),
    },
    1002: {"id": "instrument_id"},
    1003: {
        "id": "instrument_id", "state": ("state", STATES), "ts": "timestamp_ms",
        "oi": "open_interest", "min_sell": "min_sell_price", "max_buy": "max_buy_price",
        "last": "last_price", "index": "index_price", "mark": "mark_price",
        "bid": "best_bid_price", "bid_amt": "best_bid_amount", "ask": "best_ask_price",
        "ask_amt": "best_ask_amount", "funding": "current_funding", "funding8h": "funding_8h",
        "est_dlv": "estimated_delivery_price", "dlv": "delivery_price",
        "settle": "settlement_price",
    },
    1004: {
        "id": "instrument_id", "ts": "timestamp_ms", "chg": "change_id",
        "complete": ("is_book_complete", YES_NO), "last": ("is_last_in_book", YES_NO),
    },
    1005: {"delay": "snapshot_delay_ms"},
    1006: {},
    1008: {"index": "index_name", "px": "price", "ts": "timestamp_ms"},
    1010: ORACLE_DEFINITION,
}  # fmt: skip


def spelt(message, keys):
    """Returns our fields as the oracle writes them."""
    out = {}
    for theirs, ours in keys.items():
        name, words = ours if isinstance(ours, tuple) else (ours, None)
        value = message[name]
        if words is not None:
            value = words[value] if value != 255 else None
        elif isinstance(value, bytes):
            value = value.decode()
        elif isinstance(value, float) and math.isnan(value):
            value = None
        out[theirs] = value
    return out


def as_oracle(packet, message):
    template = message["template_id"]
    out = {"ch": packet.channel, "seq": packet.sequence, "t": template}
    out |= {"ver": message["version"], "bl": message["block_bytes"]}
    out |= spelt(message, ORACLE[template])
    rows = message.get("entries", [])
    if template == BOOK:
        out["changes"] = [
            [SIDES[row["side"]], CHANGES[row["change"]], row["price"], row["amount"]]
            for row in rows
        ]
    elif template == SNAPSHOT:
        out["levels"] = [[SIDES[row["side"]], row["price"], row["amount"]] for row in rows]
    elif template == INSTRUMENT_V2:
        out["tick_steps"] = [
            {"above": row["above_price"], "tick": row["tick_size"]} for row in rows
        ]
    elif template == 1002:
        out["trades"] = [spelt(row, ORACLE_TRADE) for row in rows]
    return out


@pytest.mark.recorded
def test_the_recorded_capture_decodes_to_its_oracle():
    folder = recorded("deribit_multicast")
    lines = (folder / "sample_capture_v1_6.decoded.jsonl").read_text().splitlines()
    expected = [json.loads(line) for line in lines]
    packets = [decode(d.payload) for d in datagrams(folder / "sample_capture_v1_6.pcapng")]
    actual = [as_oracle(packet, message) for packet in packets for message in packet.messages]
    assert len(packets) == CAPTURES["sample_capture_v1_6"]
    assert len(actual) == len(expected) == 6780
    for mine, theirs in zip(actual, expected, strict=True):
        del theirs["rx"]
        assert mine == theirs


@pytest.mark.recorded
@pytest.mark.parametrize("name", CAPTURES)
def test_every_recorded_packet_is_read_to_its_last_byte_and_written_back(name):
    folder = recorded("deribit_multicast")
    payloads = [datagram.payload for datagram in datagrams(folder / f"{name}.pcapng")]
    assert len(payloads) == CAPTURES[name]
    for payload in payloads:
        assert written_back(payload) == payload


def written_back(payload):
    """Decodes a packet and packs the same messages again."""
    packet = decode(payload)
    packer = Packer(packet.channel, packet.sequence)
    for message in packet.messages:
        block_struct, _ = STRUCTS[message["template_id"]]
        block = {
            name: value
            for name, value in message.items()
            if name not in {"template_id", "version", "block_bytes", "entries", "text"}
        }
        packer._write(
            message["template_id"],
            block if block_struct else None,
            message.get("entries", []),
            message.get("text", b""),
        )
    (again,) = packer.take()
    return again


TYPE_BYTES = {"uint8": 1, "uint16": 2, "uint32": 4, "int32": 4, "uint64": 8, "double": 8}
TYPE_BYTES |= {"string8": 8, "string16": 16}


@pytest.mark.recorded
def test_written_lengths_are_those_of_the_schema():
    root = ET.parse(recorded("deribit_multicast/schema.xml")).getroot()  # noqa: S314
    enums = {enum.get("name"): enum.get("encodingType") for enum in root.iter("enum")}

    def bytes_of(element):
        types = [field.get("type") for field in element.findall("field")]
        return sum(TYPE_BYTES[enums.get(name, name)] for name in types)

    lengths = {}
    for message in root.iter("message"):
        group = message.find("group")
        entry = bytes_of(group) if group is not None else 0
        lengths[int(message.get("id"))] = (bytes_of(message), entry)
    assert lengths.keys() == STRUCTS.keys()
    for template, (block, entry) in lengths.items():
        packer = Packer(1)
        block_struct, entry_struct = STRUCTS[template]
        packer._write(template, {} if block_struct else None, [{}] if entry_struct else [])
        (payload,) = packer.take()
        assert struct.unpack_from("<H", payload, 8)[0] == block
        if entry_struct:
            assert struct.unpack_from("<H", payload, 20 + block)[0] == entry


def synthetic():
    """A packet of every message, in the order a venue might send them."""
    packer = Packer(2, 0xFFFFFFFE)
    definition = Definition(
        100_000.0, 1.0, 0.1, 0.0001, 0.0003, 0.0003, 0.0003, NULL, NULL, 1_750_000_000_000,
        1_798_185_600_000, b"BTC", b"BTC", b"USD", b"BTC", b"BTC", 500_001, 1, 1, 1, 1, 1, 1, 5,
    )  # fmt: skip
    packer.instrument(definition, b"BTC-25DEC26-100000-C")
    packer.instrument_v2(definition._replace(rfq=0), [(0.005, 0.0005)], b"BTC-25DEC26-100000-C")
    packer.flush()
    trade = Trade(0.05, 1.5, 0.0501, 90_000.5, 55.5, 1_795_344_392_306, 7, 8, direction=1)
    packer.trades(500_001, [trade, trade._replace(iv=NULL, trade_id=9)])
    prices = [0.5 * number for number in range(15)]
    packer.ticker(Ticker(*prices, timestamp_ms=1_795_344_392_306, instrument_id=500_001))
    changes = [Change(0.05, 1.5, BID, CREATED), Change(0.0505, 0.0, ASK, 2)]
    packer.book(500_001, 1_795_344_392_306, 41, 43, changes)
    packer.price_index(b"btc_usd", 90_000.5, 1_795_344_392_306)
    packer.combo_legs(77, [(500_001, 1), (500_002, -2)])
    packer.rfq(500_001, 25.0, 1_795_344_392_306, 1, 2)
    packer.snapshot_start(200)
    levels = [Level(0.0001 * number, 0.1 * number, number % 2) for number in range(1, 100)]
    packer.snapshot(500_001, 1_795_344_392_400, 43, levels)
    packer.snapshot_end()
    packer.empty()
    return packer.take()


def test_bytes_once_written_stay_the_same():
    golden = json.loads(GOLDEN.read_text())
    assert [payload.hex() for payload in synthetic()] == golden["packets"]


def test_golden_packets_decode_to_what_was_meant():
    golden = json.loads(GOLDEN.read_text())
    packets = [decode(bytes.fromhex(text)) for text in golden["packets"]]
    assert [packet.sequence for packet in packets[:3]] == [0xFFFFFFFE, 0xFFFFFFFF, 0]
    decoded = [
        [packet.channel, packet.sequence, message]
        for packet in packets
        for message in packet.messages
    ]
    plain = json.loads(json.dumps(decoded, default=bytes.decode))
    assert str(plain) == str(golden["messages"])  # as text, where NaN is itself


def test_what_does_not_fit_a_packet_is_split_and_only_the_last_part_says_so():
    packer = Packer(2)
    packer.price_index(b"btc_usd", 1.0, 1)
    changes = [Change(float(number), 1.0, BID, CREATED) for number in range(1, 200)]
    packer.book(7, 1000, 1, 2, changes)
    packets = packer.take()
    assert max(map(len, packets)) <= 1458
    books = [message for packet in packets[1:] for message in decode(packet).messages]
    assert [book["is_last"] for book in books] == [0, 0, 1]
    assert {(book["prev_change_id"], book["change_id"]) for book in books} == {(1, 2)}
    prices = [row["price"] for book in books for row in book["entries"]]
    assert prices == [change.price for change in changes]


def test_what_never_fits_is_refused():
    packer = Packer(2, bytes_max=100)
    with pytest.raises(NativeError, match="HR_ERR_FULL"):
        packer.ticker(Ticker(*[NULL] * 15, timestamp_ms=1, instrument_id=1))


@contextmanager
def refusal_allowed():
    try:
        yield
    except NativeError as error:
        if error.name != "HR_ERR_MALFORMED":
            raise


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(payload):
    with refusal_allowed():
        decode(payload)


@given(st.integers(0, 4), st.data())
def test_a_packet_cut_anywhere_is_refused(number, data):
    payload = bytes.fromhex(json.loads(GOLDEN.read_text())["packets"][number])
    cut = data.draw(st.integers(0, len(payload) - 1))
    short = bytearray(payload[:cut])
    if cut >= 8:
        struct.pack_into("<H", short, 0, cut - 8)
    whole = {8}
    for message in decode(payload).messages:
        whole.add(max(whole) + len(one(message)) - 8)
    if cut in whole:
        assert decode(bytes(short)).sequence == decode(payload).sequence
    else:
        with pytest.raises(NativeError, match="HR_ERR_MALFORMED"):
            decode(bytes(short))


def one(message):
    """Returns the packet of one decoded message alone."""
    packer = Packer(1)
    block = {
        name: value
        for name, value in message.items()
        if name not in {"template_id", "version", "block_bytes", "entries", "text"}
    }
    packer._write(
        message["template_id"],
        block if STRUCTS[message["template_id"]][0] else None,
        message.get("entries", []),
        message.get("text", b""),
    )
    return packer.take()[0]


def test_what_a_later_schema_appends_is_skipped():
    (payload,) = one_book()
    plain = decode(payload).messages[0]
    header, block, rest = payload[8:20], payload[20:49], payload[49:]
    group, entries = rest[:8], [rest[8:26], rest[26:44]]
    longer = struct.pack("<H", 29 + 3) + header[2:8] + struct.pack("<HH", 2, 1) + block + b"new"
    longer += struct.pack("<H", 18 + 2) + group[2:] + b"".join(entry + b"!!" for entry in entries)
    longer += struct.pack("<HHHH", 1, 1, 1, 1) + b"x" + struct.pack("<HHHH", 2, 1, 0, 0) + b"yy"
    longer += b"\x03old" + b"\x05later"
    unknown = struct.pack("<HHHHHH", 2, 1999, 1, 9, 0, 0) + b"??"
    body = unknown + longer + unknown
    packet = decode(struct.pack("<HHI", len(body), 2, 5) + body)
    assert [message["template_id"] for message in packet.messages] == [1999, BOOK, 1999]
    found = packet.messages[1]
    for name in plain.keys() - {"block_bytes", "text"}:
        assert found[name] == plain[name]
    assert found["text"] == b"later"


def one_book():
    packer = Packer(2)
    packer.book(7, 1000, 1, 2, [Change(0.05, 1.5, BID, CREATED), Change(0.06, 2.0, ASK, CREATED)])
    return packer.take()


def test_nulls_are_nan_and_definitions_carry_their_names():
    messages = decode(synthetic()[0]).messages
    assert [message["template_id"] for message in messages] == [INSTRUMENT, INSTRUMENT_V2]
    assert math.isnan(messages[0]["max_leverage"])
    assert messages[1]["text"] == b"BTC-25DEC26-100000-C"
    assert messages[1]["entries"] == [{"above_price": 0.005, "tick_size": 0.0005}]
