"""Packets of one channel: messages behind a frame with the channel's own sequence numbers."""

from collections.abc import Iterable

from services.venue.multicast.layouts import FRAME
from services.venue.outputs import Datagram

PAYLOAD_BYTES_MAX = 1_458  # of a datagram, as the captures have it
MESSAGE_BYTES_MAX = PAYLOAD_BYTES_MAX - FRAME.size


class Packets:
    """Fills packets in order. A venue's first packet of a channel has the number 1: a receiver
    that sees numbers fall back knows that the venue is another one."""

    def __init__(self, channel_id: int) -> None:
        self._channel_id = channel_id
        self._sequence = 0
        self._messages: list[bytes] = []
        self._bytes = 0
        self._out: list[Datagram] = []

    def add(self, messages: Iterable[bytes]) -> None:
        """Adds messages, each wherever it fits."""
        for message in messages:
            size = len(message)
            assert size <= MESSAGE_BYTES_MAX
            if self._bytes + size > MESSAGE_BYTES_MAX:
                self._end()
            self._messages.append(message)
            self._bytes += size

    def add_together(self, messages: list[bytes]) -> None:
        """Adds messages that one packet shall hold, if it can."""
        size = sum(map(len, messages))
        if self._bytes + size > MESSAGE_BYTES_MAX >= size:
            self._end()
        self.add(messages)

    def take(self) -> list[Datagram]:
        """Returns what there is to send, the last packet as full as it is."""
        if self._messages:
            self._end()
        out, self._out = self._out, []
        return out

    def _end(self) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        frame = FRAME.pack(self._bytes, self._channel_id, self._sequence)
        self._out.append(Datagram(self._channel_id, frame + b"".join(self._messages)))
        self._messages, self._bytes = [], 0
