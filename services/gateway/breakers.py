"""The circuit breakers of gateway: what it depends on, and what serves without it."""

from dataclasses import dataclass, field

from shared.breaker import Breaker
from shared.clock import NS_PER_S
from shared.dependency import Dependency, VenueCalls, call_breaker


@dataclass(frozen=True)
class Breakers:
    venue: Breaker = field(default_factory=lambda: call_breaker(slow_ns=3 * NS_PER_S))

    def dependencies(self) -> tuple[Dependency, ...]:
        return (
            Dependency(
                name="venue",
                breaker=self.venue,
                on=VenueCalls(),
                fallback="requests are refused, cancels go; session down: no lease, no quotes",
            ),
        )
