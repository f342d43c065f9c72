"""What waits for the core: critical inputs in order and never dropped, lossy ones newest wins."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.causes import Cause

CRITICAL_MAX = 500_000
LOSSY_MAX = 1_024


class InboxFullError(RuntimeError):
    """The core is slower than its critical inputs; going on would lose one."""


@dataclass(slots=True, eq=False)
class Entry:
    """One input: a message with its handlers, or a `call` of the shell's own to make in turn."""

    kind: type
    message: Any
    handlers: tuple[Callable[[Any], Any], ...] = ()
    cause: Cause | None = None  # the sampled trace that it is part of
    timer: object = None  # which timer, for a TimerV1
    is_replay: bool = False
    place: tuple[str, int] | None = None  # stream and sequence, of what is replayed or followed
    done: Callable[[], None] | None = None  # once its outputs are stored
    call: Callable[[], Any] | None = None
    read: "Callable[[Entry], bool] | None" = None  # makes it of bytes, when it is its turn
    age_ns: int | None = None  # of a lossy message, when its turn came
    late_handlers: tuple[Callable[[Any], Any], ...] = ()  # and who wants it all the same


class Inbox:
    """`is_attended`: whoever puts something in will see to it, nobody need be woken."""

    def __init__(self) -> None:
        self._critical: deque[Entry] = deque()
        self._lossy: deque[Entry] = deque()
        self._lossy_count: Counter[type] = Counter()  # of those that wait, by kind
        self._wakeup = asyncio.Event()
        self.is_attended = False
        self.dropped: Counter[type] = Counter()  # lossy ones that the bound cost, by kind
        self.on_drop: Callable[[Entry], None] | None = None

    def __len__(self) -> int:
        return len(self._critical) + len(self._lossy)

    @property
    def dropped_count(self) -> int:
        return self.dropped.total()

    def put_critical(self, entry: Entry) -> None:
        if len(self._critical) >= CRITICAL_MAX:
            raise InboxFullError(f"{CRITICAL_MAX} inputs wait")
        self._critical.append(entry)
        if not self.is_attended:
            self._wakeup.set()

    def put_lossy(self, entry: Entry) -> None:
        """Takes the newest; beyond the bound an old one goes, and is counted."""
        if len(self._lossy) >= LOSSY_MAX:
            self._shed()
        self._lossy.append(entry)
        self._lossy_count[entry.kind] += 1
        if not self.is_attended:
            self._wakeup.set()

    def take(self) -> Entry | None:
        """Returns the next input: critical ones first."""
        if self._critical:
            return self._critical.popleft()
        if not self._lossy:
            return None
        entry = self._lossy.popleft()
        self._lossy_count[entry.kind] -= 1
        return entry

    def leave(self) -> None:
        """Ends the attendance; wakes the waiter if something is left."""
        self.is_attended = False
        if len(self):
            self._wakeup.set()

    async def wait(self) -> None:
        """Waits until there is an input."""
        while not len(self):
            self._wakeup.clear()
            await self._wakeup.wait()

    def _shed(self) -> None:
        """Drops the oldest of the kind that most wait of: a flood of one costs no other."""
        kind = max(self._lossy_count, key=self._lossy_count.__getitem__)
        place = next(place for place, entry in enumerate(self._lossy) if entry.kind is kind)
        shed = self._lossy[place]
        del self._lossy[place]
        self._lossy_count[kind] -= 1
        self.dropped[kind] += 1
        if self.on_drop is not None:
            self.on_drop(shed)
