"""The FIX port on a socket: quotes go with a killed client, and strangers change nothing."""

import asyncio
import contextlib
import json
import signal
import sys
import time

import pytest

from services.venue.rpc.parameters import Params
from tests.integration.server import until
from tests.integration.venue_server import CLIENT_ID, CLIENT_SECRET, serving

DESK = 2
CLIENT = """
import json, os, socket, sys, time
from shared.fix.admin import Role
from shared.fix.codec import pack
from shared.fix.credentials import VENUE_NAME, logon_body
from shared.fix.session import Names, Session
ask = json.loads(sys.argv[1])
link = socket.create_connection(("127.0.0.1", ask["port"]))
session = Session(Role.INITIATOR, Names("KILLED", VENUE_NAME))
now_ns = time.time_ns()
body = logon_body(ask["client_id"], ask["client_secret"], os.urandom(32), 30, now_ns)
session.on_connected(now_ns, body, reset=True)
link.sendall(session.take())
while not session.is_up:
    session.on_bytes(link.recv(65536), time.time_ns())
fields = [(117, 1), (9019, "g"), (296, 1), (302, "s"), (295, len(ask["names"]))]
for number, name in enumerate(ask["names"]):
    fields += [(299, number), (55, name), (132, "0.0001"), (134, 1)]
session.send_application("i", pack(fields), time.time_ns())
link.sendall(session.take())
while True:
    session.on_bytes(link.recv(65536), time.time_ns())
"""


@contextlib.asynccontextmanager
async def quoting(venue, count):
    """A client in a process of its own that quotes `count` options."""
    exchange = venue.front.venue.exchange
    groups = exchange.groups_of(DESK)
    terms = {"index_name": "btc_usd", "mmp_group": "g", "interval": 5, "frozen_time": 1,
             "max_quote_quantity": 10.0}  # fmt: skip
    groups.configure(Params(terms), ("btc_usd",))
    names = [i.name for i in exchange.instruments if i.kind == "option" and i.underlying == "BTC"]
    ask = {"port": venue.fix_server.port, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
           "names": names[:count]}  # fmt: skip
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, json.dumps(ask))
    try:
        await until(lambda: exchange.orders.quote_count(DESK) > 0, 20_000)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_killed_clients_quotes_are_gone_within_a_second():
    async with serving(has_crowd=False) as venue, quoting(venue, 50) as process:
        exchange = venue.front.venue.exchange
        assert exchange.orders.quote_count(DESK) > 20
        began = time.monotonic()
        process.send_signal(signal.SIGKILL)
        await until(lambda: exchange.orders.quote_count(DESK) == 0, 5_000)
        assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"8=FIX.4.4\x019=5\x0135=0\x0110=161\x01",
        b"8=FIX.4.4\x019=999999999\x01",
        bytes(range(256)) * 100,
    ],
)
async def test_a_stranger_is_cut_off(data):
    async with serving(has_crowd=False) as venue:
        reader, writer = await asyncio.open_connection("127.0.0.1", venue.fix_server.port)
        writer.write(data)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await until(lambda: venue.front.venue.connection_count() == 0)


async def test_one_address_has_so_many_connections_and_no_more():
    async with serving(has_crowd=False) as venue:
        links = [
            await asyncio.open_connection("127.0.0.1", venue.fix_server.port) for _ in range(33)
        ]
        await until(lambda: venue.front.venue.connection_count() == 32)
        last_reader, _ = links[-1]
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(last_reader.read(), 5) == b""
        for _, writer in links:
            writer.close()
        await until(lambda: venue.front.venue.connection_count() == 0)
