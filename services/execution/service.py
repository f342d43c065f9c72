"""execution: hedging.intent.v1, orders.order/fill.v1, ticks -> orders.place/cancel/query.v1."""

from services.execution.breakers import Breakers
from services.execution.core import TIMER_INTERVAL_MS, Config, Execution
from shared.configuration import DeskConfig
from shared.guarding import guarded
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.orders import CancelOrderV1, FillV1, OrderV1, PlaceOrderV1, QueryOrderV1
from shared.messages.risk import AlertV1, HaltV1, LimitsV1, PortfolioV1
from shared.service import Service, every, on


def build(config: Config, _desk: DeskConfig) -> Service:
    breakers = Breakers()
    execution = Execution(config, breakers)
    return guarded(
        Service(
            name="execution",
            consumes=(
                on(InstrumentsV1, execution.on_instruments),
                # All of its own state is in the record, intents it has not ended included.
                on(HaltV1, execution.on_halt, replay=True),
                on(HedgeIntentV1, execution.on_intent, replay=True),
                on(HedgeOutcomeV1, execution.on_outcome, replay=True),
                on(PlaceOrderV1, execution.on_place, replay=True),
                on(OrderV1, execution.on_order, replay=True),
                on(FillV1, execution.on_fill, replay=True),
                on(TicksV1, execution.on_ticks),
                on(PortfolioV1, execution.on_portfolio),
                on(LimitsV1, execution.on_limits),
            ),
            publishes=frozenset(
                {PlaceOrderV1, CancelOrderV1, QueryOrderV1, HedgeIntentV1, HedgeOutcomeV1, AlertV1}
            ),
            timers=(every(TIMER_INTERVAL_MS, execution.on_timer),),
            start=execution.start,
            drain=execution.drain,
            is_drained=execution.is_drained,
            not_ready=execution.not_ready,
            readings=execution.readings,
            core=execution,
        ),
        *breakers.dependencies(),
    )
