"""Listeners known by name: looked up off the loop, again and again."""

import asyncio
import socket

import pytest

from services.venue.multicast.sender import Sender
from services.venue.multicast.settings import Destination, MulticastConfig
from services.venue.outputs import Datagram
from tests.integration.server import until


@pytest.fixture
def listener():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        heard.setblocking(False)
        yield heard


async def test_a_name_is_looked_up_until_it_is_there(listener, monkeypatch):
    there: dict[str, str] = {}

    async def look_up(self, name, port, **_kinds):
        if name not in there:
            raise socket.gaierror(name)
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", (there[name], 0))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    monkeypatch.setattr("services.venue.multicast.sender.RESOLVE_S", 0.005)
    port = listener.getsockname()[1]
    to = Destination(host="market_making", event_port=port, snapshot_port=port)
    sender = Sender(MulticastConfig(), (to,))
    await sender.start(lambda _message: None)
    sender.send(Datagram(2, b"too early"))
    assert sender.sent_count == sender.refused_count == 0
    there["market_making"] = "127.0.0.2"  # an address that it had once
    await until(lambda: sender._found == there)
    there["market_making"] = "127.0.0.1"
    await until(lambda: sender._found == there)
    sender.send(Datagram(2, b"now"))
    await sender.stop()
    assert listener.recv(100) == b"now"


async def test_a_step_after_the_door_is_shut_ends_nobody(listener):
    port = listener.getsockname()[1]
    to = Destination(host="127.0.0.1", event_port=port, snapshot_port=port)
    sender = Sender(MulticastConfig(), (to,))
    await sender.start(lambda _message: None)
    sender.send(Datagram(2, b"before"))
    await sender.stop()
    sender.send(Datagram(2, b"after"))
    assert sender.sent_count == 1
    assert listener.recv(100) == b"before"


async def test_a_name_that_is_gone_keeps_its_last_address(listener, monkeypatch):
    answers = iter([[(0, 0, 0, "", ("127.0.0.1", 0))]])
    asked = []

    async def look_up(self, name, port, **_kinds):
        asked.append(name)
        try:
            return next(answers)
        except StopIteration:
            raise socket.gaierror(name) from None

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    monkeypatch.setattr("services.venue.multicast.sender.RESOLVE_S", 0.001)
    port = listener.getsockname()[1]
    sender = Sender(
        MulticastConfig(), (Destination(host="mm", event_port=port, snapshot_port=port),)
    )
    await sender.start(lambda _message: None)
    await until(lambda: len(asked) > 2)
    sender.send(Datagram(2, b"still"))
    await sender.stop()
    assert listener.recv(100) == b"still"
