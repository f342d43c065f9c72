"""The only file that reads a clock.

Desk time is UTC nanoseconds plus an offset. The offset is zero on a live venue; a desk that starts
from a recorded chain lives in the recorded time, every process with the same offset.
"""

import time
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000
NS_PER_DAY = 86_400 * NS_PER_S
NS_PER_YEAR = 365 * NS_PER_DAY  # ACT/365, as the venue counts


class Clock(Protocol):
    def wall_ns(self) -> int:
        """Returns desk time: UTC nanoseconds since 1970, plus the desk's offset."""
        ...

    def monotonic_ns(self) -> int:
        """Returns nanoseconds that never go back, from an arbitrary origin."""
        ...


class SystemClock:
    def __init__(self, offset_ns: int = 0) -> None:
        self._offset_ns = offset_ns

    def wall_ns(self) -> int:
        return time.time_ns() + self._offset_ns

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class SimulatedClock:
    """A clock that moves only when it is told to."""

    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns

    def wall_ns(self) -> int:
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def advance_to(self, now_ns: int) -> None:
        assert now_ns >= self.now_ns, "simulated time went back"
        self.now_ns = now_ns
