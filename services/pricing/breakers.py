"""The circuit breakers of pricing: what it depends on, and what serves without it."""

from dataclasses import dataclass, field

from shared.breaker import Breaker
from shared.dependency import Dependency, Feed, feed_breaker
from shared.messages.market import TicksV1


@dataclass(frozen=True)
class Breakers:
    ticks: Breaker = field(default_factory=feed_breaker)

    def dependencies(self) -> tuple[Dependency, ...]:
        return (
            Dependency(
                name="ticks",
                breaker=self.ticks,
                on=Feed(TicksV1, age_ms_max=2_000),
                fallback="the last good surface, with its age",
            ),
        )
