"""Hedging: risk's delta held inside a Whalley-Wilmott band by intents in the cheapest future."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from services.hedging.band import BandConfig, band_coin, hedge_coin, whole_lots
from services.hedging.breakers import Breakers
from services.hedging.carriers import Carrier, Carriers
from shared.alerts import Alerts
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.message import Message, Ratio
from shared.messages.risk import LeaseV1, PortfolioV1
from shared.pending_hedge import Pending, position_of
from shared.service import Reading

ALERT_INTERVAL_NS = 10 * NS_PER_S
Milliseconds = Annotated[int, Meta(ge=1, le=600_000)]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[hedging]`."""

    BTC: BandConfig = BandConfig(risk_aversion_per_usd=2e-5, band_coin_min=0.05, band_coin_max=2.0)
    ETH: BandConfig = BandConfig(risk_aversion_per_usd=2e-5, band_coin_min=1.0, band_coin_max=50.0)
    hedging_enabled: bool = True
    passive_cost_ratio: Ratio = 0.00003  # what resting costs beside its fee: the price runs away
    dated_extra_ratio: Ratio = 0.0002
    passive_ms: Milliseconds = 4000  # deadline of an intent that rests
    taking_ms: Milliseconds = 1500
    settle_ms: Milliseconds = 10_000  # after which a portfolio is believed whatever its position
    overdue_ms: Milliseconds = 15_000  # after its deadline an intent without outcome is replaced
    portfolio_age_ms_max: Milliseconds = 3000
    tick_age_ms_max: Milliseconds = 10_000


class Book:
    """What hedging knows of one underlying."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self.band: BandConfig = getattr(config, name)
        self.carriers = Carriers(config.dated_extra_ratio)
        self.pending = Pending()
        self.portfolio: PortfolioV1 | None = None
        self.is_reducing = False
        self.lease_ns = 0
        self.index_usd = 0.0
        self.index_ns = 0
        self.intent_count = 0


class Hedging:
    def __init__(
        self, config: Config, underlyings: tuple[str, ...], breakers: Breakers | None = None
    ) -> None:
        self._config = config
        self._breakers = breakers or Breakers()
        self._alerts = Alerts("hedging", ALERT_INTERVAL_NS)
        self._is_started = False
        self._is_draining = False
        self._now_ns = 0
        self._sequence = 0
        self.books = {name: Book(name, config) for name in underlyings}

    def on_instruments(self, batch: InstrumentsV1) -> Iterator[Message]:
        if batch.underlying in self.books:
            self.books[batch.underlying].carriers.update(batch)
        yield from ()

    def on_ticks(self, batch: TicksV1) -> Iterator[Message]:
        book = self.books.get(batch.underlying)
        if book is not None:
            self._at(batch.created_ns)
            book.carriers.on_ticks(batch)
            if batch.index_ns >= book.index_ns:
                book.index_usd, book.index_ns = batch.index_usd, batch.index_ns
        yield from ()

    def on_lease(self, lease: LeaseV1) -> Iterator[Message]:
        book = self.books.get(lease.underlying)
        if book is not None and lease.created_ns >= book.lease_ns:
            book.lease_ns = lease.created_ns
            book.is_reducing = lease.state == "reducing"
        yield from ()

    def on_portfolio(self, portfolio: PortfolioV1) -> Iterator[Message]:
        book = self.books.get(portfolio.underlying)
        if book is None:
            return
        known = book.portfolio
        if known is None or portfolio.created_ns >= known.created_ns:
            book.portfolio = portfolio
            yield from self._hedge(book, self._at(portfolio.created_ns))

    def on_intent(self, intent: HedgeIntentV1) -> Iterator[Message]:
        """Our own, from the record: what was open when we stopped may still be."""
        if intent.underlying in self.books and not self._is_started:
            self.books[intent.underlying].pending.on_replayed(intent)
        yield from ()

    def on_outcome(self, outcome: HedgeOutcomeV1) -> Iterator[Message]:
        book = self.books.get(outcome.underlying)
        if book is not None and book.pending.on_outcome(outcome) and self._is_started:
            yield from self._hedge(book, self._at(outcome.created_ns))

    def on_start(self, timer: TimerV1) -> Iterator[Message]:
        self._is_started = True
        self._at(timer.created_ns)
        yield from ()

    def on_timer(self, timer: TimerV1) -> Iterator[Message]:
        now_ns = self._at(timer.created_ns)
        for book in self.books.values():
            yield from self._hedge(book, now_ns)

    def on_drain(self, timer: TimerV1) -> Iterator[Message]:
        """No new intents; execution ends what is open."""
        self._at(timer.created_ns)
        self._is_draining = True
        yield from ()

    def not_ready(self) -> str:
        waiting = [name for name, book in self.books.items() if book.portfolio is None]
        return f"no portfolio of {', '.join(waiting)}" if waiting else ""

    def readings(self, now_ns: int) -> Iterator[Reading]:
        for name, book in self.books.items():
            intent = book.pending.intent
            age_ns = now_ns - intent.created_ns if intent and book.pending.is_open() else 0
            yield Reading("hedge_open_seconds", max(0, age_ns) / NS_PER_S, (name,))
            yield Reading("hedge_intended", book.intent_count, (name,))

    def _hedge(self, book: Book, now_ns: int) -> Iterator[Message]:
        """Sends an intent if delta has left the band and nothing is on its way."""
        portfolio = book.portfolio
        if not self._config.hedging_enabled or self._is_draining or not self._is_started:
            return
        if portfolio is None or book.index_usd <= 0.0:
            return
        if book.pending.is_open():
            if now_ns < self._overdue_ns(book):
                return
            yield from self._alerts.raised(
                "hedge_overdue", "page", "no outcome of the open intent", now_ns, book.name
            )
        elif not book.pending.is_settled(portfolio, self._config.settle_ms * NS_PER_MS):
            return
        is_old = now_ns - portfolio.created_ns > self._config.portfolio_age_ms_max * NS_PER_MS
        is_old = is_old or not self._breakers.portfolio.is_trusted
        is_silent = now_ns - book.index_ns > self._config.tick_age_ms_max * NS_PER_MS
        is_silent = is_silent or not self._breakers.ticks.is_trusted
        urgency, band = self._stance(book, portfolio, now_ns)
        if abs(portfolio.delta_coin) <= band:
            return
        if is_old or is_silent:
            yield from self._alerts.raised(
                "hedging_blind", "page", "portfolio or ticks are stale", now_ns, book.name
            )
            return
        carrier = self._carrier(book, now_ns, urgency)
        if carrier is None:
            yield from self._alerts.raised(
                "no_hedge_market", "page", "no future has two sides", now_ns, book.name
            )
            return
        amount = hedge_coin(portfolio.delta_coin, band, is_to_edge=urgency == "taking")
        lots = whole_lots(amount, carrier.mid_usd, carrier.lot_usd)
        if lots != 0 and self._breakers.execution.try_acquire(now_ns):
            intent = self._intent(book, portfolio, carrier, lots, urgency, band, now_ns)
            book.intent_count += 1
            book.pending.open(intent, position_of(portfolio, carrier.name))
            yield intent

    def _stance(
        self, book: Book, portfolio: PortfolioV1, now_ns: int
    ) -> tuple[Literal["passive", "taking"], float]:
        """Returns the urgency and the band that goes with it: resting is cheap, so its band is
        narrow; beyond `urgent_ratio` of the taker's band, or when risk reduces, we take."""
        gamma = portfolio.gamma_coin_per_usd
        taker = self._carrier(book, now_ns, "taking")
        taker_cost = taker.cost_ratio(is_taking=True) if taker else 0.0
        taking_band = band_coin(book.band, taker_cost, gamma, book.index_usd)
        if book.is_reducing:
            return "taking", taking_band
        if abs(portfolio.delta_coin) > book.band.urgent_ratio * taking_band:
            return "taking", taking_band
        resting = self._carrier(book, now_ns, "passive")
        resting_fee = resting.cost_ratio(is_taking=False) if resting else 0.0
        cost = resting_fee + self._config.passive_cost_ratio
        return "passive", band_coin(book.band, cost, gamma, book.index_usd)

    def _carrier(self, book: Book, now_ns: int, urgency: str) -> Carrier | None:
        age_ns_max = self._config.tick_age_ms_max * NS_PER_MS
        return book.carriers.cheapest(now_ns, age_ns_max, is_taking=urgency == "taking")

    def _overdue_ns(self, book: Book) -> int:
        intent = book.pending.intent
        assert intent is not None
        return intent.deadline_ns + self._config.overdue_ms * NS_PER_MS

    def _intent(
        self,
        book: Book,
        portfolio: PortfolioV1,
        carrier: Carrier,
        lots: int,
        urgency: Literal["passive", "taking"],
        band: float,
        now_ns: int,
    ) -> HedgeIntentV1:
        self._sequence += 1
        lifetime_ms = self._config.taking_ms if urgency == "taking" else self._config.passive_ms
        return HedgeIntentV1(
            created_ns=now_ns,
            intent_id=f"{book.name}-{now_ns}-{self._sequence}",
            underlying=book.name,
            instrument=carrier.name,
            side="buy" if lots > 0 else "sell",
            amount_lots=abs(lots),
            urgency=urgency,
            deadline_ns=now_ns + lifetime_ms * NS_PER_MS,
            delta_coin=portfolio.delta_coin,
            band_coin=band,
            reason="reducing" if book.is_reducing else "delta outside its band",
            portfolio_fill_count=portfolio.fill_count,
        )

    def _at(self, created_ns: int) -> int:
        """Returns now: the newest time that any input has carried."""
        self._now_ns = max(self._now_ns, created_ns)
        return self._now_ns
