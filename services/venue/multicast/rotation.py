"""What comes round: everything once in a cycle, an even share of it each time."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
SHARE_MAX = 0.25  # of a cycle at once: after a stall the rest waits its turn


class Rotation:
    def __init__(self, items: Ints, cycle_ns: int, now_ns: int) -> None:
        self._items = items
        self._cycle_ns = cycle_ns
        self._last_ns = now_ns
        self._owed = 0.0
        self._at = 0

    def replace(self, items: Ints) -> None:
        """Goes on with other items; whose turn is next stays so, if it is among them."""
        following = self._items[self._at] if len(self._items) else -1
        found = np.flatnonzero(items == following)
        self._at = int(found[0]) if len(found) else 0
        self._items = items

    def take(self, now_ns: int) -> Ints:
        """Returns whose turn it is; at least one, so that nobody takes silence for an end."""
        count = len(self._items)
        if not count:
            return self._items
        elapsed = min((now_ns - self._last_ns) / self._cycle_ns, SHARE_MAX)
        self._last_ns = now_ns
        self._owed += elapsed * count
        due = min(max(round(self._owed), 1), count)
        self._owed = max(self._owed - due, 0.0)
        at = (self._at + np.arange(due)) % count
        self._at = (self._at + due) % count
        return self._items[at]
