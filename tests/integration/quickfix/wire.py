"""A TCP wire that does one bad thing to the n-th message that passes it, whoever sent it."""

import asyncio
import re
from typing import Self

FRAME = re.compile(rb"8=FIX\.4\.4\x01.*?\x0110=\d{3}\x01", re.DOTALL)
HARMS = ("cut before", "cut after", "lose", "repeat")


class Wire:
    """Carries connections to a port. The message `at` (from 1, both ways counted together) is lost
    or repeated, or the connection is cut before or after it; after that the wire behaves."""

    def __init__(self, to_port: int, harm: str, at: int) -> None:
        assert harm in HARMS
        self.port = 0
        self.is_done = False
        self.passed = 0
        self._to_port = to_port
        self._harm, self._at = harm, at
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.close()
            return
        ways = [
            asyncio.create_task(self._carry(reader, far_writer)),
            asyncio.create_task(self._carry(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            far_writer.close()
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Ends when the connection does, or is to be cut."""
        buffer = b""
        while data := await reader.read(65_536):
            buffer += data
            end = 0
            for frame in FRAME.finditer(buffer):
                end = frame.end()
                if not self._pass(frame.group(), writer):
                    await writer.drain()
                    return
            buffer = buffer[end:]
            await writer.drain()

    def _pass(self, frame: bytes, writer: asyncio.StreamWriter) -> bool:
        """Passes a message on; False where the connection is to be cut."""
        self.passed += 1
        if self.is_done or self.passed != self._at:
            writer.write(frame)
            return True
        self.is_done = True
        if self._harm in ("cut after", "repeat"):
            writer.write(frame)
        if self._harm == "repeat":
            writer.write(frame)
        return not self._harm.startswith("cut")
