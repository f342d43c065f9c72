"""NATS behind the agent loop: nats-py with a rule for each of its traps.

A late ack or a broken connection sends the parcel again under its own id (outbox.py). A lossy
message is refused while the server is away, never buffered and sent late. A permission violation,
which nats-py only whispers to a callback, is an alarm that fails readiness. A half-open link is
found by pings in three seconds. A slow consumer on a lossless subject fails the agent. We never
give up reconnecting. Callbacks of ours that raise fail the agent, where nats-py would swallow it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.protocol import parser

from shared import streams
from shared.bus_login import BusLogin
from shared.bus_transport import RECONNECT_WAIT_S, PromptTransport, next_server
from shared.clock import NS_PER_S, Clock
from shared.outbox import ACK_TIMEOUT_NS, Outbox, OutboxFullError, Parcel
from shared.streams import StreamError

Receive = Callable[[Msg], None]
Headers = dict[str, str]

CONNECT_S_MAX = 5.0
PING_INTERVAL_S = 1
PINGS_OUTSTANDING_MAX = 2
API_TIMEOUT_S = 3.0
AGAIN_TIMEOUT_S = 1.5  # of what is asked again and again until there is a leader to answer it
SWEEP_INTERVAL_S = 0.1
LOSSY_PENDING_MAX = 4_096  # messages of one subscription that the loop has not yet taken
CRITICAL_PENDING_MAX = 262_144
PENDING_BYTES_MAX = 256 * 1024 * 1024
PARCEL_ATTEMPTS_MAX = 50
MESSAGE_ID_HEADER = "Nats-Msg-Id"


class BusError(RuntimeError):
    """The bus cannot go on; the process ends and is started again."""


@dataclass
class BusCounts:
    connected_count: int = 0
    lossy_refused_count: int = 0  # published while the server was away
    lossy_dropped: Counter[str] = field(default_factory=Counter)  # slow consumers, by their subject
    critical_dropped_count: int = 0
    resent_count: int = 0
    error_count: int = 0


@dataclass
class _Topic:
    is_critical: bool
    label: str


@dataclass
class Bus:
    """One connection. `on_failure` ends the agent; hooks run after each (re)connection.

    With a login the streams are the provisioner's to make: others wait until they are there."""

    url: str
    name: str
    clock: Clock
    on_failure: Callable[[BaseException], None]
    login: BusLogin | None = None
    counts: BusCounts = field(default_factory=BusCounts)
    alarm: str = ""  # why the bus cannot be trusted, latched
    outbox: Outbox = field(default_factory=Outbox)
    on_connected: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    on_tick: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    replicas: int = 1  # of each stream
    attend: Callable[[Receive, Msg], Awaitable[None]] | None = None  # receives when idle

    def __post_init__(self) -> None:
        self._client = Client()
        self._client._transport = PromptTransport(self.login)  # noqa: SLF001
        self._topics: dict[int, _Topic] = {}
        self._is_flowing = False  # connected, streams there, nothing waits before a new parcel
        self._is_closing = False
        self._ack_prefix = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovery: asyncio.Task[None] | None = None
        self._must_rebind = False
        self._looks: dict[Callable[[], Awaitable[None]], asyncio.Task[None]] = {}

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected

    @property
    def client(self) -> Client:
        """The connection itself, for the service protocol."""
        return self._client

    @property
    def server_address(self) -> str:
        url = self._client.connected_url
        return url.netloc if url else ""

    @property
    def keeps_streams(self) -> bool:
        return self.login is None or self.login.keeps_streams

    async def connect(self) -> None:
        """Connects, ensures the streams and starts the acks. Raises BusError if it cannot."""
        identity = self.login.options() if self.login is not None else {}
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                await self._client.connect(
                    self.url.split(","),
                    **identity,
                    name=self.name,
                    error_cb=self._on_error,
                    closed_cb=self._on_closed,
                    disconnected_cb=self._on_disconnected,
                    reconnected_cb=self._on_reconnected,
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_to_server_handler=lambda servers, _: next_server(
                        self._client, servers
                    ),
                    ping_interval=PING_INTERVAL_S,
                    max_outstanding_pings=PINGS_OUTSTANDING_MAX,
                    pending_size=-1,  # refuse while away: nothing is sent late
                    connect_timeout=3,
                    drain_timeout=2,
                )
        except (OSError, TimeoutError, nats_errors.Error) as error:
            raise BusError(f"no NATS at {self.url}: {error or 'no answer'}") from error
        self.counts.connected_count += 1
        self._ack_prefix = self._client.new_inbox()
        await self.subscribe(f"{self._ack_prefix}.*", self._on_ack, is_critical=True)
        await self._ensure_streams(CONNECT_S_MAX)
        self._is_flowing = True
        self._spawn(self._sweep)

    async def subscribe(
        self, subject: str, receive: Receive, *, is_critical: bool, queue: str = ""
    ) -> Subscription:
        """Subscribes; `receive` must not block, and an exception in it fails the agent."""

        async def take(message: Msg) -> None:
            try:
                if self.attend is None or subscription.pending_msgs:
                    receive(message)
                else:
                    await self.attend(receive, message)
            except Exception as error:  # noqa: BLE001  # nats-py would swallow it
                self.on_failure(error)

        subscription = await self._client.subscribe(
            subject,
            queue=queue,
            cb=take,
            pending_msgs_limit=CRITICAL_PENDING_MAX if is_critical else LOSSY_PENDING_MAX,
            pending_bytes_limit=PENDING_BYTES_MAX,
        )
        self._topics[subscription._id] = _Topic(is_critical, subject)  # noqa: SLF001
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        self._topics.pop(subscription._id, None)  # noqa: SLF001
        try:
            await subscription.unsubscribe()
        except nats_errors.Error:
            return  # closed or away: there is nothing left to end

    async def call(self, subject: str, body: bytes, timeout_s: float = API_TIMEOUT_S) -> bytes:
        """Returns the answer of one request. Raises BusError without one."""
        try:
            answer = await self._client.request(subject, body, timeout=timeout_s)
        except (nats_errors.Error, TimeoutError) as error:
            raise BusError(f"{subject}: {error or type(error).__name__}") from error
        data: bytes = answer.data
        return data

    async def publish(self, subject: str, data: bytes, headers: Headers | None = None) -> bool:
        """Publishes at most once, now or never; returns whether it left."""
        try:
            await self._client.publish(subject, data, headers=headers)
        except nats_errors.Error:
            self.counts.lossy_refused_count += 1
            return False
        return True

    def push(self) -> None:
        """Writes what was published. nats-py would a little later, in a task of its own: it finds
        nothing left to write. With a backlog in the socket that task's back-pressure is wanted."""
        client = self._client
        transport = client._transport  # noqa: SLF001
        if not isinstance(transport, TcpTransport) or not client.is_connected:
            return
        writer, waiting = transport._io_writer, client._pending  # noqa: SLF001
        if waiting and writer and not writer.transport.get_write_buffer_size():
            writer.writelines(waiting)
            client._pending, client._pending_data_size = [], 0  # noqa: SLF001

    async def post(self, parcel: Parcel) -> None:
        """Publishes to a stream, at least once and in order. Raises OutboxFullError."""
        self.outbox.put(parcel, self.clock.monotonic_ns())
        if self._is_flowing:
            await self._flush_waiting()

    async def take_back(self, path: Path) -> int:
        """Sends what an earlier life saved; returns how many."""
        count = self.outbox.load(path, self.clock.monotonic_ns())
        if self._is_flowing:
            await self._flush_waiting()
        return count

    async def flush(self, timeout_s: float) -> bool:
        """Waits until all parcels are stored; returns whether they were in time."""
        deadline_ns = self.clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while len(self.outbox):
            if self.clock.monotonic_ns() >= deadline_ns:
                return False
            await asyncio.sleep(0.005)
        return True

    async def self_test(self, subjects: list[str]) -> None:
        """Proves that we may publish to each subject, storing nothing: a probe of a stream that
        does not exist. Raises BusError with the server's word if we may not."""
        headers = {"Nats-Expected-Stream": "PROBE", PROBE_HEADER: "1"}
        for subject in subjects:
            await self.publish(subject, b"", headers)
        try:
            # nats-py's ping overtakes what is not yet written; errors come before the second pong.
            await self._client.flush(timeout=3)
            await self._client.flush(timeout=3)
        except nats_errors.Error as error:
            raise BusError(f"NATS did not answer: {error}") from error
        if self.alarm:
            raise BusError(self.alarm)

    async def close(self, timeout_s: float = 2.0) -> None:
        """Drains if the server is there, closes in any case, within the time."""
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        try:
            async with asyncio.timeout(timeout_s):
                if self._client.is_connected:
                    await self._client.drain()
        except (nats_errors.Error, TimeoutError):
            self.counts.error_count += 1
        try:
            async with asyncio.timeout(timeout_s):
                await self._client.close()
        except (nats_errors.Error, TimeoutError, OSError):
            self.counts.error_count += 1

    async def _ensure_streams(self, wait_s: float = 0.0) -> None:
        try:
            if self.keeps_streams:
                await streams.ensure(self.call, self.replicas)
            else:
                again = partial(self.call, timeout_s=AGAIN_TIMEOUT_S)
                await streams.require(self.call if wait_s else again, wait_s)
        except StreamError as error:
            raise BusError(str(error)) from error

    async def _flush_waiting(self) -> None:
        while (parcel := self.outbox.next_waiting()) is not None:
            headers = parcel.headers
            if parcel.message_id is not None:
                headers = {MESSAGE_ID_HEADER: parcel.message_id, **headers}
            self.counts.resent_count += parcel.attempt_count > 0
            token = self.outbox.send(self.clock.monotonic_ns())
            try:
                await self._client.publish(
                    parcel.subject,
                    parcel.data,
                    reply=f"{self._ack_prefix}.{token}",
                    headers=headers or None,
                )
            except nats_errors.MaxPayloadError as error:
                self.on_failure(error)
                return
            except nats_errors.Error:
                self._pause()
                return

    def _on_ack(self, message: Msg) -> None:
        token = int(message.subject.rpartition(".")[2])
        if message.headers and message.headers.get("Status"):  # 503: no JetStream there now
            self._recover()
            return
        error = msgspec.json.decode(message.data).get("error")
        if error is None:
            if self.outbox.confirm(token, self.clock.monotonic_ns()) and self._is_flowing:
                self._spawn(self._flush_waiting)
            return
        parcel = self.outbox.under_way(token)
        if parcel is None:
            return
        text = f"{parcel.subject} was refused: {error.get('description')}"
        is_full = error.get("err_code") in streams.FULL_CODES
        if is_full or parcel.attempt_count >= PARCEL_ATTEMPTS_MAX:
            self.on_failure(BusError(text))
        else:
            self._recover()

    def _pause(self) -> None:
        self._is_flowing = False
        self.outbox.recall()

    def _recover(self) -> None:
        """Stops the flow, waits for JetStream, then sends again in order what is unconfirmed."""
        self._pause()
        if self._recovery is None or self._recovery.done():
            self._recovery = self._spawn(self._bring_back)

    async def _bring_back(self) -> None:
        while True:
            try:
                await self._ensure_streams()
                if self._must_rebind:
                    self._must_rebind = False
                    for hook in self.on_connected:
                        await hook()
                    self.outbox.put_states_again(self.clock.monotonic_ns())
                break
            except (BusError, nats_errors.Error):
                self.counts.error_count += 1
                await asyncio.sleep(RECONNECT_WAIT_S)
        self._is_flowing = True
        await self._flush_waiting()

    async def _sweep(self) -> None:
        """Sends again what was not confirmed in time; lets followers look after themselves."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            if not self.is_connected:
                continue
            now_ns = self.clock.monotonic_ns()
            late_ns = now_ns - (self.outbox.oldest_sent_ns() or now_ns)
            if late_ns > ACK_TIMEOUT_NS or not self._is_flowing:
                self._recover()
            for hook in self.on_tick:  # none waits for another's answers
                if hook not in self._looks or self._looks[hook].done():
                    self._looks[hook] = self._spawn(hook)

    async def _on_disconnected(self) -> None:
        self._pause()

    async def _on_reconnected(self) -> None:
        self.counts.connected_count += 1
        self._must_rebind = True
        self._recover()

    async def _on_closed(self) -> None:
        if not self._is_closing:
            self.on_failure(BusError("NATS closed the connection for good"))

    async def _on_error(self, error: Exception) -> None:
        """Runs in nats-py's read loop: counts, latches, and returns at once."""
        self.counts.error_count += 1
        if isinstance(error, nats_errors.SlowConsumerError):
            topic = self._topics.get(error.sid, _Topic(is_critical=True, label=error.subject))
            if topic.is_critical:
                self.counts.critical_dropped_count += 1
                self.on_failure(BusError(f"slow consumer on {error.subject}: a message was lost"))
            else:
                self.counts.lossy_dropped[topic.label] += 1
        elif parser.PERMISSIONS_ERR in str(error):
            self.alarm = str(error)

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001  # a task's exception would go unseen
            self.on_failure(error)


PROBE_HEADER = "Hedgerow-Probe"

__all__ = ["Bus", "BusCounts", "BusError", "OutboxFullError", "Parcel"]
