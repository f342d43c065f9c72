"""What the ledger's core and its edge say to each other, and the shape of a journal entry."""

from dataclasses import dataclass
from typing import Any

import msgspec

from shared.messages.desk import RecordV1
from shared.messages.message import Message, tag_of


class Body(msgspec.Struct, frozen=True):
    """The payload of a journal entry. `key` names the fact: the same key is never written twice."""

    key: str
    fact: msgspec.Raw  # a message with its `type`, or a surface note


def entry_kind(kind: type[Message]) -> str:
    """Returns the name of a message's kind in the journal: `orders-fill-v1`."""
    return tag_of(kind).replace(".", "-")


@dataclass(frozen=True, slots=True)
class Append:
    """To the journal: one entry. Its record comes back as `Appended`."""

    created_ns: int
    kind: str
    key: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Appended:
    """From the journal: the entry with its place in the chain."""

    record: RecordV1


@dataclass(frozen=True, slots=True)
class Opened:
    """From the journal at a start: all keys that it holds, and its last records."""

    created_ns: int
    keys: frozenset[str]
    tail: tuple[RecordV1, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """To the projection: replaces the row of `table` with this `key`."""

    table: str
    key: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flush:
    """To the projection: write what has changed."""
