"""Spans on their way out: a bounded queue, a thread that exports, and a file for those that no
crash may lose.

A span of an order's trace is written to `<service>.spans` before it waits for export: `kill -9`
leaves it in the page cache, and the next life of the agent sends it. The file is emptied whenever
all that it holds has been exported. Other spans are lossy, and counted when lost.
"""

import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from shared.spans import is_whole, request_of

QUEUE_SPANS_MAX = 8_192
BATCH_SPANS_MAX = 512
EXPORT_PAUSE_S = 5.0  # each export costs an agent a millisecond, of twenty it uses a second
CLOSE_S_MAX = 2.5
SPOOL_BYTES_MAX = 16 * 1024 * 1024
SEND_BYTES_MAX = 512 * 1024
_LENGTH = struct.Struct("<I")


class SpanSpool:
    """Encoded spans on disk, each behind its length. A torn last one is left out."""

    def __init__(self, path: Path) -> None:
        self._left_path = path.with_suffix(".spans-left")
        if path.exists():  # a life before this one ended without a word
            with self._left_path.open("ab") as left:
                left.write(b"".join(_LENGTH.pack(len(one)) + one for one in _records(path)))
            path.unlink()
        self._file = path.open("ab", buffering=0)
        self._size = 0
        self._lock = threading.Lock()
        self._waiting = 0

    def append(self, data: bytes) -> bool:
        """Keeps one span; returns False where the file is full, and keeps nothing."""
        with self._lock:
            if self._size + len(data) > SPOOL_BYTES_MAX:
                return False
            self._size += self._file.write(_LENGTH.pack(len(data)) + data)
            self._waiting += 1
            return True

    def exported(self, count: int) -> None:
        """So many of the kept spans have arrived."""
        with self._lock:
            self._waiting -= count
            if self._waiting == 0:
                self._file.seek(0)
                self._file.truncate()
                self._size = 0

    def send_leftover(self, send: Callable[[list[bytes]], bool]) -> None:
        """Sends what an earlier life left, and forgets it once all has arrived."""
        if not self._left_path.exists():
            return
        if all(send(chunk) for chunk in _chunks(_records(self._left_path))):
            self._left_path.unlink()

    def close(self) -> None:
        self._file.close()


class SpanExport:
    """Exports what ends, in batches. `send` posts an encoded request; says if it arrived."""

    def __init__(
        self,
        resource: Resource,
        send: Callable[[bytes], bool],
        spool: SpanSpool | None = None,
    ) -> None:
        self._resource = resource
        self._send = send
        self._spool = spool
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._exporting = threading.Lock()
        self._is_over = threading.Event()
        self.dropped_count = 0
        self.exported_count = 0
        self._thread = threading.Thread(target=self._run, name="span-export", daemon=True)
        self._thread.start()

    def take(self, span: bytes, is_order: bool) -> None:
        """An encoded span that has ended; one of an order's is on disk before it waits."""
        if len(self._queue) >= QUEUE_SPANS_MAX:
            self.dropped_count += 1
            return
        is_kept = False
        if self._spool is not None and is_order:
            is_kept = self._spool.append(span)
        self._queue.append((span, is_kept))

    def close(self) -> None:
        """Exports what is left; waits a bounded time for an absent collector."""
        self._is_over.set()
        self._thread.join(CLOSE_S_MAX)
        self.flush()
        if self._spool is not None and not self._queue:
            self._spool.close()

    def _run(self) -> None:
        while not self._is_over.wait(EXPORT_PAUSE_S):
            self.flush()

    def flush(self) -> bool:
        """Exports all that waits; on a failure it waits on. Returns whether all has arrived."""
        if not self._exporting.acquire(blocking=False):
            return False
        try:
            if self._spool is not None:
                self._spool.send_leftover(self._send_encoded)
            while self._queue:
                count = min(len(self._queue), BATCH_SPANS_MAX)
                batch = [self._queue.popleft() for _ in range(count)]
                if not self._send(request_of(self._resource, [span for span, _ in batch])):
                    self._queue.extendleft(reversed(batch))
                    return False
                self.exported_count += count
                if self._spool is not None:
                    self._spool.exported(sum(is_kept for _, is_kept in batch))
            return True
        finally:
            self._exporting.release()

    def _send_encoded(self, spans: list[bytes]) -> bool:
        whole = filter(is_whole, spans)  # others were damaged on the disk
        return self._send(request_of(self._resource, whole))


def _records(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    at = 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            return
        yield data[at : at + length]
        at += length


def _chunks(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for record in records:
        if chunk and size + len(record) > SEND_BYTES_MAX:
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += len(record)
    if chunk:
        yield chunk
