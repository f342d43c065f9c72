"""What stands for disks in a simulated desk: they outlive the agents that write to them."""

import hashlib
from collections.abc import Callable

import msgspec

from services.ledger.entries import Append, Appended, Flush, Opened, Row
from shared.messages.desk import RecordV1


class MemoryJournal:
    """The ledger's journal and projection in memory; an entry is durable at once."""

    accepts: frozenset[type] = frozenset({Append, Row, Flush})

    def __init__(self) -> None:
        self.records: list[RecordV1] = []
        self.rows: dict[str, dict[str, dict[str, object]]] = {}
        self._keys: set[str] = set()
        self._deliver: Callable[[object], None] | None = None

    def open(self, deliver: Callable[[object], None]) -> None:
        self._deliver = deliver
        newest_ns = self.records[-1].created_ns if self.records else 0
        deliver(Opened(newest_ns, frozenset(self._keys), tuple(self.records[-256:])))

    def send(self, message: object) -> None:
        assert self._deliver is not None
        if isinstance(message, Append):
            assert message.key not in self._keys, f"{message.key} was appended twice"
            self._keys.add(message.key)
            self._deliver(Appended(self._record(message)))
        elif isinstance(message, Row):
            self.rows.setdefault(message.table, {})[message.key] = message.values

    def _record(self, entry: Append) -> RecordV1:
        previous = self.records[-1].entry_hash if self.records else "0" * 64
        digest = hashlib.sha256(previous.encode() + entry.kind.encode() + entry.payload)
        record = RecordV1(
            created_ns=entry.created_ns,
            sequence=len(self.records) + 1,
            kind=entry.kind,
            payload=msgspec.Raw(entry.payload),
            previous_hash=previous,
            entry_hash=digest.hexdigest(),
        )
        self.records.append(record)
        return record
