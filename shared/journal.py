"""The append-only record on disk: length-prefixed, checksummed, hash-chained, fsynced in groups.

File: 8 bytes of magic, then records, all little-endian:
    u32 length of what follows the checksum
    u32 zlib.crc32 of the length's bytes and of what follows
    u64 sequence (from 1), i64 created (us since 1970), 32 bytes previous hash, u8 kind length,
    kind (ASCII), payload, 32 bytes entry hash
The entry hash is SHA-256 over everything from the sequence to the payload. Beside the file, `.head`
says how far it was durable: 8 bytes of magic, u64 sequence, u64 size, 32 bytes hash, u32 crc32. A
bad record beyond the head is a torn write: it is cut off and kept aside. One before it is damage,
and the journal refuses to open. A verifier that shares no code with this file is
shared/journal_verifier.py.
"""

import contextlib
import fcntl
import hashlib
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.clock import NS_PER_S, SystemClock
from shared.metric_names import BUCKETS_S
from shared.metrics import Durations
from shared.service import Measured, Reading

MAGIC = b"HRJRNL1\n"
HEAD_MAGIC = b"HRHEAD1\n"
GENESIS_HASH = bytes(32)
GROUP_S = 0.002  # how long the writer gathers before it syncs
KIND_BYTES_MAX = 255
BODY_BYTES_MAX = 16 * 1024 * 1024
BUFFER_BYTES_MAX = 64 * 1024 * 1024
US_PER_NS = 1_000

_PREFIX = struct.Struct("<II")
_FIXED = struct.Struct("<Qq32sB")
_HEAD = struct.Struct("<8sQQ32s")
_CRC = struct.Struct("<I")
_HASH_BYTES = 32


class JournalError(RuntimeError):
    """The journal cannot be opened or written; the text names the file and the cause."""


class JournalDamagedError(JournalError):
    """What was durable has changed since."""


@dataclass(frozen=True, slots=True)
class Entry:
    sequence: int
    created_us: int
    kind: str
    payload: bytes
    previous_hash: str  # hexadecimal
    entry_hash: str


class Journal:
    """Open for appending. `append` returns at once; a thread of its own gathers for `group_s`,
    makes it durable and then calls `on_durable(sequence)`, or `on_failure(error)` once; both from
    that thread."""

    def __init__(
        self,
        path: Path,
        *,
        group_s: float = GROUP_S,
        on_durable: Callable[[int], None] = lambda _: None,
        on_failure: Callable[[JournalError], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.torn_bytes = 0  # cut off when it was opened
        self._group_s = group_s
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._stopwatch_ns = SystemClock().monotonic_ns
        self._syncs = Durations()
        self._oldest_ns = 0  # when the oldest entry under way was made; 0: there is none
        self._waiting_ns = 0  # and the oldest that waits for it
        self._buffer: list[bytes] = []
        self._buffer_bytes = 0
        self._failure: JournalError | None = None
        self._is_closing = False
        self._changed = threading.Condition()
        self._pending_head = (0, GENESIS_HASH)
        with contextlib.ExitStack() as undo:
            self._file = _open_file(path)
            undo.callback(os.close, self._file)
            self._head = _open_file(head_path(path))
            undo.callback(os.close, self._head)
            try:
                self.sequence, self._hash, self._size = self._recover()
            except OSError as error:
                raise JournalError(f"{path}: {error.strerror}") from error
            undo.pop_all()
        self.durable_sequence = self.sequence
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def append(self, created_ns: int, kind: str, payload: bytes) -> Entry:
        """Returns the entry with its place in the chain; durable later. Raises JournalError."""
        body, entry = _body(self.sequence + 1, created_ns // US_PER_NS, kind, payload, self._hash)
        length = struct.pack("<I", len(body))
        record = length + _CRC.pack(zlib.crc32(length + body)) + body
        with self._changed:
            if self._failure is not None:
                raise self._failure
            if self._buffer_bytes + len(record) > BUFFER_BYTES_MAX:
                raise JournalError(f"{self.path}: {self._buffer_bytes} bytes wait for the disk")
            self._waiting_ns = self._waiting_ns or created_ns
            self._buffer.append(record)
            self._buffer_bytes += len(record)
            self.sequence = entry.sequence
            self._hash = bytes.fromhex(entry.entry_hash)
            self._pending_head = (entry.sequence, self._hash)
            self._changed.notify()
        return entry

    def readings(self, now_ns: int) -> Iterator[Reading]:
        """What waits for the disk, and how long the disk takes."""
        oldest_ns = self._oldest_ns or self._waiting_ns
        age_ns = now_ns - oldest_ns if oldest_ns else 0
        yield Reading("journal_pending_count", self.sequence - self.durable_sequence)
        yield Reading("journal_age_seconds", max(0, age_ns) / NS_PER_S)
        yield Reading("journal_entry", self.durable_sequence)
        counts = tuple(self._syncs.counts)
        yield Reading("journal_sync_seconds", Measured(BUCKETS_S, counts, self._syncs.total_s))

    def close(self) -> None:
        """Makes everything durable and closes. Raises JournalError if it could not."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()
        os.close(self._file)
        os.close(self._head)
        if self._failure is not None:
            raise self._failure

    def _recover(self) -> tuple[int, bytes, int]:
        """Returns sequence, hash and size of the end; cuts off a torn tail."""
        head = _read_head(self._head)
        start = os.pread(self._file, len(MAGIC), 0)
        if not head and start != MAGIC and MAGIC.startswith(start):  # new, or torn at its birth
            os.pwrite(self._file, MAGIC, 0)
            os.fsync(self._file)
            _sync_directory(self.path.parent)
        elif start != MAGIC:
            raise JournalDamagedError(f"{self.path}: no journal begins like this")
        sequence, last_hash, size = 0, GENESIS_HASH, len(MAGIC)
        cause = ""
        try:
            for entry, end in _scan(self.path):
                sequence, last_hash, size = entry.sequence, bytes.fromhex(entry.entry_hash), end
        except _BadRecordError as error:
            cause = str(error)
        if head is not None and head[0] > sequence:
            raise JournalDamagedError(
                f"{self.path}: {head[0]} entries were durable, only {sequence} can be read"
                f" ({cause or 'the file ends there'})"
            )
        total = os.fstat(self._file).st_size
        if total > size:
            self.torn_bytes = total - size
            tail = os.pread(self._file, self.torn_bytes, size)
            self.path.with_suffix(f".torn-{size}").write_bytes(tail)
            os.ftruncate(self._file, size)
            os.fsync(self._file)
        os.lseek(self._file, 0, os.SEEK_END)
        self._write_head(sequence, size, last_hash)
        return sequence, last_hash, size

    def _write(self) -> None:
        """The writer thread: gather, write, sync, tell."""
        while True:
            with self._changed:
                while not self._buffer and not self._is_closing:
                    self._changed.wait()
                if not self._buffer:
                    return
                if not self._is_closing:
                    self._changed.wait_for(lambda: self._is_closing, timeout=self._group_s)
                group, self._buffer, self._buffer_bytes = self._buffer, [], 0
                self._oldest_ns, self._waiting_ns = self._waiting_ns, 0
                sequence, last_hash = self._pending_head
            began_ns = self._stopwatch_ns()
            try:
                data = b"".join(group)
                _write_all(self._file, data)
                os.fdatasync(self._file)
                self._size += len(data)
                self._write_head(sequence, self._size, last_hash)
            except OSError as error:
                self._fail(error)
                return
            self._syncs.observe((self._stopwatch_ns() - began_ns) / NS_PER_S)
            self._oldest_ns = 0
            self.durable_sequence = sequence
            self._on_durable(sequence)

    def _write_head(self, sequence: int, size: int, last_hash: bytes) -> None:
        head = _HEAD.pack(HEAD_MAGIC, sequence, size, last_hash)
        os.pwrite(self._head, head + _CRC.pack(zlib.crc32(head)), 0)
        os.fdatasync(self._head)

    def _fail(self, error: OSError) -> None:
        failure = JournalError(
            f"{self.path}: {error.strerror}; durable up to entry {self.durable_sequence}"
        )
        with self._changed:
            self._failure = failure
        self._on_failure(failure)


def read_entries(path: Path) -> Iterator[Entry]:
    """Returns all entries. Raises JournalDamagedError at the first that is not whole."""
    try:
        for entry, _ in _scan(path):
            yield entry
    except _BadRecordError as error:
        raise JournalDamagedError(f"{path}: {error}") from error
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error


def head_path(path: Path) -> Path:
    return path.with_name(path.name + ".head")


class _BadRecordError(ValueError):
    """A record that is not whole; the text says where and why."""


def _body(
    sequence: int, created_us: int, kind: str, payload: bytes, previous_hash: bytes
) -> tuple[bytes, Entry]:
    name = kind.encode("ascii")
    assert 0 < len(name) <= KIND_BYTES_MAX, f"kind `{kind}`"
    assert len(payload) <= BODY_BYTES_MAX // 2, f"payload of {len(payload)} bytes"
    hashed = _FIXED.pack(sequence, created_us, previous_hash, len(name)) + name + payload
    digest = hashlib.sha256(hashed).digest()
    entry = Entry(sequence, created_us, kind, payload, previous_hash.hex(), digest.hex())
    return hashed + digest, entry


def _scan(path: Path) -> Iterator[tuple[Entry, int]]:
    """Returns each entry with the offset of its end. Raises _BadRecordError."""
    sequence, previous = 0, GENESIS_HASH
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise _BadRecordError("no journal begins like this")
        while prefix := file.read(_PREFIX.size):
            where = f"entry {sequence + 1} at byte {file.tell() - len(prefix)}"
            if len(prefix) < _PREFIX.size:
                raise _BadRecordError(f"{where} is cut")
            length, crc = _PREFIX.unpack(prefix)
            if not _FIXED.size + _HASH_BYTES <= length <= BODY_BYTES_MAX:
                raise _BadRecordError(f"{where} has length {length}")
            body = file.read(length)
            if len(body) < length:
                raise _BadRecordError(f"{where} is cut")
            if zlib.crc32(prefix[:4] + body) != crc:
                raise _BadRecordError(f"{where} has a wrong checksum")
            entry = _entry(body, where)
            if entry.sequence != sequence + 1 or entry.previous_hash != previous.hex():
                raise _BadRecordError(f"{where} does not follow the one before")
            sequence, previous = entry.sequence, bytes.fromhex(entry.entry_hash)
            yield entry, file.tell()


def _entry(body: bytes, where: str) -> Entry:
    sequence, created_us, previous_hash, kind_length = _FIXED.unpack_from(body)
    start = _FIXED.size + kind_length
    hashed, digest = body[:-_HASH_BYTES], body[-_HASH_BYTES:]
    if start > len(hashed) or hashlib.sha256(hashed).digest() != digest:
        raise _BadRecordError(f"{where} has a wrong hash")
    kind = hashed[_FIXED.size : start].decode("ascii")
    return Entry(sequence, created_us, kind, hashed[start:], previous_hash.hex(), digest.hex())


def _open_file(path: Path) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise JournalError(f"{path}: open in another process") from error
    return file


def _read_head(file: int) -> tuple[int, int] | None:
    """Returns the durable sequence and size; None if there is none to trust."""
    data = os.pread(file, _HEAD.size + _CRC.size, 0)
    if len(data) != _HEAD.size + _CRC.size:
        return None
    head, (crc,) = data[: _HEAD.size], _CRC.unpack(data[_HEAD.size :])
    magic, sequence, size, _ = _HEAD.unpack(head)
    return (sequence, size) if magic == HEAD_MAGIC and zlib.crc32(head) == crc else None


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
