"""market_making: instruments, ticks, surfaces, limits, lease, halts, fills -> quotes."""

from services.market_making.core import Config, MarketMaking
from shared.configuration import DeskConfig
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.orders import FillV1
from shared.messages.pricing import SurfaceV1
from shared.messages.quoting import QuotesPulledV1, QuotesV1, QuotingStatusV1
from shared.messages.risk import AlertV1, HaltV1, LeaseV1, LimitsV1
from shared.service import Service, every, on
from shared.venue_link import LinkSettings, VenueDown, VenueNotice, VenueReply, VenueUp


def build(config: Config, desk: DeskConfig) -> Service:
    core = MarketMaking(config, desk.underlyings)
    return Service(
        name="market_making",
        consumes=(
            on(InstrumentsV1, core.on_instruments),
            on(SurfaceV1, core.on_surface),
            on(TicksV1, core.on_ticks),
            on(LimitsV1, core.on_limits),
            on(LeaseV1, core.on_lease),
            on(HaltV1, core.on_halt, replay=True),
            on(FillV1, core.on_fill, replay=True),
            on(VenueUp, core.on_up),
            on(VenueDown, core.on_down),
            on(VenueReply, core.on_reply),
            on(VenueNotice, core.on_notice),
        ),
        publishes=frozenset({QuotesV1, QuotingStatusV1, QuotesPulledV1, AlertV1}),
        timers=(
            every(config.timer_interval_ms, core.on_timer),
            every(1000, core.on_second_timer),
        ),
        link=LinkSettings(session_name="market_making", cancel_on_disconnect=True),
        start=core.on_start,
        drain=core.on_drain,
        is_drained=core.is_drained,
        not_ready=core.not_ready,
        core=core,
    )
