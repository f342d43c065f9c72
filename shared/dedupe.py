"""Which ids were handled before, in a few bytes each.

A set of texts takes some 140 bytes an id, and such sets are what an agent grows by for as long as
it lives. Here an id is 16 bytes of its BLAKE2b, enough for no two ids ever to share them, in tables
that are never more than half full: 32 bytes. A full table is followed by another; none is made
anew, so that no message waits for it.
"""

from collections import deque
from hashlib import blake2b

SEEN_MAX = 100_000
DIGEST_BYTES = 16
SLOTS = 16_384  # of a table
_EMPTY = bytes(DIGEST_BYTES)


class Ids:
    """A set of texts that only grows."""

    def __init__(self, tables_max: int | None = None, slots: int = SLOTS) -> None:
        """Forgets the oldest table beyond `tables_max`. `slots` of each: a power of two."""
        self._slots = slots
        self._tables: deque[bytearray] = deque(maxlen=tables_max)
        self._free = 0  # of the newest table

    def __contains__(self, one: str) -> bool:
        return self._has(_digest(one))

    def add(self, one: str) -> bool:
        """Returns whether it was new."""
        digest = _digest(one)
        if self._has(digest):
            return False
        if self._free == 0:
            self._tables.append(bytearray(self._slots * DIGEST_BYTES))
            self._free = self._slots // 2
        place = self._place(self._tables[-1], digest)
        assert place is not None
        self._tables[-1][place : place + DIGEST_BYTES] = digest
        self._free -= 1
        return True

    def _has(self, digest: bytes) -> bool:
        return any(self._place(table, digest) is None for table in reversed(self._tables))

    def _place(self, table: bytearray, digest: bytes) -> int | None:
        """Returns where a digest would go, None if it is there."""
        size = len(table)
        at = int.from_bytes(digest[:8], "little") % self._slots * DIGEST_BYTES
        while (held := table[at : at + DIGEST_BYTES]) != _EMPTY:
            if held == digest:
                return None
            at = (at + DIGEST_BYTES) % size
        return at


class Seen(Ids):
    """At least the newest `ids_max` of them."""

    def __init__(self, ids_max: int = SEEN_MAX) -> None:
        super().__init__(tables_max=-(-ids_max // (SLOTS // 2)) + 1)


def _digest(one: str) -> bytes:
    return blake2b(one.encode(), digest_size=DIGEST_BYTES).digest()
