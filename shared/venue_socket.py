"""The WebSocket that carries a venue session; reconnects for as long as the service runs.

It implements shared.service.Edge: the core's `VenueRequest`s go in, events come out. Waits between
attempts grow up to a bound, with jitter from a source handed in.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Protocol

import aiohttp

from shared.clock import Clock
from shared.service import Reading
from shared.venue_link import VenueRequest
from shared.venue_session import MESSAGE_BYTES_MAX, TIMER_INTERVAL_MS, SessionOutput, VenueSession

DERIBIT_TEST_URL = "wss://test.deribit.com/ws/api/v2"
CONNECT_S_MAX = 10.0
CLOSE_S_MAX = 1.0
BACKOFF_S_MIN = 0.1
BACKOFF_S_MAX = 10.0
BACKOFF_GROWTH = 1.2  # no wait is much more than a fifth of the time that the venue is away
STABLE_S = 5.0  # a connection that lived so long was a good one: the backoff starts anew
OUTGOING_MAX = 4096


class Log(Protocol):
    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...


class VenueKeysError(ValueError):
    """The keys of the venue account are missing; the text says which."""


class VenueSocket:
    """One venue session on one WebSocket."""

    accepts: frozenset[type] = frozenset({VenueRequest})

    def __init__(
        self, url: str, session: VenueSession, clock: Clock, jitter: random.Random, log: Log
    ) -> None:
        self.url = url
        self.session = session
        self._clock = clock
        self._jitter = jitter
        self._log = log
        self._deliver: Callable[[object], None] = lambda _event: None
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue(maxsize=OUTGOING_MAX)
        self._close_reason = ""
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closers: set[asyncio.Task[object]] = set()

    async def start(self, deliver: Callable[[object], None]) -> None:
        self._deliver = deliver
        self._tasks = [
            asyncio.create_task(self._run(), name="venue-socket"),
            asyncio.create_task(self._tick(), name="venue-timer"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._on_task_done)

    def send(self, message: object) -> None:
        assert isinstance(message, VenueRequest)
        self._take(self.session.on_request(message, self._clock.wall_ns()))

    def readings(self, now_ns: int) -> Iterator[Reading]:
        session = self.session
        here = (session.settings.session_name,)
        if session.connection_count:
            yield Reading("venue_session_up", session.is_up, here)
        yield Reading("venue_session_opened", session.connection_count, here)
        yield Reading("venue_budget_used_ratio", session.budget.used_ratio(now_ns), here)
        yield Reading("venue_waiting_count", session.waiting_count, here)
        yield Reading("venue_throttled", session.throttled_count, here)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """A task that ends by itself is a bug: told to the agent, which fails."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._deliver(error)

    async def _run(self) -> None:
        backoff_s = BACKOFF_S_MIN
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S_MAX)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                opened_ns = self._clock.monotonic_ns()
                reason = await self._connection(http)
                if (self._clock.monotonic_ns() - opened_ns) / 1e9 > STABLE_S:
                    backoff_s = BACKOFF_S_MIN
                wait_s = backoff_s * self._jitter.uniform(0.5, 1.0)
                self._log.warning(
                    "venue_link_down", url=self.url, reason=reason, retry_in_s=round(wait_s, 3)
                )
                await asyncio.sleep(wait_s)
                backoff_s = min(BACKOFF_S_MAX, BACKOFF_GROWTH * backoff_s)

    async def _connection(self, http: aiohttp.ClientSession) -> str:
        """Runs one connection to its end. Returns why it ended."""
        self._outgoing = asyncio.Queue(maxsize=OUTGOING_MAX)
        self._close_reason = ""
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                socket = await http.ws_connect(
                    self.url,
                    max_msg_size=MESSAGE_BYTES_MAX,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S_MAX),
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason = f"cannot reach {self.url}: {error or 'no answer in time'}"
            self._take(self.session.on_disconnected(reason, self._clock.wall_ns()))
            return reason
        self._socket = socket
        self._log.info("venue_link_open", url=self.url)
        sender = asyncio.create_task(self._write(socket, self._outgoing), name="venue-sender")
        try:
            self._take(self.session.on_connected(self._clock.wall_ns()))
            await self._read(socket)
        except (aiohttp.ClientError, OSError) as error:
            self._close_reason = self._close_reason or f"connection failed: {error}"
        finally:
            self._socket = None
            sender.cancel()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await sender
            with contextlib.suppress(Exception):
                await socket.close()
            reason = self._close_reason or f"closed by the venue (code {socket.close_code})"
            self._take(self.session.on_disconnected(reason, self._clock.wall_ns()))
        return reason

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        session, clock = self.session, self._clock
        async for message in socket:
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                self._take(session.on_bytes(message.data, clock.wall_ns()))
            elif message.type is aiohttp.WSMsgType.ERROR:
                self._close_reason = f"connection failed: {socket.exception()}"
                break
            if self._close_reason:
                break

    async def _write(
        self, socket: aiohttp.ClientWebSocketResponse, outgoing: asyncio.Queue[bytes]
    ) -> None:
        while True:
            data = await outgoing.get()
            try:
                await socket.send_frame(data, aiohttp.WSMsgType.TEXT)
            except (aiohttp.ClientError, OSError) as error:
                self._close(f"cannot send: {error}")
                return

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TIMER_INTERVAL_MS / 1000)
            self._take(self.session.on_timer(self._clock.wall_ns()))

    def _take(self, out: SessionOutput) -> None:
        for data in out.sends:
            try:
                self._outgoing.put_nowait(data)
            except asyncio.QueueFull:
                self._close("the venue does not read what is sent")
                break
        for event in out.events:
            self._deliver(event)
        if out.close_reason:
            self._close(out.close_reason)

    def _close(self, reason: str) -> None:
        socket = self._socket
        if self._close_reason or socket is None:
            return
        self._close_reason = reason
        closer = asyncio.create_task(socket.close(), name="venue-close")
        self._closers.add(closer)
        closer.add_done_callback(self._closers.discard)


def check_keys(url: str, client_id: str, client_secret: str) -> None:
    """Raises VenueKeysError, in words for a person, if a key of the account is missing."""
    missing = [
        name
        for name, value in (("client id", client_id), ("client secret", client_secret))
        if not value
    ]
    if missing:
        raise VenueKeysError(
            f"no {' and no '.join(missing)} for {url}: set DERIBIT_TEST_CLIENT_ID and"
            " DERIBIT_TEST_CLIENT_SECRET to the keys of a test.deribit.com account"
        )
