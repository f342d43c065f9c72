import asyncio
import contextlib
import ssl
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlparse, urlsplit

import pytest
import uvloop
from nats.aio.client import Server

from infra import bus_keys
from shared.bus_transport import (
    BUFFER_BYTES,
    RECONNECT_JITTER_S,
    RECONNECT_WAIT_S,
    PromptTransport,
    next_server,
)

SERVERS: list[Any] = [Server(uri=urlsplit(f"nats://{name}:4222")) for name in "abc"]


def client_of(last: Any) -> Any:
    return SimpleNamespace(_current_server=last)


def test_the_next_server_is_any_but_the_last():
    for last in SERVERS:
        found = [next_server(client_of(last), SERVERS) for _ in range(200)]
        chosen = {server.uri.netloc for server, _ in found}
        assert chosen == {one.uri.netloc for one in SERVERS if one is not last}
        waits = [wait_s for _, wait_s in found]
        assert min(waits) >= RECONNECT_WAIT_S
        assert max(waits) <= RECONNECT_WAIT_S + RECONNECT_JITTER_S
        assert len(set(waits)) > 100


def test_the_only_server_is_tried_again():
    assert next_server(client_of(SERVERS[0]), SERVERS[:1])[0] is SERVERS[0]
    assert next_server(client_of(None), SERVERS[:1])[0] is SERVERS[0]


@pytest.mark.parametrize("is_secured", [False, True])
def test_what_came_while_the_agent_was_at_work_is_read_at_once(tmp_path, is_secured):
    """So a flood waits where it is shed, not in the server."""
    bus_keys.write_certificates(tmp_path, ("127.0.0.1",), kept_in=tmp_path)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    ours = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_secured:
            await writer.start_tls(theirs)
        writer.write(bytes(4 * BUFFER_BYTES))
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    async def read() -> int:
        async with await asyncio.start_server(flood, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            uri = urlparse(f"nats://127.0.0.1:{port}")
            transport = PromptTransport()
            await transport.connect(uri, 32_768, 5)
            if is_secured:
                await transport.connect_tls(uri, ours, 32_768, 5)
            await asyncio.sleep(0.3)
            data = await transport.read(4 * BUFFER_BYTES)
            transport.close()
            await transport.wait_closed()
            return len(data)

    assert uvloop.run(read()) >= BUFFER_BYTES
