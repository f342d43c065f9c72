"""execution: hedging.intent.v1, orders.order/fill.v1, ticks -> orders.place/cancel/query.v1."""

from services.execution.core import TIMER_INTERVAL_MS, Config, Execution
from shared.clock import NS_PER_S
from shared.configuration import DeskConfig
from shared.dependency import Calls, Dependency, Feed, call_breaker, feed_breaker
from shared.guarding import guarded
from shared.messages.desk import HeartbeatV1
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.orders import CancelOrderV1, FillV1, OrderV1, PlaceOrderV1, QueryOrderV1
from shared.messages.risk import AlertV1, HaltV1
from shared.service import Service, every, on


def build(config: Config, _desk: DeskConfig) -> Service:
    execution = Execution(config)
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
            ),
            publishes=frozenset(
                {PlaceOrderV1, CancelOrderV1, QueryOrderV1, HedgeOutcomeV1, AlertV1}
            ),
            timers=(every(TIMER_INTERVAL_MS, execution.on_timer),),
            start=execution.start,
            drain=execution.drain,
            is_drained=execution.is_drained,
            not_ready=execution.not_ready,
            core=execution,
        ),
        Dependency(
            name="gateway",
            breaker=call_breaker(slow_ns=NS_PER_S),
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
            breaker=feed_breaker(),
            on=Feed(TicksV1, age_ms_max=2_000),
            fallback="no new order; what rests is cancelled",
        ),
        Dependency(
            name="hedging",
            breaker=feed_breaker(),
            on=Feed(HeartbeatV1, age_ms_max=2_500, sender="hedging"),
            fallback="a delta band of its own",
        ),
    )
