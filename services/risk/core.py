"""Risk: what the desk holds, what it is worth, whether it may go on quoting."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from services.risk.breakers import Breakers
from services.risk.lease import Condition, lease, refusal
from services.risk.limits import Limits, limits_message, says_the_same, standing
from services.risk.markouts import Markouts
from services.risk.portfolio import Portfolio
from services.risk.quote_quality import QuoteQuality
from services.risk.readings import readings
from services.risk.reconciliation import Reconciliation
from shared.alerts import Alerts
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.market import FeedV1, InstrumentsV1, TicksV1
from shared.messages.message import Message
from shared.messages.orders import AccountV1, FillV1, SettlementV1
from shared.messages.pricing import SurfaceV1
from shared.messages.quoting import QuotesV1
from shared.messages.risk import HaltV1, LimitsV1, PnlV1
from shared.service import Reading

HOUR_NS = 3600 * NS_PER_S
FEED_AGE_NS_MAX = 5 * NS_PER_S
ALERT_INTERVAL_NS = 10 * NS_PER_S  # the same alert is not raised more often

Moves = Annotated[tuple[Annotated[float, Meta(gt=-1.0, le=10.0)], ...], Meta(max_length=16)]
Horizons = Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=4)]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[risk]`."""

    BTC: Limits = Limits(
        delta_coin_max=10.0,
        vega_usd_max=15_000.0,
        gamma_coin_per_usd_max=0.01,
        quote_lots_max=50,
        position_lots_max=1000,
        loss_usd_max=250_000.0,
    )
    ETH: Limits = Limits(
        delta_coin_max=250.0,
        vega_usd_max=15_000.0,
        gamma_coin_per_usd_max=5.0,
        quote_lots_max=100,
        position_lots_max=5000,
        loss_usd_max=250_000.0,
    )
    value_interval_ms: Annotated[int, Meta(ge=50, le=60_000)] = 500
    scenario_interval_ms: Annotated[int, Meta(ge=100, le=600_000)] = 2000
    spot_moves_ratio: Moves = (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2)
    vol_moves: Moves = (-0.1, 0.0, 0.1)
    horizons_ns: Horizons = (0, 24 * HOUR_NS)
    break_halt_ms: Annotated[int, Meta(ge=0, le=3_600_000)] = 15_000


class Underlying:
    """What risk knows of one underlying."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self.portfolio = Portfolio(name)
        self.reconciliation = Reconciliation(name)
        self.published_limits = limits_message(limits, name, 1, 0)
        self.halt: HaltV1 | None = None  # the newest word on it, a resume included
        self.refusal = "starting"
        self.loss_floor_usd = 0.0  # P&L at the last resume; losses count from there
        self.is_soft = False
        self.lease_expires_ns = 0  # of the newest; 0: none was given yet
        self.markouts = Markouts(name)
        self.quality = QuoteQuality(name)

    @property
    def is_halted(self) -> bool:
        return self.halt is not None and self.halt.action == "halt"


class Risk:
    def __init__(
        self, config: Config, underlyings: tuple[str, ...], breakers: Breakers | None = None
    ) -> None:
        self._config = config
        self._breakers = breakers or Breakers()
        self.underlyings = {name: Underlying(name, getattr(config, name)) for name in underlyings}
        self._feed: FeedV1 | None = None
        self._alerts = Alerts("risk", ALERT_INTERVAL_NS)
        self._halt_ids: set[str] = set()
        self._is_final = False
        self._grid = (config.spot_moves_ratio, config.vol_moves, config.horizons_ns)

    def on_instruments(self, batch: InstrumentsV1) -> Iterator[Message]:
        known = self.underlyings.get(batch.underlying)
        if known is None:
            return
        known.portfolio.market.on_instruments(batch)
        if known.portfolio.take_waiting() and known.portfolio.is_valued:
            yield known.portfolio.message(batch.created_ns)

    def on_fill(self, fill: FillV1) -> Iterator[Message]:
        known = self.underlyings.get(fill.underlying)
        if known is not None and known.portfolio.on_fill(fill) and known.portfolio.is_valued:
            instrument = known.portfolio.market.instruments.get(fill.instrument)
            known.markouts.take(fill, instrument)
            yield known.portfolio.message(fill.created_ns)

    def on_settlement(self, settlement: SettlementV1) -> Iterator[Message]:
        known = self.underlyings.get(settlement.underlying)
        if known is None or not known.portfolio.on_settlement(settlement):
            return
        known.reconciliation.expect_delivery_fee()
        if known.portfolio.is_valued:
            yield known.portfolio.message(settlement.created_ns)

    def on_ticks(self, batch: TicksV1) -> Iterator[Message]:
        if batch.underlying in self.underlyings:
            known = self.underlyings[batch.underlying]
            known.portfolio.market.on_ticks(batch)
            known.markouts.on_ticks(batch)
        yield from ()

    def on_surface(self, surface: SurfaceV1) -> Iterator[Message]:
        if surface.underlying in self.underlyings:
            self.underlyings[surface.underlying].portfolio.market.on_surface(surface)
        yield from ()

    def on_feed(self, feed: FeedV1) -> Iterator[Message]:
        self._feed = feed
        yield from ()

    def on_account(self, account: AccountV1) -> Iterator[Message]:
        known = self.underlyings.get(account.currency)
        if known is None:
            return
        was_broken = known.reconciliation.is_broken
        verdict = known.reconciliation.check(account, known.portfolio.positions)
        if verdict is None:
            return
        yield verdict
        if verdict.is_equal:
            self._breakers.reconciliation.on_success(0, account.created_ns)
        else:
            self._breakers.reconciliation.on_error(0, account.created_ns)
        if known.reconciliation.is_broken and not was_broken:
            yield from self._alerts.raised(
                "reconciliation_break", "page", verdict.detail, account.created_ns, known.name
            )

    def on_halt(self, halt: HaltV1) -> Iterator[Message]:
        """Latches: the newest word on an underlying counts, whoever said it."""
        if halt.halt_id in self._halt_ids:
            return
        self._halt_ids.add(halt.halt_id)
        for known in self.underlyings.values():
            if halt.underlying not in (known.name, "all"):
                continue
            if known.halt is None or halt.created_ns >= known.halt.created_ns:
                known.halt = halt
                if halt.action == "resume":
                    known.loss_floor_usd = known.portfolio.total_usd()
        yield from ()

    def on_limits(self, limits: LimitsV1) -> Iterator[Message]:
        """Goes on from the version that stood before a restart."""
        known = self.underlyings.get(limits.underlying)
        if known is None or limits.version < known.published_limits.version:
            return
        ours = known.published_limits
        if says_the_same(limits, ours):
            known.published_limits = limits
        elif limits.created_ns != ours.created_ns:
            yield self._publish_limits(known, limits.version + 1, limits.created_ns)

    def on_pnl(self, pnl: PnlV1) -> Iterator[Message]:
        """The last P&L before a restart is where its terms go on from."""
        known = self.underlyings.get(pnl.underlying)
        if known is not None and not known.portfolio.is_valued:
            known.portfolio.explain.restore(pnl)
        yield from ()

    def on_quotes(self, quotes: QuotesV1) -> Iterator[Message]:
        """Risk's own look at what is quoted; it does not believe the quoter."""
        known = self.underlyings.get(quotes.underlying)
        if known is None:
            return
        known.quality.on_quotes(quotes)
        lots_max = known.limits.quote_lots_max
        for quote in quotes.quotes:
            is_crossed = quote.bid_lots and quote.ask_lots and quote.bid_ticks >= quote.ask_ticks
            if is_crossed or quote.bid_lots > lots_max or quote.ask_lots > lots_max:
                name = "quote_crossed" if is_crossed else "quote_too_large"
                text = f"{quote.instrument} {quote.bid_ticks}x{quote.ask_ticks}"
                yield from self._alerts.raised(name, "page", text, quotes.created_ns, known.name)

    def on_start(self, timer: TimerV1) -> Iterator[Message]:
        for known in self.underlyings.values():
            version = known.published_limits.version
            yield self._publish_limits(known, version, timer.created_ns)

    def on_lease_timer(self, timer: TimerV1) -> Iterator[Message]:
        for known in self.underlyings.values():
            condition = self._condition(known, timer.created_ns)
            reason = refusal(condition) or self._breakers.refusal()
            if not reason:
                given = lease(known.name, timer.created_ns, is_soft=known.is_soft)
                known.lease_expires_ns = given.expires_ns
                yield given
            if reason and not known.refusal:
                text = "no lease to quote"
                yield from self._alerts.raised(reason, "ticket", text, timer.created_ns, known.name)
            known.refusal = reason

    def on_value_timer(self, timer: TimerV1) -> Iterator[Message]:
        for known in self.underlyings.values():
            known.portfolio.revalue(timer.created_ns)
            if known.portfolio.is_valued:
                yield from self._judge(known, timer.created_ns)

    def on_second_timer(self, timer: TimerV1) -> Iterator[Message]:
        for known in self.underlyings.values():
            if known.portfolio.is_valued:
                yield known.portfolio.pnl(timer.created_ns, is_final=self._is_final)

    def on_scenario_timer(self, timer: TimerV1) -> Iterator[Message]:
        for known in self.underlyings.values():
            if known.portfolio.is_valued:
                yield known.portfolio.scenarios(self._grid, timer.created_ns)

    def on_drain(self, timer: TimerV1) -> Iterator[Message]:
        """The last word of the day."""
        for known in self.underlyings.values():
            known.portfolio.revalue(timer.created_ns)
            if known.portfolio.is_valued:
                yield known.portfolio.message(timer.created_ns)
        self._is_final = True
        yield from self.on_second_timer(timer)

    def not_ready(self) -> str:
        unpriced = [u.name for u in self.underlyings.values() if not u.portfolio.is_valued]
        return f"no surface or index yet: {', '.join(unpriced)}" if unpriced else ""

    def readings(self, now_ns: int) -> Iterator[Reading]:
        if self._feed is not None:
            yield Reading("feed_up", self._feed_is_up(now_ns))
        for known in self.underlyings.values():
            yield from readings(known, now_ns)

    def _judge(self, known: Underlying, now_ns: int) -> Iterator[Message]:
        """Publishes the portfolio, and halts on what must never stand."""
        portfolio = known.portfolio.message(now_ns)
        yield portfolio
        level, text = standing(known.limits, portfolio)
        known.is_soft = level != "within"
        if known.is_halted:
            return
        loss_usd = known.loss_floor_usd - known.portfolio.total_usd()
        broken_since_ns = known.reconciliation.broken_since_ns
        if level == "hard":
            yield from self._halt(known, "hard_limit", text, now_ns)
        elif loss_usd > known.limits.loss_usd_max:
            yield from self._halt(known, "loss_limit", f"lost {loss_usd:.0f} USD", now_ns)
        elif broken_since_ns and (
            now_ns - broken_since_ns >= self._config.break_halt_ms * NS_PER_MS
        ):
            yield from self._halt(known, "reconciliation_break", "it persists", now_ns)

    def _halt(self, known: Underlying, name: str, text: str, now_ns: int) -> Iterator[Message]:
        halt = HaltV1(
            created_ns=now_ns,
            halt_id=f"{name}-{known.name}-{now_ns}",
            underlying=known.name,
            action="halt",
            reason=f"{name}: {text}",
            author="risk",
        )
        yield from self.on_halt(halt)  # latched here before anybody else hears of it
        yield halt
        yield from self._alerts.raised(name, "page", text, now_ns, known.name)

    def _publish_limits(self, known: Underlying, version: int, now_ns: int) -> LimitsV1:
        known.published_limits = limits_message(known.limits, known.name, version, now_ns)
        return known.published_limits

    def _condition(self, known: Underlying, now_ns: int) -> Condition:
        market = known.portfolio.market
        return Condition(
            is_halted=known.is_halted,
            is_connected=self._feed_is_up(now_ns),
            is_broken=known.reconciliation.is_broken,
            tick_age_ns=now_ns - market.ticks_ns,
            surface_age_ns=now_ns - market.surface_ns,
            tick_age_ns_max=known.limits.tick_age_ns_max,
            surface_age_ns_max=known.limits.surface_age_ns_max,
            is_soft=known.is_soft,
        )

    def _feed_is_up(self, now_ns: int) -> bool:
        feed = self._feed
        return (
            feed is not None and feed.is_connected and now_ns - feed.created_ns <= FEED_AGE_NS_MAX
        )
