"""A plain exchange that publishes its books, and a network that loses, doubles and reorders."""

import itertools
import random
from bisect import bisect_right
from dataclasses import dataclass, field

from native.multicast import ASK, BID, CHANGED, CREATED, DELETED, NULL, Packer, Ticker

EVENTS, SNAPSHOTS = 0, 1
TICK, LOT = 0.0005, 0.1
TICKER_LAG_MS_MAX = 1500
OUTAGE_MS = 5_000
LIVES_MAX = 64
PACKET_BYTES = 240  # small, so that books are split


@dataclass
class Book:
    instrument_id: int
    channel: int
    middle: int
    sides: list[dict[int, int]] = field(default_factory=lambda: [{}, {}])
    change_id: int = 0
    was_deep: bool = False
    past: dict[int, tuple] = field(default_factory=dict)  # change id -> (order, bids, asks)

    def record(self, order: int) -> None:
        bids = sorted(self.sides[BID].items(), reverse=True)
        asks = sorted(self.sides[ASK].items())
        self.was_deep |= max(len(bids), len(asks)) > 40  # more, for a moment, within a change
        self.past[self.change_id] = (order, bids, asks)


@dataclass(frozen=True)
class Sent:
    """A packet, and how far each of its channel's books had come when it was sent."""

    kind: int
    channel: int
    payload: bytes
    order: int
    life: int
    orders: dict[int, int]


class Exchange:
    def __init__(self, rng: random.Random, depth: int) -> None:
        self.rng = rng
        self.depth = depth
        self.now_ms = 1_000_000
        self.order = 0
        self.life = 0
        self.change_id = 1_000_000
        self.books = [Book(10 + at, 2 + at % 2, 300 + 50 * at) for at in range(5)]
        self.sent: list[Sent] = []
        self.start_packers(0)
        for book in self.books:
            book.record(self.next_order())

    def start_packers(self, sequence: int) -> None:
        self.packers = {
            channel: Packer(channel, sequence, PACKET_BYTES) for channel in (2, 3, 102, 103)
        }

    def next_order(self) -> int:
        self.order += 1
        return self.order

    def step(self) -> None:
        self.now_ms += self.rng.choice((0, 0, 0, 1, 1, 5, 40))
        chance = self.rng.random()
        if chance < 0.75:
            self.change(self.rng.choice(self.books))
        elif chance < 0.9:
            self.tick(self.rng.choice(self.books), self.rng.randrange(TICKER_LAG_MS_MAX))
        elif chance < 0.99:
            self.cycle()
        else:
            self.restart()

    def change(self, book: Book) -> None:
        """Moves a few levels, never across the middle, which itself wanders."""
        rng = self.rng
        book.middle = min(max(book.middle + rng.randint(-2, 2), 250), 600)
        rows = []
        touched = set()
        for side in (ASK, BID):
            levels = book.sides[side]
            wrong = [t for t in levels if (t <= book.middle if side == ASK else t >= book.middle)]
            for ticks in wrong:
                del levels[ticks]
                touched.add((side, ticks))
                rows.append((ticks * TICK, 0.0, side, DELETED))
        for _ in range(rng.choice((1, 1, 2, 3, 20))):
            side = rng.choice((ASK, BID))
            distance = rng.randint(1, self.depth)
            ticks = book.middle + (distance if side == ASK else -distance)
            if (side, ticks) in touched:
                continue
            touched.add((side, ticks))
            rows.append(self.move(book.sides[side], side, ticks))
        rng.shuffle(rows)
        previous = book.change_id
        self.change_id += rng.randint(1, 3)
        book.change_id = self.change_id * LIVES_MAX + self.life  # no id has two meanings
        book.record(self.next_order())
        packer = self.packers[book.channel]
        packer.book(book.instrument_id, self.now_ms, previous, book.change_id, rows)
        self.emit(EVENTS, book.channel)

    def move(self, levels, side, ticks):
        if ticks not in levels:
            levels[ticks] = self.rng.randint(1, 90)
            return (ticks * TICK, levels[ticks] * LOT, side, CREATED)
        if self.rng.random() < 0.5:
            levels[ticks] = self.rng.randint(1, 90)
            return (ticks * TICK, levels[ticks] * LOT, side, CHANGED)
        del levels[ticks]
        return (ticks * TICK, 0.0, side, DELETED)

    def tick(self, book: Book, lag_ms: int) -> None:
        prices = [NULL] * 15
        self.packers[book.channel].ticker(
            Ticker(*prices, timestamp_ms=self.now_ms - lag_ms, instrument_id=book.instrument_id)
        )
        self.emit(EVENTS, book.channel)

    def cycle(self) -> None:
        """A snapshot of every book, each taken now."""
        for channel in (2, 3):
            packer = self.packers[channel + 100]
            packer.snapshot_start(200)
            for book in self.books:
                if book.channel == channel:
                    levels = [
                        (ticks * TICK, lots * LOT, side)
                        for side in (ASK, BID)
                        for ticks, lots in book.sides[side].items()
                    ]
                    self.rng.shuffle(levels)
                    packer.snapshot(book.instrument_id, self.now_ms, book.change_id, levels)
            packer.snapshot_end()
            self.emit(SNAPSHOTS, channel + 100)

    def restart(self) -> None:
        """Counts anew, with other books, after an outage; not so that numbers seem to go on."""
        self.now_ms += OUTAGE_MS
        self.life += 1
        self.change_id = self.rng.randint(1, 500) if self.life % 3 else self.change_id
        is_low = min(packer.sequence for packer in self.packers.values()) > 60
        self.start_packers(1 if is_low else self.rng.getrandbits(32))
        for book in self.books:
            book.sides = [{}, {}]
            self.change_id += 1
            book.change_id = self.change_id * LIVES_MAX + self.life
            book.record(self.next_order())

    def emit(self, kind: int, channel: int) -> None:
        orders = {
            book.instrument_id: book.past[book.change_id][0]
            for book in self.books
            if book.channel == channel
        }
        packets = self.packers[channel].take()
        for at, payload in enumerate(packets):
            is_whole = at == len(packets) - 1  # before, the change is not complete
            order = self.next_order()
            self.sent.append(
                Sent(kind, channel, payload, order, self.life, orders if is_whole else {})
            )

    def book_at(self, instrument_id: int, change_id: int):
        book = next(book for book in self.books if book.instrument_id == instrument_id)
        return book, book.past.get(change_id)


def network(rng: random.Random, sent: list[Sent], fault_rate: float) -> list[Sent]:
    """Loses, doubles and delays packets; each socket has its own lag, which changes. No event
    outlives the venue's outage."""
    arrivals: list[tuple[float, Sent]] = []  # in packets sent meanwhile
    lag = {EVENTS: 0.0, SNAPSHOTS: 0.0}
    last = {EVENTS: 0.0, SNAPSHOTS: 0.0}
    for number, packet in enumerate(sent):
        if rng.random() < 0.05:
            lag[packet.kind] = rng.choice((0.0, 0.0, 3.0, 30.0, 100.0))
        at = last[packet.kind] = max(number + lag[packet.kind], last[packet.kind])
        chance = rng.random()
        if chance < fault_rate:
            continue
        delay = rng.uniform(0, 6) if chance < 2 * fault_rate else 0.0
        arrivals.append((at + delay, packet))
        if chance > 1 - fault_rate:
            arrivals.append((at + rng.uniform(0, 40), packet))
    begins = {packet.life: at for at, packet in reversed(list(enumerate(sent)))}
    lives = sorted(begins)  # of those that sent anything
    ends = {life: begins[later] for life, later in itertools.pairwise(lives)}

    def due(arrival):
        at, packet = arrival
        end = ends.get(packet.life, len(sent) + 1)
        return min(at, end - 0.5) if packet.kind == EVENTS else at

    arrivals.sort(key=due)
    return [packet for _, packet in arrivals]


class Watch:
    """What must hold of a feed that took packets of an exchange."""

    def __init__(self, exchange: Exchange, feed) -> None:
        self.exchange = exchange
        self.feed = feed
        self.newest: dict[int, Sent] = {}
        self.known: dict[int, list[Sent]] = {}
        for packet in exchange.sent:
            self.known.setdefault(packet.channel, []).append(packet)
        self.bounds: dict[int, tuple[list[int], list[dict[int, int]]]] = {}
        for channel, packets in self.known.items():
            latest: dict[int, int] = {}
            rows = []
            for packet in packets:
                latest = latest | packet.orders
                rows.append(latest)
            self.bounds[channel] = ([packet.order for packet in packets], rows)

    def take(self, packet: Sent) -> None:
        """Hands over a packet and checks every book that the feed calls fresh."""
        assert self.feed.take(packet.kind, packet.payload) == 0
        newest = self.newest.get(packet.channel)
        if newest is None or packet.order > newest.order:
            self.newest[packet.channel] = packet
        for book in self.exchange.books:
            if self.feed.is_fresh(book.instrument_id):
                self.check(book)

    def check(self, book: Book) -> None:
        change_id, bids, asks = self.feed.book(book.instrument_id)
        past = book.past.get(change_id)
        assert past is not None, "a book that never was"
        order, true_bids, true_asks = past
        assert not (bids and asks and bids[0][0] >= asks[0][0]), "crossed"
        for mine, true in ((bids, true_bids), (asks, true_asks)):
            assert mine == true[: len(mine)], "not the book of its change id"
            assert len(mine) == len(true) or (book.was_deep and mine), "levels are missing"
        newest = self.newest.get(book.channel)
        assert newest is not None, "fresh before anything was heard of its channel"
        orders, rows = self.bounds[book.channel]
        least = rows[bisect_right(orders, newest.order) - 1].get(book.instrument_id, 0)
        assert order >= least, "a change was missed"
