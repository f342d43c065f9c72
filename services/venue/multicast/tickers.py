"""Tickers on the wire (1003): columns of all instruments, written a row at a time when asked."""

import numpy as np
from numpy.typing import NDArray

from services.venue.matching.exchange import Exchange
from services.venue.multicast.definitions import STATES
from services.venue.multicast.layouts import NULL, TICKER, TICKER_ROW, Rows, cut, rows
from services.venue.rpc.views import Views
from shared.units import E8, price_from_ticks

Ints = NDArray[np.int64]
BEST_FIELDS = ("best_bid_price", "best_bid_amount", "best_ask_price", "best_ask_amount")


class Tickers:
    """The slow columns are read anew with every refresh of the marks, the rest when told to."""

    def __init__(self, exchange: Exchange, views: Views) -> None:
        self._exchange = exchange
        self._views = views
        self._rows: Rows = rows(TICKER_ROW, 0, TICKER, None)
        self._best = np.zeros((4, 0), dtype=np.int64)  # as last published
        self.relist()

    def relist(self) -> None:
        """Takes the instruments that follow on those known."""
        exchange = self._exchange
        instruments = exchange.instruments
        more = len(instruments) - len(self._rows)
        self._rows = np.append(self._rows, rows(TICKER_ROW, more, TICKER, None))
        self._best = np.concatenate((self._best, np.full((4, more), -1, dtype=np.int64)), axis=1)
        self._rows["instrument_id"] = [i.instrument_id for i in instruments]
        self._tick_e8 = np.array([i.tick_e8 for i in instruments], dtype=np.int64)
        self._lot_e8 = np.array([i.lot_e8 for i in instruments], dtype=np.int64)
        self._is_option = np.array([i.kind == "option" for i in instruments])
        is_perpetual = np.array([i.kind == "perpetual" for i in instruments])
        for field in ("current_funding", "funding_8h"):
            self._rows[field] = np.where(is_perpetual, 0.0, NULL)
        underlyings = np.array([i.underlying for i in instruments])
        self._of_currency = {c: np.flatnonzero(underlyings == c) for c in exchange.currencies}
        self._version = -1  # of the marks

    def on_index(self, currency: str, price_usd: float) -> None:
        at = self._of_currency[currency]
        self._rows["index_price"][at] = price_usd
        is_open = self._rows["state"][at] == STATES["open"]
        self._rows["estimated_delivery_price"][at] = np.where(is_open, price_usd, NULL)

    def on_trade(self, index: int) -> None:
        """An instrument has another last price and open interest."""
        self._trade_fields(index)

    def on_states(self) -> None:
        """Instruments were opened or closed."""
        self._version = -1

    def refresh(self) -> bool:
        """Takes new marks over; returns whether there were any."""
        marks = self._exchange.marks
        if marks.version == self._version:
            return False
        self._version = marks.version
        self._rows["state"] = [STATES[state] for state in self._exchange.states]
        self._rows["min_sell_price"] = np.array(marks.low_ticks) * self._tick_e8 / E8
        self._rows["max_buy_price"] = np.array(marks.high_ticks) * self._tick_e8 / E8
        self._rows["mark_price"] = np.where(
            self._is_option, np.round(marks.prices, 8), np.round(marks.prices, 2)
        )
        for index in range(len(self._rows)):
            self._trade_fields(index)
        for field, prices in (
            ("settlement_price", self._views.settlement_prices),
            ("delivery_price", self._views.delivery_prices),
        ):
            self._rows[field] = NULL
            self._rows[field][list(prices)] = list(prices.values())
        for currency in self._of_currency:
            self.on_index(currency, marks.index_usd(currency))
        return True

    def newly_best(self, indices: Ints) -> Ints:
        """Returns those instruments whose best price or amount is another than published."""
        best = self._exchange.book.best(len(self._rows))
        now = np.stack(
            (
                best.bid_ticks[indices], best.bid_lots[indices],
                best.ask_ticks[indices], best.ask_lots[indices],
            )
        )  # fmt: skip
        changed = (self._best[:, indices] != now).any(axis=0)
        at: Ints = indices[changed]
        self._best[:, at] = now[:, changed]
        tick_e8, lot_e8 = self._tick_e8[at], self._lot_e8[at]
        for field, column, unit_e8 in zip(
            BEST_FIELDS, now[:, changed], (tick_e8, lot_e8, tick_e8, lot_e8), strict=True
        ):
            self._rows[field][at] = column * unit_e8 / E8
        return at

    def messages(self, indices: Ints, now_ms: int) -> list[bytes]:
        """Returns the tickers of some instruments, in their order."""
        wanted = self._rows[indices]
        wanted["timestamp_ms"] = now_ms
        return cut(wanted.tobytes(), TICKER_ROW.itemsize)

    def _trade_fields(self, index: int) -> None:
        exchange = self._exchange
        last_ticks = exchange.history.tapes[index].last_ticks
        instrument = exchange.instruments[index]
        last = price_from_ticks(instrument, last_ticks) if last_ticks else NULL
        self._rows["last_price"][index] = last
        self._rows["open_interest"][index] = exchange.open_interest(index)
