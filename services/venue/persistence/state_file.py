"""The file that a venue's memory is kept in. What was written outlives the process, though not the
machine: nothing is synced."""

import os
from pathlib import Path

from services.venue.persistence.memory import Record


class StateFile:
    """Lines appended; a checkpoint begins the file anew, all at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> bytes:
        """Returns what an earlier process left, nothing where there was none."""
        return self._path.read_bytes() if self._path.is_file() else b""

    def write(self, record: Record) -> None:
        if record.is_checkpoint:
            self._begin(record.line)
            return
        assert self._file is not None, "a log begins with a checkpoint"
        _write_all(self._file, record.line)

    def _begin(self, line: bytes) -> None:
        new_path = self._path.with_suffix(".new")
        new = os.open(new_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        _write_all(new, line)
        new_path.replace(self._path)
        if self._file is not None:
            os.close(self._file)
        self._file = new


def _write_all(file: int, data: bytes) -> None:
    """A disk that is full ends the venue: what it cannot remember it must not acknowledge."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
