"""The circuit breakers of execution: what it depends on, and what serves without it."""

from dataclasses import dataclass, field

from shared.breaker import Breaker
from shared.clock import NS_PER_S
from shared.dependency import Calls, Dependency, Feed, call_breaker, feed_breaker
from shared.messages.desk import HeartbeatV1
from shared.messages.market import TicksV1
from shared.messages.orders import OrderV1, PlaceOrderV1


@dataclass(frozen=True)
class Breakers:
    gateway: Breaker = field(default_factory=lambda: call_breaker(slow_ns=NS_PER_S))
    ticks: Breaker = field(default_factory=feed_breaker)
    hedging: Breaker = field(default_factory=feed_breaker)

    def dependencies(self) -> tuple[Dependency, ...]:
        return (
            Dependency(
                name="gateway",
                breaker=self.gateway,
                on=Calls(
                    ask=PlaceOrderV1,
                    answer=OrderV1,
                    name=lambda message: str(message.order_id),
                    is_ok=lambda order: order.state != "unknown",
                    timeout_ms=5_000,
                ),
                fallback="no new order but one at a time, to see; questions and cancels go",
            ),
            Dependency(
                name="ticks",
                breaker=self.ticks,
                on=Feed(TicksV1, age_ms_max=2_000),
                fallback="no new order; what rests is cancelled",
            ),
            Dependency(
                name="hedging",
                breaker=self.hedging,
                on=Feed(HeartbeatV1, age_ms_max=2_500, sender="hedging"),
                fallback="a plain delta band, hedged by execution itself",
            ),
        )
