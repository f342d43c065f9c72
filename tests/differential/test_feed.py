"""The desk's feed in C on the venue's datagrams: every book it calls fresh is the venue's own."""

import random

import pytest

from services.venue.multicast.channels import SNAPSHOTS
from services.venue.rpc.views import DEPTH_MAX
from tests.feed_reader import FeedReader
from tests.unit.venue.broadcasting import Broadcasting

CYCLE_STEPS = 20
# After a gap that a ticker revealed, snapshots of the next two seconds may be older than it.
HEAL_STEPS = 2 * CYCLE_STEPS + 2


class Line:
    """From a venue to a feed: loses, doubles and swaps packets by chance."""

    def __init__(self, house: Broadcasting, seed: int) -> None:
        self.house = house
        self.feed = FeedReader(house.venue.exchange.instruments)
        self.chance = random.Random(seed)
        self.lost = self.doubled = self.swapped = 0.0

    def step(self) -> tuple[int, list[str]]:
        """Moves the venue on by a step; returns stale and wrong books."""
        house, chance = self.house, self.chance
        del house.datagrams[:]
        house.pass_time(0.1)
        packets = [packet for packet in house.datagrams if chance.random() >= self.lost]
        for at in range(len(packets) - 1):
            if chance.random() < self.swapped:
                packets[at], packets[at + 1] = packets[at + 1], packets[at]
        for channel_id, data in packets:
            for _ in range(2 if chance.random() < self.doubled else 1):
                self.feed.on_packet(data, is_snapshot=channel_id > SNAPSHOTS, now_ns=house.now_ns)
        exchange = house.venue.exchange
        books = house.venue.floor.views.books(list(range(len(exchange.instruments))), DEPTH_MAX)
        return self.feed.judge(exchange.instruments, books)


def test_all_books_are_fresh_a_cycle_after_joining() -> None:
    line = Line(Broadcasting(has_crowd=True), 1)
    line.house.pass_time(1.0)  # joins late
    for step in range(3 * CYCLE_STEPS):
        stale, wrong = line.step()
        assert not wrong
        assert not stale or step <= CYCLE_STEPS
    counters = line.feed.counters()
    assert not any(
        counters[name]
        for name in ("gaps", "old_packets", "malformed_packets", "unknown_messages", "stales")
    )
    marks = line.house.venue.exchange.marks
    assert line.feed.index_usd == {
        b"btc_usd": marks.index_usd("BTC"), b"eth_usd": marks.index_usd("ETH")
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_a_lossy_line_makes_books_stale_but_never_wrong(seed: int) -> None:
    line = Line(Broadcasting(has_crowd=True), seed)
    line.lost, line.doubled, line.swapped = 0.01, 0.01, 0.01
    seen_stale = 0
    for _ in range(6 * CYCLE_STEPS):
        stale, wrong = line.step()
        assert not wrong
        seen_stale += stale
    counters = line.feed.counters()
    assert min(counters["gaps"], counters["old_packets"], counters["stales"], seen_stale) > 10
    line.lost = line.doubled = line.swapped = 0.0
    for _ in range(HEAL_STEPS):
        stale, wrong = line.step()
        assert not wrong
    assert not stale


def test_a_venue_that_begins_anew_is_followed() -> None:
    line = Line(Broadcasting(has_crowd=True), 1)
    for _ in range(CYCLE_STEPS + 2):
        line.step()
    gone = line.house
    line.house = Broadcasting(has_crowd=True, now_ns=gone.now_ns + 10**9)
    assert line.house.chain.instruments == gone.chain.instruments
    for _ in range(HEAL_STEPS):
        stale, wrong = line.step()
        assert not wrong
    assert not stale
    assert line.feed.counters()["resets"] >= 6
