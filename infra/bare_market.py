"""The market on a bare book, without accounts or protocol: for its report and its tests."""

from dataclasses import dataclass

import numpy as np

from native.book import IOC, TRADE, Best, Book, Records
from services.venue.market.chain import Chain
from services.venue.market.market import Market, MarketConfig

STEP_MS = 100
GROUP_MAX = 64


@dataclass(frozen=True, slots=True)
class BareTrade:
    time_ns: int
    instrument: int
    taker: int  # crowd number
    maker: int
    side: int  # the taker's
    lots: int
    price_ticks: int


class BareMarket:
    """A market that trades with itself on one book."""

    def __init__(self, config: MarketConfig, chain: Chain, seed: int) -> None:
        self.book = Book(len(chain.instruments), 65_536, GROUP_MAX, GROUP_MAX)
        self.trades: list[BareTrade] = []
        self.now_ns = chain.opened_ns
        self.market = Market(config, chain, np.random.default_rng(seed), self)

    def run_until(self, now_ns: int) -> None:
        """Steps the market up to a time."""
        while self.now_ns < now_ns:
            self.now_ns += STEP_MS * 1_000_000
            self.market.step(self.now_ns)

    def quote_batch(self, owner: int, quotes: Records) -> Records:
        return self.book.quote_batch(owner, owner, quotes, post_only=True)

    def take(self, owner: int, instrument: int, side: int, lots: int, limit_ticks: int) -> int:
        outcome = self.book.submit(instrument, owner, side, limit_ticks, lots, IOC)
        if outcome.filled_lots:
            for event in self.book.drain_events():
                if event["kind"] == TRADE:
                    self._on_trade(event)
        return outcome.filled_lots

    def best(self) -> Best:
        return self.book.best()

    def _on_trade(self, event: np.void) -> None:
        trade = BareTrade(
            time_ns=self.now_ns,
            instrument=int(event["instrument"]),
            taker=int(event["taker_owner"]),
            maker=int(event["maker_owner"]),
            side=int(event["taker_side"]),
            lots=int(event["lots"]),
            price_ticks=int(event["price_ticks"]),
        )
        self.trades.append(trade)
        self.market.on_trade(
            trade.instrument,
            trade.side,
            trade.lots,
            trade.maker,
            int(event["maker_remaining_lots"]),
        )
