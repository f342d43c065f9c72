"""The circuit breakers of market_making: what it depends on, and what serves without it."""

from dataclasses import dataclass, field

from shared.breaker import Breaker
from shared.clock import NS_PER_S
from shared.dependency import BusHealth, Dependency, Feed, VenueCalls, call_breaker, feed_breaker
from shared.messages.pricing import SurfaceV1
from shared.messages.risk import LeaseV1


@dataclass(frozen=True)
class Breakers:
    surface: Breaker = field(default_factory=feed_breaker)
    lease: Breaker = field(default_factory=feed_breaker)
    venue: Breaker = field(default_factory=lambda: call_breaker(slow_ns=3 * NS_PER_S))
    bus: Breaker = field(default_factory=feed_breaker)

    def hold_reason(self) -> str:
        """Returns whose breaker forbids all quotes, or the empty string. The gate in C pulls by
        age, and sooner; this keeps them away until what came back has stayed for a while."""
        if not self.bus.is_trusted:
            return "bus breaker"
        return "" if self.lease.is_trusted else "lease breaker"

    def dependencies(self) -> tuple[Dependency, ...]:
        return (
            Dependency(
                name="surface",
                breaker=self.surface,
                on=Feed(SurfaceV1, age_ms_max=2_000),
                fallback="Black-76 at the last surface, wider, until its age bound; then no quotes",
            ),
            Dependency(
                name="lease",
                breaker=self.lease,
                on=Feed(LeaseV1, age_ms_max=800),
                fallback="no quotes",
            ),
            Dependency(
                name="venue",
                breaker=self.venue,
                on=VenueCalls(),
                fallback="protection stays as it is, no quotes over this session; cancels go",
            ),
            Dependency(name="bus", breaker=self.bus, on=BusHealth(), fallback="no quotes"),
        )
