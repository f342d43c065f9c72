"""observer: what the whole desk publishes -> the live view, the invariants and the day's report.

It runs beside the supervisor in `hedgerow up`, listens only, and holds the newest state of
everything a person asks about.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.configuration import DeskConfig
from shared.invariants import Invariants
from shared.messages.desk import HeartbeatV1, RecordV1, TimerV1
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import FeedV1, Instrument, InstrumentsV1, TicksV1, VenueAuditV1
from shared.messages.message import Message
from shared.messages.orders import AccountV1, FillV1, OrderV1, PlaceOrderV1, SettlementV1
from shared.messages.pricing import SurfaceV1
from shared.messages.quoting import QuotesPulledV1, QuotesV1, QuotingStatusV1, TickToQuoteV1
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

RECENT_MAX = 12
Nothing = Iterable[Message]


@dataclass
class Observed:
    """The newest of everything, by underlying or service."""

    statuses: dict[str, QuotingStatusV1] = field(default_factory=dict)
    portfolios: dict[str, PortfolioV1] = field(default_factory=dict)
    pnls: dict[str, PnlV1] = field(default_factory=dict)
    surfaces: dict[str, SurfaceV1] = field(default_factory=dict)
    scenarios: dict[str, ScenariosV1] = field(default_factory=dict)
    reconciliations: dict[str, ReconciliationV1] = field(default_factory=dict)
    heartbeats: dict[str, HeartbeatV1] = field(default_factory=dict)
    index_usd: dict[str, float] = field(default_factory=dict)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    feed: FeedV1 | None = None
    tick_to_quote: dict[str, TickToQuoteV1] = field(default_factory=dict)  # of each fast path
    fills: deque[FillV1] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))
    alerts: deque[AlertV1] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))
    fill_ids: set[str] = field(default_factory=set)
    hedge_order_ids: set[str] = field(default_factory=set)
    hedge_fill_count: int = 0
    halt_count: int = 0
    pull_count: int = 0
    first_quote_ns: int = 0
    first_two_sided_ns: int = 0
    quoted_max: int = 0
    quotable_max: int = 0
    uptime_samples: list[float] = field(default_factory=list)
    is_closing: bool = False  # quotes are being pulled on purpose: no longer sampled


class Observer:
    def __init__(self, desk: DeskConfig) -> None:
        self.underlyings = desk.underlyings
        self.invariants = Invariants()
        self.seen = Observed()

    def on_message(self, message: Message) -> Nothing:
        self.invariants.observe(message)
        return ()

    def on_instruments(self, message: InstrumentsV1) -> Nothing:
        for instrument in message.instruments:
            self.seen.instruments[instrument.name] = instrument
        return self.on_message(message)

    def on_status(self, message: QuotingStatusV1) -> Nothing:
        self.seen.statuses[message.underlying] = message
        quoted = sum(status.quoted_count for status in self.seen.statuses.values())
        self.seen.quoted_max = max(self.seen.quoted_max, quoted)
        quotable = sum(status.quotable_count for status in self.seen.statuses.values())
        self.seen.quotable_max = max(self.seen.quotable_max, quotable)
        return self.on_message(message)

    def on_quotes(self, message: QuotesV1) -> Nothing:
        if not self.seen.first_quote_ns and any(
            quote.bid_lots and quote.ask_lots for quote in message.quotes
        ):
            self.seen.first_quote_ns = message.created_ns
        return self.on_message(message)

    def on_tick_to_quote(self, message: TickToQuoteV1) -> Nothing:
        self.seen.tick_to_quote[message.path] = message
        return self.on_message(message)

    def on_portfolio(self, message: PortfolioV1) -> Nothing:
        self.seen.portfolios[message.underlying] = message
        return self.on_message(message)

    def on_pnl(self, message: PnlV1) -> Nothing:
        self.seen.pnls[message.underlying] = message
        return self.on_message(message)

    def on_surface(self, message: SurfaceV1) -> Nothing:
        self.seen.surfaces[message.underlying] = message
        return self.on_message(message)

    def on_scenarios(self, message: ScenariosV1) -> Nothing:
        self.seen.scenarios[message.underlying] = message
        return ()

    def on_reconciliation(self, message: ReconciliationV1) -> Nothing:
        self.seen.reconciliations[message.currency] = message
        return self.on_message(message)

    def on_heartbeat(self, message: HeartbeatV1) -> Nothing:
        self.seen.heartbeats[message.service] = message
        return self.on_message(message)

    def on_ticks(self, message: TicksV1) -> Nothing:
        self.seen.index_usd[message.underlying] = message.index_usd
        return self.on_message(message)

    def on_feed(self, message: FeedV1) -> Nothing:
        self.seen.feed = message
        return self.on_message(message)

    def on_fill(self, message: FillV1) -> Nothing:
        if message.trade_id not in self.seen.fill_ids:
            self.seen.fill_ids.add(message.trade_id)
            self.seen.fills.appendleft(message)
            self.seen.hedge_fill_count += not message.is_quote
        return self.on_message(message)

    def on_place(self, message: PlaceOrderV1) -> Nothing:
        self.seen.hedge_order_ids.add(message.order_id)
        return self.on_message(message)

    def on_alert(self, message: AlertV1) -> Nothing:
        self.seen.alerts.appendleft(message)
        return ()

    def on_halt(self, message: HaltV1) -> Nothing:
        self.seen.halt_count += message.action == "halt"
        return self.on_message(message)

    def on_pulled(self, message: QuotesPulledV1) -> Nothing:
        self.seen.pull_count += 1
        return self.on_message(message)

    def on_timer(self, timer: TimerV1) -> Nothing:
        """Samples the share of the quoted range that is two-sided now."""
        statuses = self.seen.statuses
        is_due = self.seen.first_quote_ns and not self.seen.is_closing
        if is_due and len(statuses) == len(self.underlyings):
            quotable = sum(status.quotable_count for status in statuses.values())
            quoted = sum(status.quoted_count for status in statuses.values())
            if quotable:
                self.seen.uptime_samples.append(min(1.0, quoted / quotable))
        return self.on_message(timer)


def build(desk: DeskConfig) -> tuple[Service, Observer]:
    """Returns the observer's wiring, and the observer for the view and the report."""
    observer = Observer(desk)
    listened = (LimitsV1, AccountV1, VenueAuditV1, OrderV1)
    service = Service(
        name="observer",
        consumes=(
            on(InstrumentsV1, observer.on_instruments),
            on(QuotesV1, observer.on_quotes, late=True),
            on(LeaseV1, observer.on_message, late=True),
            on(QuotingStatusV1, observer.on_status),
            on(TickToQuoteV1, observer.on_tick_to_quote),
            on(QuotesPulledV1, observer.on_pulled, replay=True),
            on(TicksV1, observer.on_ticks),
            on(FeedV1, observer.on_feed),
            on(SurfaceV1, observer.on_surface),
            on(PortfolioV1, observer.on_portfolio),
            on(PnlV1, observer.on_pnl),
            on(ScenariosV1, observer.on_scenarios),
            on(ReconciliationV1, observer.on_reconciliation),
            on(HeartbeatV1, observer.on_heartbeat),
            on(FillV1, observer.on_fill, replay=True),
            on(PlaceOrderV1, observer.on_place, replay=True),
            on(AlertV1, observer.on_alert, replay=True),
            on(HaltV1, observer.on_halt, replay=True),
            on(SettlementV1, observer.on_message, replay=True),
            on(HedgeIntentV1, observer.on_message, replay=True),
            on(HedgeOutcomeV1, observer.on_message, replay=True),
            on(RecordV1, observer.on_message, replay=True),
            *(on(kind, observer.on_message) for kind in listened),
        ),
        timers=(every(500, observer.on_timer),),
        core=observer,
    )
    return service, observer
