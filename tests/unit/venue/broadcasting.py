"""A venue that publishes, and what a listener can compare with its books."""

import random
from typing import Any

from services.venue.outputs import Datagram
from services.venue.rpc.views import DEPTH_MAX
from shared.units import amount_from_lots, price_from_ticks
from tests.unit.venue.client import House
from tests.unit.venue.udp_receiver import Follower


class Broadcasting(House):
    """Its datagrams go to the listeners, each of which may lose some."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.venue.broadcast(self.now_ns)
        self.datagrams: list[Datagram] = []
        self.listeners: list[tuple[Follower, random.Random, float]] = []

    def listen(self, lost: float = 0.0, seed: int = 1) -> Follower:
        follower = Follower()
        self.listeners.append((follower, random.Random(seed), lost))
        return follower

    def deliver(self, outputs: list[Any]) -> None:
        packets = [output for output in outputs if isinstance(output, Datagram)]
        self.datagrams.extend(packets)
        for packet in packets:
            for follower, chance, lost in self.listeners:
                if chance.random() >= lost:
                    follower.on_packet(packet.data)
        super().deliver([output for output in outputs if not isinstance(output, Datagram)])

    def lose(self, follower: Follower, lost: float) -> None:
        self.listeners = [
            (other, chance, lost if other is follower else share)
            for other, chance, share in self.listeners
        ]

    def assert_equal(self, follower: Follower, *, all_fresh: bool) -> int:
        """Compares every fresh book with the venue's; returns how many are fresh."""
        instruments = self.venue.exchange.instruments
        books = self.venue.floor.views.books(list(range(len(instruments))), DEPTH_MAX)
        fresh = 0
        for instrument, (bids, asks, _) in zip(instruments, books, strict=True):
            book = follower.books.get(instrument.instrument_id)
            if book is None or not book.is_fresh:
                assert not all_fresh, instrument.name
                continue
            fresh += 1
            for mine, levels in ((book.bids, bids), (book.asks, asks)):
                assert mine == {
                    price_from_ticks(instrument, ticks): amount_from_lots(instrument, lots)
                    for ticks, lots in levels
                }, instrument.name
        return fresh
