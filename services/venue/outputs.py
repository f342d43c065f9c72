"""What the venue does to a connection: sends bytes, or ends it."""

from typing import NamedTuple


class Send(NamedTuple):
    """Bytes for a connection: one WebSocket text frame."""

    connection_id: int
    data: bytes


class Close(NamedTuple):
    """The venue ends a connection; for the core it is gone already."""

    connection_id: int
    reason: str


Output = Send | Close
