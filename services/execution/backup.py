"""Hedges while hedging is silent: a delta beyond a plain band is taken back to its edge.

Never twice: nothing is hedged while an intent is open or before what the last one traded shows in
risk's position, and an intent of hedging's that does not yet know of ours is refused. It would be
asked for again, from what is held by then.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from services.execution.prices import mid_ticks
from services.execution.trading import Market
from shared.breaker import Breaker
from shared.clock import NS_PER_MS
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.message import Ratio
from shared.messages.risk import LimitsV1, PortfolioV1
from shared.pending_hedge import Pending, position_of
from shared.units import E8, price_from_ticks

MARK = "backup"  # in the ids of its intents
Milliseconds = Annotated[int, Meta(ge=1, le=600_000)]


class BackupConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[execution.backup]`."""

    delta_ratio: Ratio = 0.05  # the band: a share of the delta limit
    lifetime_ms: Milliseconds = 1500
    settle_ms: Milliseconds = 10_000  # after which a portfolio is believed whatever its position
    portfolio_age_ms_max: Milliseconds = 3000


class _Book:
    """What is known of one underlying."""

    def __init__(self) -> None:
        self.portfolio: PortfolioV1 | None = None
        self.delta_coin_max = 0.0
        self.pending = Pending()
        self.settled_id = ""  # our last intent that shows in risk's position
        self.fill_count_min = 0  # an intent that knows fewer fills does not know our last hedge


class Backup:
    """`hedging` is the breaker of the service it stands in for."""

    def __init__(self, config: BackupConfig, hedging: Breaker) -> None:
        self._config = config
        self._hedging = hedging
        self._books: dict[str, _Book] = {}
        self._sequence = 0

    def on_portfolio(self, portfolio: PortfolioV1) -> None:
        book = self._book(portfolio.underlying)
        if book.portfolio is None or portfolio.created_ns >= book.portfolio.created_ns:
            book.portfolio = portfolio
            self._remember(book)

    def on_limits(self, limits: LimitsV1) -> None:
        self._book(limits.underlying).delta_coin_max = limits.delta_coin_max

    def on_intent(self, intent: HedgeIntentV1) -> None:
        """An intent that is worked on, whoever's it is."""
        book = self._book(intent.underlying)
        lots = None
        if book.portfolio is not None:
            lots = position_of(book.portfolio, intent.instrument)
        book.pending.open(intent, lots)

    def on_outcome(self, outcome: HedgeOutcomeV1) -> None:
        book = self._book(outcome.underlying)
        book.pending.on_outcome(outcome)
        self._remember(book)

    def refuses(self, intent: HedgeIntentV1) -> bool:
        """Returns whether an intent of hedging's was made without knowing of our own."""
        book = self._book(intent.underlying)
        if MARK in intent.intent_id:
            return False
        if self._is_ours(book) and not self._is_settled(book):
            return True
        return intent.portfolio_fill_count < book.fill_count_min

    def advance(self, markets: Iterable[Market], now_ns: int) -> Iterator[HedgeIntentV1]:
        """Yields what must be hedged now, at most one intent an underlying."""
        if self._hedging.is_trusted:
            return
        perpetuals = {
            market.instrument.underlying: market
            for market in markets
            if market.instrument.kind == "perpetual"
        }
        for underlying, book in self._books.items():
            market = perpetuals.get(underlying)
            if market is not None and self._may_hedge(book, now_ns):
                yield from self._hedge(underlying, book, market, now_ns)

    def _may_hedge(self, book: _Book, now_ns: int) -> bool:
        age_ns_max = self._config.portfolio_age_ms_max * NS_PER_MS
        if book.portfolio is None or now_ns - book.portfolio.created_ns > age_ns_max:
            return False
        return book.delta_coin_max > 0.0 and self._is_settled(book)

    def _hedge(
        self, underlying: str, book: _Book, market: Market, now_ns: int
    ) -> Iterator[HedgeIntentV1]:
        portfolio, instrument = book.portfolio, market.instrument
        assert portfolio is not None
        band = self._config.delta_ratio * book.delta_coin_max
        beyond_coin = abs(portfolio.delta_coin) - band
        middle = 0.0 if market.tick is None else mid_ticks(instrument, market.tick)
        usd = beyond_coin * price_from_ticks(instrument, round(middle))
        lots = int(usd / (instrument.lot_e8 / E8))
        if lots <= 0:
            return
        self._sequence += 1
        intent = HedgeIntentV1(
            created_ns=now_ns,
            intent_id=f"{underlying}-{MARK}-{now_ns}-{self._sequence}",
            underlying=underlying,
            instrument=instrument.name,
            side="sell" if portfolio.delta_coin > 0 else "buy",
            amount_lots=lots,
            urgency="taking",
            deadline_ns=now_ns + self._config.lifetime_ms * NS_PER_MS,
            delta_coin=portfolio.delta_coin,
            band_coin=band,
            reason="hedging is silent: delta outside the plain band",
            portfolio_fill_count=portfolio.fill_count,
        )
        yield intent

    def _remember(self, book: _Book) -> None:
        """From the first portfolio on that shows what ours traded, others may know of it."""
        intent, portfolio = book.pending.intent, book.portfolio
        if intent is None or portfolio is None or intent.intent_id == book.settled_id:
            return
        if self._is_ours(book) and self._is_settled(book):
            book.settled_id = intent.intent_id
            book.fill_count_min = max(book.fill_count_min, portfolio.fill_count)

    def _is_settled(self, book: _Book) -> bool:
        portfolio = book.portfolio
        settle_ns = self._config.settle_ms * NS_PER_MS
        return portfolio is not None and book.pending.is_settled(portfolio, settle_ns)

    def _is_ours(self, book: _Book) -> bool:
        return book.pending.intent is not None and MARK in book.pending.intent.intent_id

    def _book(self, underlying: str) -> _Book:
        return self._books.setdefault(underlying, _Book())
