"""What a session has sent, for as long as it may be asked for again, and both next numbers."""

from collections import deque
from typing import NamedTuple

STORED_MAX = 20_000
STORED_BYTES_MAX = 4 << 20  # minutes of answers to mass quotes, or days of fills


class Sent(NamedTuple):
    """One application message: its number, its type, its packed body, and when it went out."""

    seq: int
    msg_type: str
    body: bytes
    sent_ns: int


class Store:
    """Outlives connections. Admin messages are not kept: GapFill stands for them."""

    def __init__(
        self, stored_max: int = STORED_MAX, stored_bytes_max: int = STORED_BYTES_MAX
    ) -> None:
        self.next_in = 1
        self.next_out = 1
        self._stored_max = stored_max
        self._stored_bytes_max = stored_bytes_max
        self._sent: deque[Sent] = deque()
        self._bytes = 0
        self.dropped_count = 0  # messages that are too old to be sent again

    def reset(self) -> None:
        self.next_in = self.next_out = 1
        self._sent.clear()
        self._bytes = 0

    def keep(self, msg_type: str, body: bytes, now_ns: int) -> None:
        """Numbers a message of a session that is down; it goes out when it is asked for."""
        self.add(Sent(self.next_out, msg_type, body, now_ns))
        self.next_out += 1

    def add(self, sent: Sent) -> None:
        if self._stored_max == 0:
            return
        self._sent.append(sent)
        self._bytes += len(sent.body)
        while len(self._sent) > self._stored_max or self._bytes > self._stored_bytes_max:
            self._bytes -= len(self._sent.popleft().body)
            self.dropped_count += 1

    def between(self, begin: int, end: int) -> list[Sent]:
        """Returns what is kept of the numbers begin..end, in order."""
        return [sent for sent in self._sent if begin <= sent.seq <= end]
