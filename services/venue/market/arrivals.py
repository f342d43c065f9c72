"""Who comes to trade, and when: drawn a second at a time from the seed and the activity alone.

What an arrival will do is drawn with it, so that a seed means the same arrivals however the market
is stepped and whatever else happens in it.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from services.venue.market.index import GRID_MS, POINTS_PER_S, Paths
from shared.clock import NS_PER_MS, NS_PER_S

PACE_MAX = 20.0
CHANCES = 6


@dataclass(frozen=True, slots=True)
class Arrival:
    """`chances` are uniform in [0, 1) and independent, `size` is a standard normal."""

    at_ns: int
    chances: list[float]
    size: float


class Arrivals:
    """A Poisson process: `rate_per_s` on average, following `activity_power` of the activity."""

    def __init__(
        self,
        random: np.random.Generator,
        paths: Paths,
        rate_per_s: float,
        activity_power: float,
        opened_ns: int,
    ) -> None:
        self._random = random
        self._paths = paths
        self._power = activity_power
        self._rate = rate_per_s / POINTS_PER_S / paths.mean_activity(activity_power)
        self._drawn_ns = opened_ns
        self._waiting: deque[Arrival] = deque()

    def resume(self, now_ns: int) -> None:
        """Nobody arrived before this."""
        self._drawn_ns = now_ns
        self._waiting.clear()

    def until(self, now_ns: int) -> list[Arrival]:
        """Returns who has arrived since the last call, in order."""
        while self._drawn_ns <= now_ns:
            self._draw_second()
        arrived = []
        while self._waiting and self._waiting[0].at_ns <= now_ns:
            arrived.append(self._waiting.popleft())
        return arrived

    def _draw_second(self) -> None:
        activity = self._paths.activity_from(self._drawn_ns, POINTS_PER_S)
        pace = np.minimum(activity**self._power, PACE_MAX)
        counts = self._random.poisson(self._rate * pace)
        count = int(counts.sum())
        points = np.repeat(np.arange(POINTS_PER_S), counts).tolist()
        chances = self._random.random((count, CHANCES)).tolist()
        sizes = self._random.standard_normal(count).tolist()
        for point, chance, size in zip(points, chances, sizes, strict=True):
            at_ns = self._drawn_ns + point * GRID_MS * NS_PER_MS
            self._waiting.append(Arrival(at_ns, chance, size))
        self._drawn_ns += NS_PER_S
