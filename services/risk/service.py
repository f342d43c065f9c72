"""risk: fills, ticks, surfaces, accounts -> portfolio, P&L, scenarios, limits, lease, halts."""

from services.risk.breakers import Breakers
from services.risk.core import Config, Risk
from shared.configuration import DeskConfig
from shared.guarding import guarded
from shared.messages.market import FeedV1, InstrumentsV1, TicksV1
from shared.messages.orders import AccountV1, FillV1, SettlementV1
from shared.messages.pricing import SurfaceV1
from shared.messages.quoting import QuotesV1
from shared.messages.risk import (
    AlertV1,
    HaltV1,
    LeaseV1,
    LimitsV1,
    PnlV1,
    PortfolioV1,
    ReconciliationV1,
    ScenariosV1,
)
from shared.service import Service, every, on


def build(config: Config, desk: DeskConfig) -> Service:
    breakers = Breakers()
    risk = Risk(config, desk.underlyings, breakers)
    return guarded(
        Service(
            name="risk",
            consumes=(
                on(InstrumentsV1, risk.on_instruments),
                on(FillV1, risk.on_fill, replay=True),
                on(SettlementV1, risk.on_settlement, replay=True),
                on(HaltV1, risk.on_halt, replay=True),
                on(TicksV1, risk.on_ticks),
                on(SurfaceV1, risk.on_surface),
                on(FeedV1, risk.on_feed),
                on(AccountV1, risk.on_account),
                on(QuotesV1, risk.on_quotes),
                on(LimitsV1, risk.on_limits),
                on(PnlV1, risk.on_pnl),
            ),
            publishes=frozenset(
                {
                    PortfolioV1,
                    ScenariosV1,
                    PnlV1,
                    LimitsV1,
                    LeaseV1,
                    HaltV1,
                    AlertV1,
                    ReconciliationV1,
                }
            ),
            timers=(
                every(200, risk.on_lease_timer),
                every(config.value_interval_ms, risk.on_value_timer),
                every(1000, risk.on_second_timer),
                every(config.scenario_interval_ms, risk.on_scenario_timer),
            ),
            start=risk.on_start,
            drain=risk.on_drain,
            not_ready=risk.not_ready,
            readings=risk.readings,
            core=risk,
        ),
        *breakers.dependencies(),
    )
