"""The circuit breakers of hedging: what it depends on, and what serves without it."""

from dataclasses import dataclass, field

from shared.breaker import Breaker
from shared.clock import NS_PER_S
from shared.dependency import Calls, Dependency, Feed, call_breaker, feed_breaker
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import TicksV1
from shared.messages.risk import PortfolioV1


@dataclass(frozen=True)
class Breakers:
    portfolio: Breaker = field(default_factory=feed_breaker)
    ticks: Breaker = field(default_factory=feed_breaker)
    execution: Breaker = field(
        default_factory=lambda: call_breaker(slow_ns=10 * NS_PER_S, call_count_min=3)
    )

    def dependencies(self) -> tuple[Dependency, ...]:
        return (
            Dependency(
                name="portfolio",
                breaker=self.portfolio,
                on=Feed(PortfolioV1, age_ms_max=2_000),
                fallback="no new hedge: an old delta would be hedged twice",
            ),
            Dependency(
                name="ticks",
                breaker=self.ticks,
                on=Feed(TicksV1, age_ms_max=2_000),
                fallback="no new hedge",
            ),
            Dependency(
                name="execution",
                breaker=self.execution,
                on=Calls(
                    ask=HedgeIntentV1,
                    answer=HedgeOutcomeV1,
                    name=lambda message: str(message.intent_id),
                    is_ok=lambda outcome: outcome.result != "rejected",
                    timeout_ms=20_000,
                ),
                fallback="no new hedge but one at a time, to see",
            ),
        )
