"""The way to the stream DEAD: beside the core's own outputs and never in front of them.

A flood of garbage may not hold up a quote nor fill the outbox: letters wait in a queue of their
own, a few are under way at a time. The original of a durable message is let go once its letter is
stored.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from shared.bus import Bus, Parcel
from shared.messages.desk import DeadLetterV1
from shared.messages.message import encode, subject_of

WAITING_MAX = 20_000
UNDER_WAY_MAX = 256

Stored = Callable[[], None]


class DeadLetters:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: deque[tuple[DeadLetterV1, Stored | None]] = deque()
        self._under_way_count = 0
        self._changed = asyncio.Event()
        self.written_count = 0
        self.lost_count = 0  # letters of lossy messages beyond the queue's bound

    def __len__(self) -> int:
        return len(self._waiting) + self._under_way_count

    def put(self, letter: DeadLetterV1, on_stored: Stored | None) -> None:
        """Takes a letter; `on_stored` is called when it is in the stream."""
        if len(self._waiting) >= WAITING_MAX and on_stored is None:
            self.lost_count += 1
            return
        self.written_count += 1
        self._waiting.append((letter, on_stored))
        self._changed.set()

    async def run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting and self._under_way_count < UNDER_WAY_MAX:
                letter, on_stored = self._waiting.popleft()
                await self._post(letter, on_stored)
            await asyncio.sleep(0)

    async def _post(self, letter: DeadLetterV1, on_stored: Stored | None) -> None:
        self._under_way_count += 1

        def stored() -> None:
            self._under_way_count -= 1
            self._changed.set()
            if on_stored is not None:
                on_stored()

        parcel = Parcel(subject_of(letter), encode(letter), letter.message_id(), {}, stored)
        await self._bus.post(parcel)
