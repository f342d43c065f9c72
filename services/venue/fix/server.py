"""The FIX port: bytes between sockets and the core; decides nothing."""

import asyncio
from collections.abc import Callable
from typing import cast

from services.venue.core import CONNECTIONS_PER_PEER_MAX
from services.venue.front import Gone, Opened, Received
from services.venue.outputs import FixClose, FixSend
from shared.clock import Clock, SystemClock

FIRST_CONNECTION = 1 << 40  # beyond the WebSockets' numbers
BACKLOG_BYTES_MAX = 32 << 20  # that a slow reader may leave; beyond, it is cut off


class FixServer:
    """One listening port. Everything received goes to the core as it comes."""

    accepts = frozenset({FixSend, FixClose})

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self.port = port
        self._host = host
        self._clock = clock
        self._real = SystemClock()
        self._count = 0
        self._deliver: Callable[[object], None] = lambda _message: None
        self._transports: dict[int, asyncio.Transport] = {}
        self._peers: dict[str, int] = {}
        self._server: asyncio.Server | None = None

    async def start(self, deliver: Callable[[object], None]) -> None:
        self._deliver = deliver
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Socket(self), self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def send(self, message: object) -> None:
        match message:
            case FixSend(connection_id, data):
                transport = self._transports.get(connection_id)
                if transport is None:
                    return
                transport.write(data)  # TCP_NODELAY: asyncio and uvloop set it themselves
                if transport.get_write_buffer_size() > BACKLOG_BYTES_MAX:
                    transport.abort()
            case FixClose(connection_id, _):
                transport = self._transports.pop(connection_id, None)
                if transport is not None:
                    transport.close()
            case _:
                raise AssertionError(f"the FIX port takes no {type(message).__name__}")

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for transport in list(self._transports.values()):
            transport.close()
        self._transports.clear()
        self._server = None

    def on_open(self, transport: asyncio.Transport, peer: str) -> int:
        """Returns the number of a new connection; 0 for one too many from its address."""
        if self._peers.get(peer, 0) >= CONNECTIONS_PER_PEER_MAX:
            return 0
        self._peers[peer] = self._peers.get(peer, 0) + 1
        connection_id = FIRST_CONNECTION + self._count
        self._count += 1
        self._transports[connection_id] = transport
        self._deliver(Opened(connection_id, self._clock.wall_ns(), "fix"))
        return connection_id

    def on_data(self, connection_id: int, data: bytes) -> None:
        now_ns, real_ns = self._clock.wall_ns(), self._real.wall_ns()
        self._deliver(Received(connection_id, data, now_ns, real_ns))

    def on_lost(self, connection_id: int, peer: str) -> None:
        self._transports.pop(connection_id, None)
        self._peers[peer] -= 1
        if not self._peers[peer]:
            del self._peers[peer]
        self._deliver(Gone(connection_id, self._clock.wall_ns()))


class _Socket(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: FixServer) -> None:
        self._server = server
        self._connection_id = 0
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if name else ""
        self._connection_id = self._server.on_open(transport, self._peer)
        if not self._connection_id:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._connection_id:
            self._server.on_data(self._connection_id, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._connection_id:
            self._server.on_lost(self._connection_id, self._peer)
