"""Wires that can be cut, slowed, and made to lose, double and swap messages.

A TCP wire forwards bytes; on the open bus it knows NATS' messages from the server and plays its
tricks on whole ones, of lossy subjects only. A UDP wire does so with datagrams.
"""

import asyncio
import contextlib
import random
import re
from collections.abc import Callable

from chaos.faults import WireFault

LOOK_S = 0.05
CHUNK = 64 * 1024
LOSSY = (b"market.ticks.", b"quoting.quotes.", b"risk.lease.", b"desk.heartbeat.")
_MESSAGE = re.compile(rb"(H?MSG) (\S+) [^\r\n]*?(\d+)\r\n")
FaultOf = Callable[[], WireFault]


class TcpWire:
    """Listens on a port of loopback and forwards to an address, as its fault lets it."""

    def __init__(self, target: tuple[str, int], fault: FaultOf, *, knows_nats: bool) -> None:
        self._target = target
        self._fault = fault
        self._knows_nats = knows_nats
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._watching: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        assert self._server is not None
        assert self._watching is not None
        self._watching.cancel()
        self._server.close()
        self._drop_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if self._fault().is_cut:
                self._drop_all()

    def _drop_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault().is_cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        back = MessageTricks(self._fault) if self._knows_nats else None
        ways = [
            asyncio.create_task(self._forward(reader, far_writer, None)),
            asyncio.create_task(self._forward(far_reader, writer, back)),
        ]
        self._tasks |= set(ways)
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self._tasks -= set(ways)
            for one in (writer, far_writer):
                one.transport.abort()
            self._writers -= {writer, far_writer}

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tricks: "MessageTricks | None",
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(CHUNK):
                fault = self._fault()
                while fault.is_dead:  # what is on its way stays there until the wire lives again
                    await asyncio.sleep(LOOK_S)
                    fault = self._fault()
                if fault.delay_ms:
                    await asyncio.sleep(fault.delay_ms / 1000)
                writer.write(tricks.apply(data) if tricks is not None else data)
                await writer.drain()


class MessageTricks:
    """Cuts what a NATS server says into messages; loses, doubles and swaps some."""

    def __init__(self, fault: FaultOf) -> None:
        self._fault = fault
        self._rest = b""
        self._random = random.Random(1)
        self._held = b""

    def apply(self, data: bytes) -> bytes:
        self._rest += data
        out = b""
        while True:
            found = _MESSAGE.match(self._rest)
            if found is None:
                line, end, rest = self._rest.partition(b"\r\n")
                if not end or line.startswith((b"MSG ", b"HMSG ")):
                    return out
                out += line + end
                self._rest = rest
                continue
            whole = found.end() + int(found[3]) + 2
            if len(self._rest) < whole:
                return out
            message, self._rest = self._rest[:whole], self._rest[whole:]
            out += self._trick(message) if found[2].startswith(LOSSY) else message

    def _trick(self, message: bytes) -> bytes:
        fault = self._fault()
        chance = self._random.random()
        held, self._held = self._held, b""
        if chance < fault.drop_share:
            return held
        if chance < fault.drop_share + fault.double_share:
            return message + message + held
        if not held and chance < fault.drop_share + fault.double_share + fault.swap_share:
            self._held = message
            return b""
        return message + held


class UdpWire(asyncio.DatagramProtocol):
    """Takes datagrams on one port and passes them on to another, as its fault lets it."""

    def __init__(self, target: tuple[str, int], fault: FaultOf) -> None:
        self._target = target
        self._fault = fault
        self._random = random.Random(2)
        self._held: bytes | None = None
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", port)
        )
        self._transport = transport

    async def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        del addr
        assert self._transport is not None
        fault = self._fault()
        chance = self._random.random()
        if fault.is_dead or fault.is_cut or chance < fault.drop_share:
            return
        held, self._held = self._held, None
        if held is None and chance < fault.drop_share + fault.swap_share:
            self._held = data
            return
        for one in (data, data if chance > 1.0 - fault.double_share else None, held):
            if one is not None:
                self._transport.sendto(one, self._target)
