"""market_making: instruments, surfaces, limits, lease, halts, fills; the venue's datagrams (or
ticks) -> quotes."""

from collections.abc import Callable, Iterable
from typing import Any

from services.market_making.breakers import Breakers
from services.market_making.core import Config, MarketMaking
from services.market_making.path_core import PathMarketMaking
from services.market_making.path_words import FixDown, FixUp, PathRecords, PathStatus
from shared.configuration import DeskConfig, FeedAddress, Runtime
from shared.guarding import guarded
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.message import Message
from shared.messages.orders import FillV1
from shared.messages.pricing import SurfaceV1
from shared.messages.quoting import (
    ExecutionLatchV1,
    QuotesPulledV1,
    QuotesV1,
    QuotingStatusV1,
    TickToQuoteV1,
)
from shared.messages.risk import AlertV1, HaltV1, LeaseV1, LimitsV1
from shared.service import Consume, Service, every, on
from shared.venue_link import LinkSettings, VenueDown, VenueNotice, VenueReply, VenueUp

Handler = Callable[[Any], Iterable[object]]
PUBLISHED: frozenset[type[Message]] = frozenset(
    {QuotesV1, QuotingStatusV1, QuotesPulledV1, ExecutionLatchV1, AlertV1}
)
NAME = "market_making"
LINK = LinkSettings(session_name=NAME, cancel_on_disconnect=True)


def build(config: Config, desk: DeskConfig, runtime: Runtime | None = None) -> Service:
    """Returns the wiring over FIX where the run says that the venue speaks it, and the
    configuration does not say otherwise; else over the WebSocket."""
    if config.transport == "fix" and runtime is not None and runtime.venue_fix_url:
        feed = runtime.feeds.get(runtime.instance(NAME))
        if feed is not None:
            return over_fix(config, desk, runtime, feed)
    breakers = Breakers()
    core = MarketMaking(config, desk.underlyings, desk.venue_share, breakers)
    service = Service(
        name=NAME,
        consumes=(on(TicksV1, core.on_ticks), *inputs(core, lambda handler: handler)),
        publishes=PUBLISHED,
        timers=(
            every(config.timer_interval_ms, core.on_timer),
            every(1000, core.on_second_timer),
        ),
        link=LINK,
        start=core.on_start,
        drain=core.on_drain,
        is_drained=core.is_drained,
        not_ready=core.not_ready,
        is_per_underlying=True,
        readings=core.readings,
        core=core,
    )
    return guarded(service, *breakers.dependencies())


def over_fix(config: Config, desk: DeskConfig, runtime: Runtime, feed: FeedAddress) -> Service:
    """Returns the wiring around the fast path, which takes its ticks from the venue's datagrams."""
    from services.market_making.fast_edge import open_edge  # noqa: PLC0415  # only where it runs

    breakers = Breakers()
    core = PathMarketMaking(config, desk.underlyings, desk.venue_share, breakers)

    def told(handler: Handler) -> Handler:
        """After what a handler says to the desk comes what it says to the path."""

        def handle(message: object) -> Iterable[object]:
            yield from handler(message)
            yield from core.words()

        return handle

    service = Service(
        name=NAME,
        consumes=(
            *inputs(core, told),
            on(FixUp, told(core.on_fix_up)),
            on(FixDown, told(core.on_fix_down)),
            on(PathRecords, told(core.on_records)),
            on(PathStatus, told(core.on_path_status)),
        ),
        publishes=PUBLISHED | frozenset[type[Message]]({TickToQuoteV1}),
        timers=(
            every(config.timer_interval_ms, told(core.on_timer)),
            every(1000, told(core.on_second_timer)),
        ),
        link=LINK,
        edge=lambda: open_edge(config, desk, runtime, feed),
        start=told(core.on_start),
        drain=told(core.on_drain),
        is_drained=core.is_drained,
        not_ready=core.not_ready,
        is_per_underlying=True,
        readings=core.readings,
        core=core,
    )
    return guarded(service, *breakers.dependencies())


def inputs(core: MarketMaking, told: Callable[[Handler], Handler]) -> tuple[Consume, ...]:
    """Returns what both transports take."""
    return (
        on(InstrumentsV1, told(core.on_instruments)),
        on(SurfaceV1, told(core.on_surface)),
        on(LimitsV1, told(core.on_limits)),
        on(LeaseV1, told(core.on_lease)),
        on(HaltV1, told(core.on_halt), replay=True),
        on(ExecutionLatchV1, told(core.on_latched), replay=True),
        on(FillV1, told(core.on_fill), replay=True),
        on(VenueUp, told(core.on_up)),
        on(VenueDown, told(core.on_down)),
        on(VenueReply, told(core.on_reply)),
        on(VenueNotice, told(core.on_notice)),
    )
