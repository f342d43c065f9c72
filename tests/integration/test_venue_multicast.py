"""The venue's market data over real sockets: unicast and multicast on loopback, and a full one."""

import asyncio
import contextlib
import json
import random
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from services.venue.multicast.sender import Sender
from services.venue.multicast.settings import (
    Destination,
    MulticastConfig,
    destinations,
    feed_address,
)
from services.venue.outputs import Datagram
from services.venue.rpc.views import DEPTH_MAX
from shared.units import price_from_ticks
from tests.feed_reader import FeedReader
from tests.integration.venue_server import Serving, serving
from tests.unit.venue.udp_receiver import Follower

ROOT = Path(__file__).resolve().parents[2]
RECEIVE_BYTES = 8 << 20


class Listener:
    """One socket for events and one for snapshots."""

    def __init__(self) -> None:
        self.sockets = [_bound(), _bound()]
        self.destination = Destination(
            event_port=self.sockets[0].getsockname()[1],
            snapshot_port=self.sockets[1].getsockname()[1],
        )
        self.follower = Follower()

    def drain(self) -> int:
        """Reads what has arrived, events first; returns how many datagrams that were."""
        count = 0
        for one in self.sockets:
            for data in _arrived(one):
                self.follower.on_packet(data)
                count += 1
        return count

    def close(self) -> None:
        for one in self.sockets:
            one.close()


def _arrived(one: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield one.recv(2048)


def _bound() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    one.setblocking(False)
    one.bind(("127.0.0.1", 0))
    return one


async def until_read(condition: Callable[[], bool], *listeners: Listener) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)
            for listener in listeners:
                listener.drain()


def different(venue: Serving, follower: Follower) -> list[str]:
    """Returns the instruments whose book is stale or another than the venue's."""
    core = venue.front.venue
    instruments = core.exchange.instruments
    books = core.floor.views.books(list(range(len(instruments))), DEPTH_MAX)
    return [
        instrument.name
        for instrument, (bids, asks, _) in zip(instruments, books, strict=True)
        if (book := follower.books.get(instrument.instrument_id)) is None
        or not book.is_fresh
        or sorted(book.bids) != sorted(price_from_ticks(instrument, at) for at, _ in bids)
        or sorted(book.asks) != sorted(price_from_ticks(instrument, at) for at, _ in asks)
    ]


async def test_two_listeners_one_of_them_late_hold_the_venues_books() -> None:
    first, second = Listener(), Listener()
    try:
        to = (first.destination, second.destination)
        async with serving(multicast=MulticastConfig(destinations=to)) as venue:
            both = (first, second)
            await until_read(lambda: not different(venue, first.follower), *both)
            assert first.follower.hole_count == second.follower.hole_count == 0
            second.follower = Follower()  # joins anew, without what was before
            await until_read(lambda: not different(venue, second.follower), *both)
            assert not different(venue, first.follower)
            assert set(first.follower.index) == {"btc_usd", "eth_usd"}
    finally:
        first.close()
        second.close()


async def test_the_desks_feed_heals_over_a_real_line_that_loses_packets() -> None:
    listener, chance = Listener(), random.Random(5)
    try:
        config = MulticastConfig(destinations=(listener.destination,), snapshot_cycle_ms=1_000)
        async with serving(multicast=config) as venue:
            core = venue.front.venue
            instruments = core.exchange.instruments
            feed = FeedReader(instruments)

            def stale(lost: float) -> int:
                """Reads what has come, some of it, and compares every book."""
                for is_snapshot, one in enumerate(listener.sockets):
                    for data in _arrived(one):
                        if chance.random() >= lost:
                            now_ns = venue.clock.wall_ns()
                            feed.on_packet(data, is_snapshot=bool(is_snapshot), now_ns=now_ns)
                every = list(range(len(instruments)))
                count, wrong = feed.judge(instruments, core.floor.views.books(every, DEPTH_MAX))
                assert not wrong
                return count

            await until_read(lambda: stale(0.0) == 0)
            await until_read(lambda: stale(0.01) > 0 and feed.counters()["gaps"] > 5)
            await until_read(lambda: stale(0.0) == 0)
    finally:
        listener.close()


def test_the_venue_alone_says_where_it_publishes(tmp_path: Path) -> None:
    listener = Listener()
    to = listener.destination
    config = tmp_path / "desk.toml"
    config.write_text(
        "[[venue.multicast.destinations]]\n"
        f"event_port = {to.event_port}\nsnapshot_port = {to.snapshot_port}\n"
    )
    argv = [sys.executable, "-m", "services", "venue", "--json", "--config", str(config)]
    process = subprocess.Popen([*argv, "--seed", "5"], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts["multicast"]["mode"] == "unicast"
        channels = {channel["channel_id"]: channel for channel in facts["multicast"]["channels"]}
        assert set(channels) == set(range(7))
        assert (channels[2]["currency"], channels[2]["product"]) == ("BTC", "option")
        assert channels[2]["events"] == [["127.0.0.1", to.event_port]]
        assert channels[2]["snapshots"] == [["127.0.0.1", to.snapshot_port]]
        url = facts["http_url"] + "/api/v2/public/"
        listed = _asked(url + "get_instruments?currency=BTC&kind=option")
        ids = {one["instrument_id"]: one["instrument_name"] for one in listed}
        books = listener.follower.books
        ends = time.monotonic() + 20
        while not all(number in books and books[number].is_fresh for number in ids):
            assert time.monotonic() < ends
            select.select(listener.sockets, [], [], 1.0)
            listener.drain()
        assert {listener.follower.channel_of[number] for number in ids} == {2}
        same = 0
        for number, name in list(ids.items())[::12]:  # read a moment later, each may have moved on
            shown = _asked(url + f"get_order_book?instrument_name={name}&depth=1000")
            listener.drain()
            book = books[number]
            if book.is_fresh and book.change_id == shown["change_id"]:
                assert [[p, book.bids[p]] for p in sorted(book.bids, reverse=True)] == shown["bids"]
                assert [[p, book.asks[p]] for p in sorted(book.asks)] == shown["asks"]
                same += 1
        assert same > 10
    finally:
        process.terminate()
        assert process.wait(20) == 0
        listener.close()


def _asked(url: str) -> Any:
    with urlopen(url) as answer:
        return json.load(answer)["result"]


async def test_multicast_groups_of_this_machine() -> None:
    ports = [_bound(), _bound()]
    events, snapshots = (one.getsockname()[1] for one in ports)
    config = MulticastConfig(mode="multicast", event_port=events, snapshot_port=snapshots)
    address = feed_address(config, ("BTC", "ETH"), 0, 0)
    assert (address.event_port, address.snapshot_port) == (events, snapshots)
    assert address.groups == tuple(f"239.111.111.{number}" for number in (0, 1, 4, 3, 6, 2, 5))
    for one in ports:
        one.close()
    listener = Listener()
    listener.close()
    listener.sockets = [_joined(address.groups, address.host, port) for port in (events, snapshots)]
    try:
        async with serving(multicast=config) as venue:
            every = {*range(7), *range(101, 107)}
            await until_read(lambda: set(listener.follower.sequences) == every, listener)
            await until_read(lambda: not different(venue, listener.follower), listener)
    finally:
        listener.close()


def _joined(groups: tuple[str, ...], host: str, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    one.setblocking(False)
    one.bind(("", port))
    for group in groups:
        request = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(host))
        try:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        except OSError as error:
            one.close()
            pytest.skip(f"no multicast on loopback here: {error}")
    return one


async def test_what_a_socket_refuses_is_counted_and_never_waited_for() -> None:
    config = MulticastConfig(destinations=(Destination(event_port=9, snapshot_port=9),))
    sender = Sender(config, destinations(config))
    await sender.start(lambda _message: None)
    sender.send(Datagram(2, b"x" * 100_000))  # longer than a datagram can be: EMSGSIZE
    assert (sender.sent_count, sender.refused_count) == (0, 1)
    sender.send(Datagram(2, b"x" * 1_458))
    assert (sender.sent_count, sender.refused_count) == (1, 1)
    await sender.stop()
