"""The venue's edge on a real socket: any client, good or bad."""

import asyncio
import json

import aiohttp
import pytest

from services.venue.rpc import server as edge
from tests.integration.server import until
from tests.integration.venue_server import CLIENT_ID, CLIENT_SECRET, serving

LOGIN = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


def request(call_id, method, **params) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": call_id, "method": method, "params": params})


async def answer(socket, call_id):
    """Returns the answer to one call, past whatever notices come first."""
    while True:
        message = json.loads((await socket.receive(timeout=10)).data)
        if message.get("id") == call_id:
            return message


async def test_the_three_ways_in_agree():
    async with serving() as venue, aiohttp.ClientSession() as session:
        root = f"{venue.http_url}/api/v2"
        async with session.get(f"{root}/public/get_instruments?currency=BTC&kind=future") as got:
            by_get = await got.json()
        body = {"jsonrpc": "2.0", "id": "x", "method": "public/get_instruments",
                "params": {"currency": "BTC", "kind": "future"}}  # fmt: skip
        async with session.post(root, json=body) as got:
            by_post = await got.json()
        async with session.ws_connect(venue.ws_url) as socket:
            await socket.send_str(request(7, "public/get_instruments", currency="BTC",
                                          kind="future"))  # fmt: skip
            by_socket = await answer(socket, 7)
        assert by_get["result"] == by_post["result"] == by_socket["result"]
        assert by_post["id"] == "x"
        assert "id" not in by_get


async def test_errors_over_http_have_a_status_and_a_body():
    async with serving(has_crowd=False) as venue, aiohttp.ClientSession() as session:
        root = f"{venue.http_url}/api/v2"
        for path, status, code in (
            ("/public/ticker?instrument_name=X", 400, 13020),
            ("/public/nothing", 404, -32601),
            ("/private/get_positions", 401, 10000),
        ):
            async with session.get(root + path) as got:
                assert got.status == status
                assert (await got.json())["error"]["code"] == code
        async with session.post(root, data=b"\xff{") as got:
            assert (await got.json())["error"]["code"] == -32700
        async with session.post(root, data=b"x" * (2 << 20)) as got:
            assert got.status == 413


async def test_bad_frames_are_answered_and_a_huge_one_ends_only_its_own_connection():
    async with serving(has_crowd=False) as venue, aiohttp.ClientSession() as session:
        good = await session.ws_connect(venue.ws_url)
        bad = await session.ws_connect(venue.ws_url)
        for frame in ("", "{", "[" * 50_000, '{"id":1,"method":"public/test","params":{"a":NaN}}'):
            await bad.send_str(frame)
            assert json.loads((await bad.receive(timeout=10)).data)["error"]["code"] == -32700
        await bad.send_bytes(request(1, "public/test").encode())
        assert (await answer(bad, 1))["result"]["version"]
        await bad.send_str("x" * (2 << 20))
        closed = await bad.receive(timeout=10)
        assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        await good.send_str(request(1, "public/get_time"))
        assert (await answer(good, 1))["result"] > 10**12
        await until(lambda: venue.front.venue.connection_count() == 1)


async def test_a_dropped_socket_takes_its_orders_with_it():
    async with serving(has_crowd=False) as venue, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(venue.ws_url)
        await socket.send_str(request(1, "public/auth", **LOGIN))
        await answer(socket, 1)
        await socket.send_str(request(2, "private/enable_cancel_on_disconnect"))
        index_usd = venue.front.venue.exchange.marks.index_usd("BTC")
        await socket.send_str(request(3, "private/buy", instrument_name="BTC-PERPETUAL", amount=10,
                                      price=round(index_usd * 0.99)))  # fmt: skip
        assert (await answer(socket, 3))["result"]["order"]["order_state"] == "open"
        orders = venue.front.venue.exchange.orders
        assert len(orders.live(2)) == 1
        socket._response.connection.transport.abort()
        await until(lambda: not orders.live(2))


async def test_an_exhausted_session_is_answered_and_closed():
    async with serving(has_crowd=False) as venue, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(venue.ws_url)
        for number in range(150):
            await socket.send_str(request(number, "public/test"))
        answers = [json.loads(message.data) async for message in socket]
        codes = [answer.get("error", {}).get("code") for answer in answers]
        assert codes[-1] == 10028
        assert codes[:-1] == [None] * (len(codes) - 1)
        assert socket.close_code is not None


async def test_the_thirty_third_connection_is_refused():
    async with serving(has_crowd=False) as venue, aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(venue.ws_url) for _ in range(32)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(venue.ws_url)
        assert refused.value.status == 429
        assert len(sockets) == venue.front.venue.connection_count()


async def test_a_reader_that_never_reads_is_cut_off(monkeypatch):
    monkeypatch.setattr(edge, "BACKLOG_MAX", 50)
    async with serving() as venue, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(venue.ws_url)
        await socket.send_str(request(1, "public/auth", **LOGIN))
        await answer(socket, 1)
        socket._response.connection.transport.pause_reading()
        names = [i.name for i in venue.front.venue.exchange.instruments]
        channels = [f"ticker.{name}.100ms" for name in names] + [f"quote.{name}" for name in names]
        for start in range(0, len(channels), 900):
            await socket.send_str(request(2, "private/subscribe",
                                          channels=channels[start : start + 900]))  # fmt: skip
        await until(lambda: venue.front.venue.connection_count() == 0, 20_000)


async def test_a_client_that_leaves_in_the_middle_of_a_request_harms_nobody():
    async with serving(has_crowd=False) as venue, aiohttp.ClientSession() as session:
        _, writer = await asyncio.open_connection("127.0.0.1", venue.server.port)
        writer.write(b"GET /api/v2/public/get_instruments HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        writer.transport.abort()
        async with session.get(f"{venue.http_url}/api/v2/public/get_time") as got:
            assert (await got.json())["result"] > 10**12
