"""The socket under a venue session, against a real WebSocket server on this machine."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import WSMsgType, web

from shared.clock import SystemClock
from shared.venue_link import LinkSettings, VenueDown, VenueReply, VenueRequest, VenueUp
from shared.venue_session import VenueSession
from shared.venue_socket import VenueKeysError, VenueSocket, check_keys


class QuietLog:
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...


class ScriptedVenue:
    """Accepts every login; echoes the method of any other call; can drop its connections."""

    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            call = json.loads(message.data)
            result: object = call["method"]
            if call["method"] == "public/auth":
                result = {"access_token": "a", "refresh_token": "r", "expires_in": 900}
            await socket.send_json({"jsonrpc": "2.0", "id": call["id"], "result": result})
        return socket


@pytest.fixture
async def venue() -> AsyncIterator[ScriptedVenue]:
    scripted = ScriptedVenue()
    application = web.Application()
    application.router.add_get("/ws/api/v2", scripted.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    scripted.url = f"ws://127.0.0.1:{port}/ws/api/v2"
    yield scripted
    await runner.cleanup()


def new_socket(url: str) -> VenueSocket:
    settings = LinkSettings(session_name="test", cancel_on_disconnect=True)
    session = VenueSession(settings, "cid", "secret", lambda: "nonce")
    return VenueSocket(url, session, SystemClock(), random.Random(1), QuietLog())


async def until(condition: Callable[[], bool], deadline_s: float = 5.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - the condition is any callable
            await asyncio.sleep(0.005)


def kinds(events: list[object]) -> list[type]:
    return [type(event) for event in events]


async def test_request_crosses_and_a_dropped_connection_is_reopened(venue: ScriptedVenue) -> None:
    events: list[object] = []
    socket = new_socket(venue.url)
    await socket.start(events.append)
    try:
        await until(lambda: VenueUp in kinds(events))
        socket.send(VenueRequest(1, "public/get_time", {}))
        await until(lambda: VenueReply in kinds(events))
        assert events[-1].result == "public/get_time"
        await venue.sockets[0].close()
        await until(lambda: kinds(events).count(VenueUp) == 2)
        assert VenueDown in kinds(events)
    finally:
        await socket.stop()


async def test_unreachable_venue_is_reported_in_words() -> None:
    events: list[object] = []
    socket = new_socket("ws://127.0.0.1:1/ws/api/v2")
    await socket.start(events.append)
    try:
        await until(lambda: VenueDown in kinds(events))
        assert "cannot reach ws://127.0.0.1:1" in events[0].reason
    finally:
        await socket.stop()


def test_missing_keys_are_named() -> None:
    check_keys("wss://test.deribit.com", "id", "secret")
    with pytest.raises(VenueKeysError, match="no client secret for wss://test"):
        check_keys("wss://test.deribit.com", "id", "")
