"""hedging: portfolio, ticks, instruments, lease, outcomes -> hedge intents."""

from services.hedging.core import Config, Hedging
from shared.clock import NS_PER_S
from shared.configuration import DeskConfig
from shared.dependency import Calls, Dependency, Feed, call_breaker, feed_breaker
from shared.guarding import guarded
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.risk import AlertV1, LeaseV1, PortfolioV1
from shared.service import Service, every, on


def build(config: Config, desk: DeskConfig) -> Service:
    core = Hedging(config, desk.underlyings)
    return guarded(
        Service(
            name="hedging",
            consumes=(
                on(InstrumentsV1, core.on_instruments),
                on(TicksV1, core.on_ticks),
                on(LeaseV1, core.on_lease),
                on(PortfolioV1, core.on_portfolio),
                on(HedgeIntentV1, core.on_intent, replay=True),
                on(HedgeOutcomeV1, core.on_outcome, replay=True),
            ),
            publishes=frozenset({HedgeIntentV1, AlertV1}),
            timers=(every(250, core.on_timer),),
            start=core.on_start,
            drain=core.on_drain,
            not_ready=core.not_ready,
            is_per_underlying=True,
            core=core,
        ),
        Dependency(
            name="portfolio",
            breaker=feed_breaker(),
            on=Feed(PortfolioV1, age_ms_max=2_000),
            fallback="no new hedge: an old delta would be hedged twice",
        ),
        Dependency(
            name="ticks",
            breaker=feed_breaker(),
            on=Feed(TicksV1, age_ms_max=2_000),
            fallback="no new hedge",
        ),
        Dependency(
            name="execution",
            breaker=call_breaker(slow_ns=10 * NS_PER_S, call_count_min=3),
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
