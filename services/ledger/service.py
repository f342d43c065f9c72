"""ledger: everything DURABLE, surfaces, limits, states -> the journal, the projection, records."""

from services.ledger.breakers import Breakers
from services.ledger.core import Config, Ledger
from services.ledger.entries import Appended, Opened
from services.ledger.recorder import Recorder
from shared.configuration import DeskConfig
from shared.guarding import guarded
from shared.messages.desk import BreakerV1, HeartbeatV1, PageV1, RecordV1
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import FeedV1, InstrumentsV1
from shared.messages.orders import (
    AccountV1,
    CancelOrderV1,
    FillV1,
    OrderV1,
    PlaceOrderV1,
    QueryOrderV1,
    SettlementV1,
)
from shared.messages.pricing import OverrideV1, SurfaceV1
from shared.messages.quoting import ExecutionLatchV1, QuotesPulledV1, QuotingStatusV1
from shared.messages.risk import (
    AlertV1,
    HaltV1,
    LimitsV1,
    PnlV1,
    PortfolioV1,
    ReconciliationV1,
)
from shared.service import Service, every, on

FACTS = (
    PlaceOrderV1,
    CancelOrderV1,
    QueryOrderV1,
    HedgeIntentV1,
    HedgeOutcomeV1,
    OverrideV1,
    QuotesPulledV1,
    ExecutionLatchV1,
    HaltV1,
    AlertV1,
    BreakerV1,
    PageV1,
)
STATES = (QuotingStatusV1, PortfolioV1, PnlV1, ReconciliationV1, AccountV1, FeedV1, HeartbeatV1)


def build(config: Config, desk: DeskConfig) -> Service:
    del desk
    breakers = Breakers()
    ledger = Ledger(config, breakers)
    return guarded(
        Service(
            name="ledger",
            consumes=(
                on(InstrumentsV1, ledger.on_instruments),
                on(FillV1, ledger.on_fill, replay=True),
                on(SettlementV1, ledger.on_settlement, replay=True),
                on(OrderV1, ledger.on_order, replay=True),
                *(on(kind, ledger.on_fact, replay=True) for kind in FACTS),
                on(LimitsV1, ledger.on_limits),
                on(SurfaceV1, ledger.on_surface),
                *(on(kind, ledger.on_state) for kind in STATES),
                on(Opened, ledger.on_opened),
                on(Appended, ledger.on_appended),
            ),
            publishes=frozenset({RecordV1}),
            timers=(
                every(config.surface_interval_ms, ledger.on_surface_timer),
                every(500, ledger.on_flush_timer),
            ),
            edge=Recorder,
            drain=ledger.on_drain,
            is_drained=ledger.is_drained,
            not_ready=ledger.not_ready,
            core=ledger,
        ),
        *breakers.dependencies(),
    )
