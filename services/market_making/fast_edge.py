"""market_making's own contact with the outside: the C path with its datagrams, FIX and thread.

Words of the core go into the path's rings, and what the path did comes back in batches: records to
the journal and the core, session messages to the FIX line, counters to the core. Nothing here is
on the way of a tick.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import structlog
from numpy.typing import NDArray

from native import path_records as records
from native.fast_path import BATCH, MODES, FastPath
from native.path_records import Stats
from services.market_making.core import Config
from services.market_making.fix_line import SENDER, TARGET, FixLine
from services.market_making.path_words import (
    WORDS,
    FixDown,
    FixUp,
    Record,
)
from services.market_making.path_writer import put, read, status_of
from services.market_making.quoter import FAILURE_HOLD_NS, REJECT_HOLD_NS, RETRY_NS
from shared.clock import NS_PER_MS, NS_PER_S, NS_PER_US, Clock, SystemClock
from shared.configuration import DeskConfig, FeedAddress, Runtime
from shared.fix.admin import Event, LoggedOn, LoggedOut
from shared.journal import Journal, JournalError
from shared.redaction import read_secret
from shared.service import Reading
from shared.telemetry import Log
from shared.venue_socket import BACKOFF_GROWTH

LOOK_S = 0.02  # between looks at the rings
QUOTES_S = 0.1  # between takes of records that nobody waits for: each makes the loop's core colder
STATUS_S = 0.25
CONNECT_S_MAX = 2.0
RETRY_S_MIN = 0.05
RETRY_S_MAX = 1.0
JOURNAL_KIND = "path.records.v1"
JOURNAL_GROUP_S = 0.1  # nobody waits for these, and each sync takes a core from the loop
COMPRESSION = 1
RECORDS = 65_536  # 16 MiB: a second and more of the most that a core can cause, undrained
COMMANDS = 4_096
MESSAGES = 64
WAKE_NS = 10 * NS_PER_MS
STATS_NS = 50 * NS_PER_MS
SPINNING_CORES_MIN = 4
RECEIVE_BYTES = 4 * 1024 * 1024


class FastEdge:
    """One path, one FIX session. Implements shared.service.Edge."""

    accepts: frozenset[type] = WORDS

    def __init__(
        self,
        path: FastPath,
        fix_address: tuple[str, int],
        keys: tuple[str, str],
        journal_path: Path,
        clock: Clock,
    ) -> None:
        self._path = path
        self._fix_address = fix_address
        self._keys = keys
        self._journal_path = journal_path
        self._clock = clock
        self._log: Log = structlog.get_logger()
        self._journal: Journal | None = None
        self._deliver: Callable[[object], None] = lambda _event: None
        self._tasks: list[asyncio.Task[None]] = []
        self._lost = asyncio.Event()
        self._is_connected = False
        self._status_ns = 0
        self._bytes = (0, 0)  # in and out, when last looked at
        self._heard_ns = self._sent_ns = 0
        self._quoted: dict[tuple[int, int], Record] = {}  # for traces
        self._stats: Stats | None = None  # the newest
        self._taken_count = 0  # records, out of the ring
        self._urgent_count = 0  # records that somebody waited for, when some were last taken
        self._taken_ns = 0
        self._opened_count = 0

    async def start(self, deliver: Callable[[object], None]) -> None:
        loop = asyncio.get_running_loop()
        self._deliver = deliver

        def fail(error: JournalError) -> None:
            loop.call_soon_threadsafe(deliver, error)

        self._journal = Journal(self._journal_path, group_s=JOURNAL_GROUP_S, on_failure=fail)
        self._line = FixLine(self, *self._keys, lambda: secrets.token_bytes(24))
        self._path.run()
        self._tasks = [
            asyncio.create_task(self._look(), name="path-rings"),
            asyncio.create_task(self._connect(), name="path-fix"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._on_task_done)

    def send(self, message: object) -> None:
        put(self._path, message)
        self._path.wake()

    def readings(self, now_ns: int) -> Iterator[Reading]:
        if self._opened_count:
            yield Reading("venue_session_up", self._is_connected and self._line.is_up, ("fix",))
        yield Reading("venue_session_opened", self._opened_count, ("fix",))
        stats = self._stats
        if self._journal is None or stats is None:
            return  # not started
        yield from self._journal.readings(now_ns)
        if stats.event_ns:
            yield Reading("multicast_age_seconds", (now_ns - stats.event_ns) / NS_PER_S)
        yield Reading("multicast_datagram", stats.datagrams)
        yield Reading("multicast_message", stats.feed_messages)
        yield Reading("multicast_gap", stats.feed_gaps)
        yield Reading("multicast_stale_count", stats.stale_instruments)
        yield Reading("path_record", stats.records)
        yield Reading("path_record_lost", stats.records_lost)
        waiting = max(0, stats.records - self._taken_count)
        yield Reading("ring_used_ratio", waiting / RECORDS)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self._tasks:
            return
        self._tasks = []
        if self._is_connected and self._line.is_up:
            self._line.log_out(self._clock.wall_ns())
            await asyncio.sleep(LOOK_S)
        self._path.close()
        self._take_records()
        if self._journal is not None:
            with contextlib.suppress(JournalError):
                self._journal.close()

    # What the FIX line needs

    def send_fix(self, msg_type: str, body: bytes, repeat_as: int) -> None:
        self._path.send(msg_type, body, repeat_as)

    def close_fix(self) -> None:
        self._path.connect(-1)

    # The FIX connection

    async def _connect(self) -> None:
        """Connects again whenever the connection is gone."""
        wait_s = RETRY_S_MIN
        while True:
            try:
                handle = await _open_socket(self._fix_address)
            except (OSError, TimeoutError):
                await asyncio.sleep(wait_s)
                wait_s = min(RETRY_S_MAX, BACKOFF_GROWTH * wait_s)
                continue
            self._lost.clear()
            now_ns = self._clock.wall_ns()
            self._path.connect(handle)
            await self._lost.wait()
            was_up_s = (self._clock.wall_ns() - now_ns) / NS_PER_S
            wait_s = RETRY_S_MIN if was_up_s > 1.0 else min(RETRY_S_MAX, BACKOFF_GROWTH * wait_s)
            await asyncio.sleep(wait_s)

    def _on_events(self, events: list[Event], now_ns: int) -> None:
        for event in events:
            if isinstance(event, LoggedOn):
                self._path.set_logged_on(is_logged_on=True)
                self._opened_count += 1
                self._log.info("fix_session_open")
                self._deliver(FixUp(now_ns))
            elif isinstance(event, LoggedOut):
                self._path.set_logged_on(is_logged_on=False)
                self._log.warning("fix_session_lost", reason=event.reason)
                self._deliver(FixDown(now_ns, event.reason))

    def _on_session(self, record: Record, now_ns: int) -> None:
        if record.code == records.SESSION_CONNECTED:
            self._is_connected = True
            self._heard_ns = self._sent_ns = now_ns
            self._line.on_connected(now_ns)
        elif record.code == records.SESSION_LOST:
            reason = self._line.close_reason or "the FIX connection was closed"
            self._on_events(self._line.on_lost(reason, now_ns), now_ns)
            self._is_connected = False
            self._lost.set()
        elif record.code == records.SESSION_GAP:
            self._on_events(self._line.on_gap(record.counted, record.other, now_ns), now_ns)
        elif record.code == records.SESSION_GAP_FILLED:
            self._line.on_gap_filled(record.counted)
        elif record.code == records.SESSION_SEQUENCE_LOW:
            text = f"expected message {record.counted}, got {record.other}"
            self._on_events(self._line.on_broken(text, now_ns), now_ns)

    # What the path did

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            now_ns = self._clock.wall_ns()
            for message in self._path.messages():  # a Logout says why the connection is gone
                self._heard_ns = now_ns
                if not message.is_cut:
                    self._on_events(self._line.on_message(message.raw, now_ns), now_ns)
            self._path.flush()
            if self._is_due(now_ns):
                self._take_records()
            stats = self._path.stats()
            if stats is not None:
                self._on_stats(stats, now_ns)

    def _is_due(self, now_ns: int) -> bool:
        """Returns whether records are to be taken: somebody waits for one, or it is time."""
        urgent_count = self._path.urgent_count
        waited_ns = now_ns - self._taken_ns
        is_due = urgent_count != self._urgent_count or not 0 <= waited_ns < QUOTES_S * NS_PER_S
        if is_due:
            self._urgent_count, self._taken_ns = urgent_count, now_ns
        return is_due

    def _take_records(self) -> None:
        """Takes what is there now: what comes while it is dealt with has the next look."""
        is_all = False
        while not is_all:
            batch = self._path.records()
            is_all = len(batch) < BATCH
            if len(batch):
                self._on_batch(batch, self._clock.wall_ns())

    def _on_batch(self, batch: NDArray[np.void], now_ns: int) -> None:
        assert self._journal is not None  # opened before the path runs
        self._taken_count += len(batch)
        packed = zlib.compress(batch.tobytes(), COMPRESSION)
        self._journal.append(now_ns, JOURNAL_KIND, packed)
        told = read(now_ns, batch, self._quoted)
        for record in told.records:
            if record.kind == records.SESSION:
                self._on_session(record, now_ns)
        self._deliver(told)

    def _on_stats(self, stats: Stats, now_ns: int) -> None:
        self._stats = stats
        counted = (stats.stream_bytes_in, stats.stream_bytes_out)
        if counted[0] != self._bytes[0]:
            self._heard_ns = now_ns
        if counted[1] != self._bytes[1]:
            self._sent_ns = now_ns
        self._bytes = counted
        if self._is_connected:
            events = self._line.on_timer(now_ns, stats.next_in, self._heard_ns, self._sent_ns)
            self._on_events(events, now_ns)
        if now_ns - self._status_ns >= STATUS_S * NS_PER_S:
            self._status_ns = now_ns
            self._deliver(status_of(stats, now_ns))

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """A task that ends by itself is a bug: told to the agent, which fails."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._deliver(error)


def open_edge(config: Config, desk: DeskConfig, runtime: Runtime, feed: FeedAddress) -> FastEdge:
    """Returns the edge of a run. Raises ConfigurationError if the account's key is not there."""
    secret = read_secret(runtime.venue_client_secret_path)
    sender = runtime.instance(SENDER)
    path = FastPath(sender, TARGET, path_config(config, desk), loop_config(config, runtime))
    for is_snapshot, port in ((False, feed.event_port), (True, feed.snapshot_port)):
        for address in feed.groups or (runtime.listen_host,):
            path.listen(address, port, feed.host, is_snapshot=is_snapshot)
    url = urlsplit(runtime.venue_fix_url)
    return FastEdge(
        path,
        (url.hostname or "127.0.0.1", url.port or 0),
        (runtime.venue_client_id, secret),
        Path(runtime.directory) / f"{runtime.instance('market_making')}.journal",
        SystemClock(runtime.clock_offset_ns),
    )


def path_config(config: Config, desk: DeskConfig) -> dict[str, float]:
    """Returns the block of hr_path_init; the times are those of quoting over the WebSocket."""
    return {
        "underlying_count": len(desk.underlyings),
        "slot_count": config.instruments_max,
        "record_capacity": RECORDS,
        "command_capacity": COMMANDS,
        "message_capacity": MESSAGES,
        "in_flight_max": config.in_flight_max,
        "feed_silence_ns": config.feed_silence_ms * NS_PER_MS,
        "answer_ns_max": config.answer_ms_max * NS_PER_MS,
        "retry_ns": RETRY_NS,
        "refused_hold_ns": REJECT_HOLD_NS,
        "failed_hold_ns": FAILURE_HOLD_NS,
        "decide_ns": config.decide_interval_ms * NS_PER_MS,
        "exposed_max": min(getattr(config, name).exposed_max for name in desk.underlyings),
    }


def waiting_of(config: Config, core_count: int) -> str:
    """Returns how the thread waits: it spins only where that takes no core from an agent."""
    if config.waiting != "auto":
        return config.waiting
    return "adaptive" if core_count >= SPINNING_CORES_MIN else "blocking"


def priority_of(config: Config, waiting: str) -> int:
    """Returns the thread's real-time priority: none for one that never sleeps, unless it has a core
    of its own, for it would leave its core to nobody."""
    return config.priority if waiting != "busy" or config.cpu >= 0 else 0


def loop_config(config: Config, runtime: Runtime) -> dict[str, float]:
    waiting = waiting_of(config, len(os.sched_getaffinity(0)))
    return {
        "offset_ns": runtime.clock_offset_ns,
        "wake_ns": WAKE_NS,
        "spin_ns": config.spin_us * NS_PER_US,
        "stats_ns": STATS_NS,
        "mode": MODES[waiting],
        "cpu": config.cpu,
        "busy_poll_us": config.busy_poll_us,
        "receive_bytes": RECEIVE_BYTES,
        "priority": priority_of(config, waiting),
    }


async def _open_socket(address: tuple[str, int]) -> int:
    """Returns the handle of a connected socket, its owner's to close."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(CONNECT_S_MAX):
            await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection.detach()
