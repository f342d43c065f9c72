"""What the venue publishes over UDP, read by a decoder of its own, against its JSON."""

import json
import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from services.venue.multicast.channels import SNAPSHOTS
from services.venue.outputs import Datagram
from shared.clock import NS_PER_S
from tests.recorded import recorded
from tests.unit.venue.broadcasting import Broadcasting
from tests.unit.venue.client import NOW_NS, PERPETUAL, House
from tests.unit.venue.udp_receiver import STATES, Message, read_packet

CYCLE_S = 2.0


def messages(datagrams: list[Datagram], *, snapshots: bool = False) -> list[Message]:
    return [
        message
        for datagram in datagrams
        if (datagram.channel_id > SNAPSHOTS) == snapshots
        for message in read_packet(datagram.data).messages
    ]


def of_template(datagrams: list[Datagram], template: int, number: int) -> list[Message]:
    return [
        m for m in messages(datagrams) if m.template == template and m.fields.get("id") == number
    ]


def instrument_id(house: House, name: str) -> int:
    return house.venue.exchange.instruments[house.venue.exchange.index_of[name]].instrument_id


def assert_close(mine: float | None, theirs: float) -> None:
    assert mine is not None
    assert math.isclose(mine, theirs, rel_tol=1e-12, abs_tol=1.01e-8)


def test_every_book_of_a_busy_market_is_the_venues_own() -> None:
    house = Broadcasting(has_crowd=True)
    always = house.listen()
    house.pass_time(3.0)
    late = house.listen()
    lossy = house.listen(lost=0.05)
    seen_stale = 0
    count = len(house.venue.exchange.instruments)
    for step in range(60):
        house.pass_time(0.1)
        if step % 5 == 0:
            assert house.assert_equal(always, all_fresh=True) == count
            house.assert_equal(late, all_fresh=step * 0.1 > CYCLE_S + 0.5)
            seen_stale += count - house.assert_equal(lossy, all_fresh=False)
    assert lossy.hole_count > 10
    assert seen_stale > count
    house.lose(lossy, 0.0)
    house.pass_time(CYCLE_S + 0.5)
    house.assert_equal(lossy, all_fresh=True)
    assert always.hole_count == late.hole_count == 0
    assert always.index == {
        f"{c.lower()}_usd": house.venue.exchange.marks.index_usd(c) for c in ("BTC", "ETH")
    }
    assert len(always.trades) == sum(house.venue.exchange.history.trade_counts.values()) > 0


def test_json_says_the_same_as_the_datagrams() -> None:
    house = Broadcasting(has_crowd=True)
    follower = house.listen()
    house.pass_time(1.2)
    client = house.client()
    names = [house.venue.exchange.instruments[at].name for at in range(0, 900, 90)]
    house.pass_time(1.7)  # all tickers of this second's marks have been told
    for name in (PERPETUAL, "ETH-PERPETUAL", *names):
        shown = client.call("public/get_order_book", instrument_name=name, depth=1000)
        number = instrument_id(house, name)
        book, ticker = follower.books[number], follower.tickers[number]
        assert [[p, book.bids[p]] for p in sorted(book.bids, reverse=True)] == shown["bids"]
        assert [[p, book.asks[p]] for p in sorted(book.asks)] == shown["asks"]
        assert STATES[ticker["state"]] == shown["state"]
        for field in ("best_bid_price", "best_bid_amount", "best_ask_price", "best_ask_amount",
                      "open_interest", "last_price", "settlement_price"):  # fmt: skip
            assert ticker[field] == shown.get(field), field
        for field in ("min_price", "max_price", "mark_price"):
            assert_close(ticker[field], shown[field])
        assert ticker["delivery_price"] is None
        is_perpetual = name.endswith("PERPETUAL")
        assert (ticker["current_funding"], ticker["funding_8h"]) == (
            (0.0, 0.0) if is_perpetual else (None, None)
        )


def test_definitions_are_those_of_get_instruments_and_ids_outlive_the_venue() -> None:
    house = Broadcasting()
    follower = house.listen()
    house.pass_time(CYCLE_S + 0.5)
    shown = house.client().call("public/get_instruments", currency="any")
    assert {s["instrument_id"] for s in shown} == set(follower.definitions)
    by_template = Counter(m.template for m in messages(house.datagrams, snapshots=True))
    assert by_template[1000] == by_template[1010] > len(shown)
    for instrument in shown:
        message = follower.definitions[instrument["instrument_id"]]
        fields = message.fields
        assert message.text == instrument["instrument_name"]
        assert STATES[fields["state"]] == instrument["state"] == "open"
        assert ("future", "option")[fields["kind"]] == instrument["kind"]
        assert fields["strike"] == instrument.get("strike")
        assert fields["expires_ms"] == instrument["expiration_timestamp"]
        assert fields["created_ms"] == instrument["creation_timestamp"]
        for mine, theirs in (
            ("tick_size", "tick_size"), ("contract_size", "contract_size"),
            ("min_trade_amount", "min_trade_amount"), ("maker", "maker_commission"),
            ("taker", "taker_commission"), ("base", "base_currency"), ("quote", "quote_currency"),
            ("counter", "counter_currency"), ("settlement", "settlement_currency"),
        ):  # fmt: skip
            assert fields[mine] == instrument[theirs], mine
        assert message.entries == instrument["tick_size_steps"]
        assert (None, "call", "put")[fields["option_type"]] == instrument.get("option_type")
    again = House()
    assert [i.instrument_id for i in again.chain.instruments] == [
        i.instrument_id for i in house.chain.instruments
    ]


def test_change_ids_are_those_of_the_raw_book_channel() -> None:
    house = Broadcasting(has_crowd=True)
    house.pass_time(1.0)
    client = house.client()
    names = [PERPETUAL, *house.options()[:30]]
    client.subscribe(*(f"book.{name}.raw" for name in names))
    for name in names:
        client.notices(f"book.{name}.raw")
    del house.datagrams[:]
    house.pass_time(5.0)
    change_count = 0
    for name in names:
        told = [
            (body["prev_change_id"], body["change_id"], len(body["bids"]) + len(body["asks"]))
            for body in client.notices(f"book.{name}.raw")
        ]
        books = of_template(house.datagrams, 1001, instrument_id(house, name))
        assert [(m.fields["prev"], m.fields["change_id"], len(m.entries)) for m in books] == told
        change_count += len(told)
    assert change_count > 20


def test_a_fill_is_trades_ticker_and_book_in_one_packet() -> None:
    house = Broadcasting()
    name = house.options()[0]
    maker, taker = house.client(), house.client("other")
    maker.order("sell", name, 3.0, 0.05)
    del house.datagrams[:]
    taker.order("buy", name, 1.0, 0.05)
    assert len(house.datagrams) == 1
    told = read_packet(house.datagrams[0].data).messages
    assert [message.template for message in told] == [1002, 1003, 1001]
    (trade,) = told[0].entries
    shown = taker.call("public/get_last_trades_by_instrument", instrument_name=name)["trades"][0]
    assert (str(trade["trade_id"]), trade["trade_seq"]) == (shown["trade_id"], shown["trade_seq"])
    for field in ("price", "amount", "iv", "index_price", "mark_price", "tick_direction"):
        assert trade[field] == shown[field], field
    assert ("buy", "sell")[trade["direction"]] == shown["direction"]
    assert told[1].fields["last_price"] == 0.05
    assert told[1].fields["best_ask_amount"] == 2.0
    assert told[2].entries == [{"side": 0, "change": 1, "price": 0.05, "amount": 2.0}]


@pytest.mark.recorded
def test_packets_have_the_forms_of_the_recorded_ones() -> None:
    """Of one instrument at a time: what of trades, ticker and book stands in its packet."""
    path = recorded("deribit_multicast/sample_capture_v1_6.decoded.jsonl")
    packets: dict[tuple[int, int], list[int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        packets.setdefault((row["ch"], row["seq"]), []).append(row["t"])
    known = {tuple(told) for (channel, _), told in packets.items() if channel < SNAPSHOTS}
    cycle = [told for (channel, _), told in packets.items() if channel > SNAPSHOTS]
    steps = {pair for told in cycle for pair in pairwise(told)}
    house = Broadcasting(has_crowd=True)
    house.pass_time(3.0)
    mine: set[tuple[int, ...]] = set()
    for datagram in house.datagrams:
        told = read_packet(datagram.data).messages
        if datagram.channel_id > SNAPSHOTS:
            templates = [m.template for m in told if m.template not in (1005, 1006)]
            assert set(pairwise(templates)) <= steps
            continue
        of: dict[Any, list[int]] = {}
        for message in told:
            of.setdefault(message.fields.get("id", message.fields.get("name")), []).append(
                message.template
            )
        mine |= {tuple(templates) for templates in of.values()}
    assert (1002, 1003, 1001) in mine
    # On the opening step an instrument's own messages may be cut by the end of a packet.
    assert mine <= known | {(1003, 1001, 1003)}


def test_numbers_begin_at_one_and_a_new_venue_is_healed_from() -> None:
    house = Broadcasting(has_crowd=True)
    follower = house.listen()
    house.pass_time(4.0)
    numbers: dict[int, int] = {}
    for datagram in house.datagrams:
        packet = read_packet(datagram.data)
        assert packet.channel == datagram.channel_id
        assert packet.sequence == numbers.get(packet.channel, 0) + 1
        numbers[packet.channel] = packet.sequence
    assert set(numbers) == {0, 1, 2, 3, 4, 5, 6, 101, 102, 103, 104, 105, 106}
    other = Broadcasting(has_crowd=True, seed=4)
    other.listeners = house.listeners
    ids = {i.instrument_id for i in other.chain.instruments}
    follower.books = {number: book for number, book in follower.books.items() if number in ids}
    follower.channel_of.clear()
    follower.channel_of.update(
        (i.instrument_id, channel) for i, channel in _channels(other)
    )  # another chain: the ids say other names
    other.pass_time(CYCLE_S + 0.5)
    assert follower.hole_count >= 12
    other.assert_equal(follower, all_fresh=True)


def _channels(house: Broadcasting) -> list[tuple[Any, int]]:
    number = {"perpetual": 1, "option": 2, "future": 3}
    return [
        (i, number[i.kind] + (3 if i.underlying == "ETH" else 0)) for i in house.chain.instruments
    ]


def test_a_deep_book_takes_several_messages() -> None:
    house = Broadcasting()
    follower = house.listen()
    house.pass_time(CYCLE_S)
    name = house.options()[0]
    index = house.venue.exchange.index_of[name]
    book = house.venue.exchange.book
    for level in range(200):  # in one step, as a crowd does
        book.submit(index, 5, 0, 100 + 5 * level, 1 + level)
        book.submit(index, 6, 1, 2_000 + 5 * level, 1 + level)
    del house.datagrams[:]
    house.pass_time(0.1)
    told = of_template(house.datagrams, 1001, instrument_id(house, name))
    assert sum(len(message.entries) for message in told) == 400
    assert [message.fields["is_last"] for message in told] == [0] * (len(told) - 1) + [1]
    assert len(told) == 6
    house.assert_equal(follower, all_fresh=True)
    late = house.listen()
    house.pass_time(CYCLE_S + 0.3)
    house.assert_equal(late, all_fresh=True)
    book.cancel_owner(5)
    book.cancel_owner(6)
    house.pass_time(0.1)
    house.assert_equal(follower, all_fresh=True)
    house.assert_equal(late, all_fresh=True)


def test_what_changes_back_keeps_its_change_id() -> None:
    house = Broadcasting()
    follower = house.listen()
    house.pass_time(CYCLE_S + 0.3)
    name = house.options()[0]
    index, number = house.venue.exchange.index_of[name], instrument_id(house, name)
    before = follower.books[number].change_id
    book = house.venue.exchange.book
    order = book.submit(index, 5, 0, 100, 7)
    book.cancel(order.order_id)
    del house.datagrams[:]
    house.pass_time(0.1)
    assert not of_template(house.datagrams, 1001, number)
    book.submit(index, 5, 0, 100, 7)
    house.pass_time(0.1)
    (told,) = of_template(house.datagrams, 1001, number)
    assert (told.fields["prev"], told.entries[0]["change"]) == (before, 0)
    house.assert_equal(follower, all_fresh=True)


def test_the_index_comes_first_and_every_channel_at_every_step() -> None:
    house = Broadcasting(has_crowd=True)
    house.pass_time(1.0)
    for _ in range(20):
        del house.datagrams[:]
        house.pass_time(0.1)
        order = [datagram.channel_id for datagram in house.datagrams]
        assert order[0] == 0
        assert set(order) >= set(range(7))
        options = [at for at, channel in enumerate(order) if channel in (2, 5)]
        books = [
            at
            for at, datagram in enumerate(house.datagrams)
            if datagram.channel_id in (1, 3, 4, 6)
            and any(m.template == 1001 for m in read_packet(datagram.data).messages)
        ]
        assert not books or max(books) < min(options)


def test_a_cycle_shows_every_instrument_once_and_evenly() -> None:
    house = Broadcasting()
    house.pass_time(CYCLE_S)
    del house.datagrams[:]
    sizes = []
    for _ in range(round(CYCLE_S / 0.1)):
        start = len(house.datagrams)
        house.pass_time(0.1)
        sizes.append(sum(1 for d in house.datagrams[start:] if d.channel_id > SNAPSHOTS))
    told = messages(house.datagrams, snapshots=True)
    count = len(house.venue.exchange.instruments)
    books = Counter(m.fields["id"] for m in told if m.template == 1004)
    assert set(books.values()) <= {1, 2}
    assert count <= len(books) + 1
    assert sum(books.values()) <= count + 25
    assert max(sizes) <= 2 * min(sizes)
    marks = Counter(m.template for m in told if m.template in (1005, 1006))
    assert 6 <= marks[1005] <= 7
    assert 5 <= marks[1006] <= 7


def test_nobody_listens_and_nothing_is_made() -> None:
    house = House(has_crowd=True)
    for _ in range(20):
        house.now_ns += NS_PER_S // 10
        assert not any(isinstance(o, Datagram) for o in house.venue.on_timer(house.now_ns))


def test_what_expires_is_closed_on_the_wire_too() -> None:
    now_ns = NOW_NS - NOW_NS % (24 * 3600 * NS_PER_S) + (8 * 3600 - 3) * NS_PER_S
    house = Broadcasting(now_ns=now_ns)
    follower = house.listen()
    name = next(
        i.name for i in house.chain.instruments
        if i.kind == "option" and i.underlying == "BTC" and i.expiry_ns - now_ns < 10 * NS_PER_S
    )  # fmt: skip
    house.client().order("buy", name, 0.3, 0.0001)
    house.pass_time(1.0)
    number = instrument_id(house, name)
    assert follower.books[number].bids
    del house.datagrams[:]
    house.pass_time(4.0)
    assert not follower.books[number].bids
    assert STATES[follower.tickers[number]["state"]] == "closed"
    assert follower.tickers[number]["delivery_price"] == pytest.approx(
        house.venue.exchange.marks.index_usd("BTC")
    )
    assert follower.tickers[number]["estimated_delivery_price"] is None
    assert STATES[follower.definitions[number].fields["state"]] == "closed"
    told = [m.template for m in messages(house.datagrams) if m.fields.get("id") == number]
    assert told[told.index(1000) : told.index(1000) + 4] == [1000, 1010, 1003, 1001]
    house.assert_equal(follower, all_fresh=True)
