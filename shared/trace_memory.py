"""What an agent's tracing remembers over a crash: how far it had handled each stream, and which
order went out in which trace. Small files beside the run's other ones."""

import os
import struct
from pathlib import Path

import msgspec

from shared.causes import Cause

REMEMBERED_MAX = 4_096
_MARK = struct.Struct("<Q")


class TraceMemory:
    """`mark` is only there for a stream that an earlier life handled something of."""

    def __init__(self, directory: Path, service: str) -> None:
        self._directory = directory
        self._service = service
        self._marks: dict[str, int] = {}  # open files, by stream
        self._earlier: dict[str, int] = {}
        self._labels_path = directory / f"{service}.trace-labels"
        self._labels = _read_labels(self._labels_path)
        self._labels_file = self._labels_path.open("ab", buffering=0)

    def is_missed(self, stream: str, sequence: int) -> bool:
        """Says whether a message of the past came after all that an earlier life handled."""
        if stream not in self._earlier:
            self._open(stream)
        earlier = self._earlier[stream]
        return 0 < earlier < sequence

    def handled(self, stream: str, sequence: int) -> None:
        if stream not in self._marks:
            self._open(stream)
        os.pwrite(self._marks[stream], _MARK.pack(sequence), 0)

    def label(self, label: str, cause: Cause) -> None:
        """Remembers the trace in which an order went out."""
        line = [label, cause.trace_id.to_bytes(16, "big"), cause.span_id.to_bytes(8, "big")]
        self._labels_file.write(msgspec.json.encode(line) + b"\n")

    def labels(self) -> dict[str, Cause]:
        """Returns what earlier lives remembered, the newest of it."""
        return self._labels

    def close(self) -> None:
        for descriptor in self._marks.values():
            os.close(descriptor)
        self._marks.clear()
        self._labels_file.close()

    def _open(self, stream: str) -> None:
        path = self._directory / f"{self._service}.{stream.lower()}.trace-mark"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        held = os.pread(descriptor, _MARK.size, 0)
        self._earlier[stream] = _MARK.unpack(held)[0] if len(held) == _MARK.size else 0
        self._marks[stream] = descriptor


def _read_labels(path: Path) -> dict[str, Cause]:
    """Reads the newest labels and writes only those back; a torn last line is left out."""
    if not path.exists():
        return {}
    lines = path.read_bytes().splitlines()[-REMEMBERED_MAX:]
    found = {}
    for line in lines:
        try:
            label, trace_id, span_id = msgspec.json.decode(line, type=tuple[str, bytes, bytes])
        except msgspec.DecodeError:
            continue
        cause = Cause(int.from_bytes(trace_id, "big"), int.from_bytes(span_id, "big"), True)
        found[label] = cause
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return found
