"""What the venue does: sends bytes on a connection, ends it, or tells everybody."""

from typing import NamedTuple


class Send(NamedTuple):
    """Bytes for a connection: one WebSocket text frame."""

    connection_id: int
    data: bytes


class Close(NamedTuple):
    """The venue ends a connection; for the core it is gone already."""

    connection_id: int
    reason: str


class Datagram(NamedTuple):
    """One packet of market data, for whoever listens to the channel."""

    channel_id: int
    data: bytes


class FixSend(NamedTuple):
    """Whole FIX messages for a connection."""

    connection_id: int
    data: bytes


class FixClose(NamedTuple):
    """The venue ends a FIX connection, once what was sent is out."""

    connection_id: int
    reason: str


FixOutput = FixSend | FixClose
Output = Send | Close | Datagram | FixOutput
