"""Message ids that were handled before, the newest so many of them."""

SEEN_MAX = 100_000


class Seen:
    def __init__(self, ids_max: int = SEEN_MAX) -> None:
        self._ids: dict[str, None] = {}
        self._ids_max = ids_max

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._ids

    def add(self, message_id: str) -> bool:
        """Returns whether the id was new."""
        if message_id in self._ids:
            return False
        self._ids[message_id] = None
        if len(self._ids) > self._ids_max:
            del self._ids[next(iter(self._ids))]
        return True
