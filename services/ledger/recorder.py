"""The ledger's edge: the journal's file and the projection's database.

An entry becomes a record for the stream only once it is durable on disk: the stream never knows
more than the journal.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from services.ledger.entries import Append, Appended, Body, Flush, Opened, Row
from services.ledger.projection import Projection
from shared.configuration import read_runtime
from shared.journal import Entry, Journal, read_entries
from shared.messages.desk import RecordV1
from shared.service import Reading

FILE_NAME = "ledger.journal"
TAIL_MAX = 256  # records shipped again at a start: more than can be under way at a crash
NS_PER_US = 1000


class Recorder:
    accepts: frozenset[type] = frozenset({Append, Row, Flush})

    def __init__(self, directory: str = "") -> None:
        self._directory = directory or read_runtime().directory
        self._deliver: Callable[[object], None] | None = None
        self._journal: Journal | None = None
        self._projection: Projection | None = None
        self._under_way: deque[Entry] = deque()  # not yet durable

    async def start(self, deliver: Callable[[object], None]) -> None:
        loop = asyncio.get_running_loop()
        path = Path(self._directory) / FILE_NAME
        self._deliver = deliver
        self._projection = Projection(self._directory)
        self._journal = Journal(
            path,
            on_durable=lambda sequence: _call(loop, self._on_durable, sequence),
            on_failure=lambda error: _call(loop, deliver, error),
        )
        deliver(read_opened(path))

    def send(self, message: object) -> None:
        assert self._journal is not None
        assert self._projection is not None
        if isinstance(message, Append):
            self._under_way.append(
                self._journal.append(message.created_ns, message.kind, message.payload)
            )
        elif isinstance(message, Row):
            self._projection.put(message.table, message.key, message.values)
        else:
            self._projection.flush()

    def readings(self, now_ns: int) -> Iterable[Reading]:
        return self._journal.readings(now_ns) if self._journal is not None else ()

    async def stop(self) -> None:
        if self._journal is not None:
            self._journal.close()
        if self._projection is not None:
            self._projection.close()

    def _on_durable(self, sequence: int) -> None:
        assert self._deliver is not None
        while self._under_way and self._under_way[0].sequence <= sequence:
            self._deliver(Appended(record(self._under_way.popleft())))


def record(entry: Entry) -> RecordV1:
    """Returns an entry as the stream carries it."""
    return RecordV1(
        created_ns=entry.created_us * NS_PER_US,
        sequence=entry.sequence,
        kind=entry.kind,
        payload=msgspec.Raw(entry.payload),
        previous_hash=entry.previous_hash,
        entry_hash=entry.entry_hash,
    )


def read_opened(path: Path) -> Opened:
    """Returns what a journal holds: all keys, and the last records."""
    keys: set[str] = set()
    tail: deque[Entry] = deque(maxlen=TAIL_MAX)
    for entry in read_entries(path):
        keys.add(msgspec.json.decode(entry.payload, type=Body).key)
        tail.append(entry)
    records = tuple(record(entry) for entry in tail)
    newest_ns = tail[-1].created_us * NS_PER_US if tail else 0
    return Opened(newest_ns, frozenset(keys), records)


def _call(loop: asyncio.AbstractEventLoop, work: Callable[[Any], None], argument: object) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(work, argument)
