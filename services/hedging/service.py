"""hedging: portfolio, ticks, instruments, lease, outcomes -> hedge intents."""

from services.hedging.breakers import Breakers
from services.hedging.core import Config, Hedging
from shared.configuration import DeskConfig
from shared.guarding import guarded
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.risk import AlertV1, LeaseV1, PortfolioV1
from shared.service import Service, every, on


def build(config: Config, desk: DeskConfig) -> Service:
    breakers = Breakers()
    core = Hedging(config, desk.underlyings, breakers)
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
            readings=core.readings,
            core=core,
        ),
        *breakers.dependencies(),
    )
