"""The venue's datagrams, read by the C decoder and by a plain one: two that share nothing."""

import math
from typing import Any

from native.multicast import decode
from tests.unit.venue.broadcasting import Broadcasting
from tests.unit.venue.udp_receiver import read_packet

# The plain reader's names for the C decoder's, where they differ.
NAMES = {
    "id": "instrument_id", "ts": "timestamp_ms", "prev": "prev_change_id",
    "min_price": "min_sell_price", "max_price": "max_buy_price", "is_complete": "is_book_complete",
    "delay_ms": "snapshot_delay_ms", "name": "index_name", "type": "instrument_type",
    "period": "settlement_period", "period_count": "settlement_period_count",
    "base": "base_currency", "quote": "quote_currency", "counter": "counter_currency",
    "settlement": "settlement_currency", "size": "size_currency", "created_ms": "creation_ms",
    "expires_ms": "expiration_ms", "strike": "strike_price", "maker": "maker_commission",
    "taker": "taker_commission", "block": "block_trade_commission",
    "max_liquidation": "max_liquidation_commission", "block_id": "block_trade_id",
    "combo_id": "combo_trade_id",
}  # fmt: skip


def assert_same(plain: dict[str, Any], compiled: dict[str, Any], template: int) -> None:
    for name, value in plain.items():
        other = NAMES.get(name, name)
        if name == "is_last" and template == 1004:
            other = "is_last_in_book"
        theirs = compiled[other]
        if isinstance(theirs, bytes):
            theirs = theirs.decode()
        if value is None:
            assert math.isnan(theirs), other
        else:
            assert theirs == value, other


def test_both_decoders_read_the_same_of_every_datagram() -> None:
    house = Broadcasting(has_crowd=True)
    house.pass_time(5.0)
    seen = set()
    for datagram in house.datagrams:
        plain, compiled = read_packet(datagram.data), decode(datagram.data)
        assert (plain.channel, plain.sequence) == (compiled.channel, compiled.sequence)
        assert len(plain.messages) == len(compiled.messages)
        for mine, theirs in zip(plain.messages, compiled.messages, strict=True):
            seen.add(mine.template)
            assert (mine.template, mine.version) == (theirs["template_id"], theirs["version"])
            assert_same(mine.fields, theirs, mine.template)
            assert mine.text.encode() == theirs.get("text", b"")
            for one, other in zip(mine.entries, theirs.get("entries", []), strict=True):
                assert_same(one, other, mine.template)
    assert seen == {1000, 1001, 1002, 1003, 1004, 1005, 1006, 1008, 1010}
