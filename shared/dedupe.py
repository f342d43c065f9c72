"""Message ids that were handled before, the newest so many of them."""

from collections import deque

SEEN_MAX = 100_000


class Seen:
    def __init__(self, ids_max: int = SEEN_MAX) -> None:
        self._ids: set[str] = set()
        self._in_order: deque[str] = deque()
        self._ids_max = ids_max

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._ids

    def add(self, message_id: str) -> bool:
        """Returns whether the id was new."""
        if message_id in self._ids:
            return False
        self._ids.add(message_id)
        self._in_order.append(message_id)
        if len(self._in_order) > self._ids_max:
            self._ids.discard(self._in_order.popleft())
        return True
