"""The last calls of a breaker: of so many calls, or of so many seconds. Adding is O(1)."""

from collections import deque
from typing import Protocol


class Window(Protocol):
    """Totals over the calls that still count."""

    call_count: int
    failed_count: int
    slow_count: int

    def add(self, second: int, *, is_failed: bool, is_slow: bool) -> None: ...

    def slide(self, second: int) -> None:
        """Lets go what is over at this second."""


class CountWindow:
    """The last `size` calls."""

    __slots__ = ("_calls", "call_count", "failed_count", "slow_count")

    def __init__(self, size: int) -> None:
        self._calls: deque[tuple[bool, bool]] = deque(maxlen=size)
        self.call_count = self.failed_count = self.slow_count = 0

    def add(self, second: int, *, is_failed: bool, is_slow: bool) -> None:
        del second
        calls = self._calls
        if len(calls) == calls.maxlen:
            was_failed, was_slow = calls[0]
            self.failed_count -= was_failed
            self.slow_count -= was_slow
        else:
            self.call_count += 1
        calls.append((is_failed, is_slow))
        self.failed_count += is_failed
        self.slow_count += is_slow

    def slide(self, second: int) -> None: ...


class TimeWindow:
    """The calls of the last `seconds` whole seconds, the current one included, a bucket each."""

    __slots__ = ("_buckets", "_seconds", "call_count", "failed_count", "slow_count")

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._buckets: deque[list[int]] = deque()  # second, calls, failed, slow
        self.call_count = self.failed_count = self.slow_count = 0

    def add(self, second: int, *, is_failed: bool, is_slow: bool) -> None:
        self.slide(second)
        buckets = self._buckets
        if not buckets or buckets[-1][0] != second:
            buckets.append([second, 0, 0, 0])
        newest = buckets[-1]
        newest[1] += 1
        newest[2] += is_failed
        newest[3] += is_slow
        self.call_count += 1
        self.failed_count += is_failed
        self.slow_count += is_slow

    def slide(self, second: int) -> None:
        buckets = self._buckets
        while buckets and buckets[0][0] <= second - self._seconds:
            _, calls, failed, slow = buckets.popleft()
            self.call_count -= calls
            self.failed_count -= failed
            self.slow_count -= slow
