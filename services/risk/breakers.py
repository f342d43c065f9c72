"""The circuit breakers of risk: what it depends on, and what serves without it."""

from dataclasses import dataclass, field

from shared.breaker import Breaker, BreakerSettings
from shared.dependency import Dependency, Feed, Verdicts, feed_breaker
from shared.messages.market import TicksV1
from shared.messages.orders import AccountV1
from shared.messages.pricing import SurfaceV1

NO_LEASE = "no lease, so no quotes"
# Each account word is a call: when five in a row differ, only a person closes it.
LATCHED = BreakerSettings(
    window_size=5, call_count_min=5, failure_rate_threshold=100.0, is_latched=True
)


@dataclass(frozen=True)
class Breakers:
    ticks: Breaker = field(default_factory=feed_breaker)
    surface: Breaker = field(default_factory=feed_breaker)
    account: Breaker = field(default_factory=feed_breaker)
    reconciliation: Breaker = field(default_factory=lambda: Breaker(LATCHED))

    def refusal(self) -> str:
        """Returns whose breaker forbids a lease, or the empty string."""
        for one in self.dependencies():
            if not one.breaker.is_trusted:
                return f"{one.name}_breaker"
        return ""

    def dependencies(self) -> tuple[Dependency, ...]:
        return (
            Dependency(
                name="ticks",
                breaker=self.ticks,
                on=Feed(TicksV1, age_ms_max=2_500),
                fallback=NO_LEASE,
            ),
            Dependency(
                name="surface",
                breaker=self.surface,
                on=Feed(SurfaceV1, age_ms_max=4_500),
                fallback=NO_LEASE,
            ),
            Dependency(
                name="account",
                breaker=self.account,
                on=Feed(AccountV1, age_ms_max=6_000),
                fallback=NO_LEASE,
            ),
            Dependency(
                name="reconciliation",
                breaker=self.reconciliation,
                on=Verdicts(),
                fallback="no lease until a person has resolved the difference",
            ),
        )
