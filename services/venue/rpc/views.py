"""What the venue shows of its instruments: tickers, books and summaries, built when asked for."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from native.book import Best
from services.venue.market.expiries import date_name
from services.venue.matching.exchange import Exchange
from shared.clock import NS_PER_MS
from shared.units import amount_from_lots, price_from_ticks

DEPTH_MAX = 1_000
DEPTH_FIRST = 16  # most books have no more levels
Levels = list[tuple[int, int]]  # (ticks, lots), best first
Depth = tuple[Levels, Levels, int]  # bids, asks, change id


class Views:
    """Reads the exchange; `settlement_prices` and `delivery_prices` are kept by the settlement."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.settlement_prices: dict[int, float] = {}
        self.delivery_prices: dict[int, float] = {}
        self._best: Best | None = None

    def forget_best(self) -> None:
        """The book may have changed."""
        self._best = None

    def best(self, index: int) -> tuple[int, int, int, int]:
        """Returns bid ticks and lots, ask ticks and lots; an empty side is 0 and 0."""
        best = self._best
        if best is None:
            best = self._best = self._exchange.book.best(len(self._exchange.instruments))
        return (
            int(best.bid_ticks[index]), int(best.bid_lots[index]),
            int(best.ask_ticks[index]), int(best.ask_lots[index]),
        )  # fmt: skip

    def levels(self, index: int, depth: int) -> Depth:
        """Returns bids and asks, best first, and the change id."""
        return self.books([index], depth)[0]

    def books(self, indices: list[int], depth: int) -> list[Depth]:
        """Returns the levels of several instruments at once."""
        wanted = np.array(indices, dtype=np.int32)
        first = min(depth, DEPTH_FIRST)
        table, change_ids = self._exchange.book.levels(wanted, first)
        if first < depth and table["lots"][:, :, -1].any():
            table, change_ids = self._exchange.book.levels(wanted, depth)
        ticks, lots = table["price_ticks"].tolist(), table["lots"].tolist()
        return [
            (_resting(ticks[at][0], lots[at][0]), _resting(ticks[at][1], lots[at][1]), change_id)
            for at, change_id in enumerate(change_ids.tolist())
        ]

    def quote(self, index: int, now_ns: int) -> dict[str, Any]:
        """Returns the best prices as the channel `quote` shows them."""
        instrument = self._exchange.instruments[index]
        return {
            "timestamp": now_ns // NS_PER_MS,
            "instrument_name": instrument.name,
            **self._best_prices(index),
        }

    def ticker(self, index: int, now_ns: int) -> dict[str, Any]:
        exchange = self._exchange
        instrument = exchange.instruments[index]
        marks, tape = exchange.marks, exchange.history.tapes[index]
        state = exchange.states[index]
        last = price_from_ticks(instrument, tape.last_ticks) if tape.last_ticks else None
        index_price = marks.index_usd(instrument.underlying)
        is_option = instrument.kind == "option"
        body: dict[str, Any] = {
            "timestamp": now_ns // NS_PER_MS,
            "state": state,
            "stats": tape.stats(now_ns, last or 0.0),
            "instrument_name": instrument.name,
            "index_price": index_price,
            "mark_price": round(marks.mark_price(index), 8 if is_option else 2),
            "last_price": last,
            "min_price": price_from_ticks(instrument, marks.low_ticks[index]),
            "max_price": price_from_ticks(instrument, marks.high_ticks[index]),
            "open_interest": exchange.open_interest(index),
            "estimated_delivery_price": index_price if state == "open" else "expired",
            **self._best_prices(index),
        }
        if index in self.settlement_prices:
            body["settlement_price"] = self.settlement_prices[index]
        if index in self.delivery_prices:
            body["delivery_price"] = self.delivery_prices[index]
        if is_option:
            body.update(self._option_fields(index, body, now_ns))
        else:
            body["stats"]["volume_notional"] = body["stats"]["volume_usd"]
        if instrument.kind == "perpetual":
            body.update(current_funding=0.0, funding_8h=0.0, interest_value=0.0)
        return body

    def order_book(self, index: int, depth: int, now_ns: int) -> dict[str, Any]:
        instrument = self._exchange.instruments[index]
        bids, asks, change_id = self.levels(index, min(depth, DEPTH_MAX))
        body = self.ticker(index, now_ns)
        body["change_id"] = change_id
        for name, side in (("bids", bids), ("asks", asks)):
            body[name] = [
                [price_from_ticks(instrument, ticks), amount_from_lots(instrument, lots)]
                for ticks, lots in side
            ]
        return body

    def book_summary(self, index: int, now_ns: int) -> dict[str, Any]:
        exchange = self._exchange
        instrument = exchange.instruments[index]
        tape = exchange.history.tapes[index]
        last = price_from_ticks(instrument, tape.last_ticks) if tape.last_ticks else None
        stats = tape.stats(now_ns, last or 0.0)
        bid, bid_lots, ask, ask_lots = self.best(index)
        bid_price = price_from_ticks(instrument, bid) if bid_lots else None
        ask_price = price_from_ticks(instrument, ask) if ask_lots else None
        mid = None
        if bid_price is not None and ask_price is not None:
            mid = round((bid_price + ask_price) / 2, 8)
        is_option = instrument.kind == "option"
        body: dict[str, Any] = {
            "instrument_name": instrument.name,
            "base_currency": instrument.underlying,
            "quote_currency": instrument.underlying if is_option else "USD",
            "creation_timestamp": now_ns // NS_PER_MS,
            "volume": stats["volume"],
            "volume_usd": stats["volume_usd"],
            "price_change": stats["price_change"],
            "high": stats["high"],
            "low": stats["low"],
            "last": last,
            "bid_price": bid_price,
            "ask_price": ask_price,
            "mid_price": mid,
            "mark_price": round(exchange.marks.mark_price(index), 8 if is_option else 2),
            "open_interest": exchange.open_interest(index),
            "estimated_delivery_price": exchange.marks.index_usd(instrument.underlying),
        }
        if is_option:
            body["mark_iv"] = round(100 * float(exchange.marks.vols[index]), 2)
            body["underlying_price"] = exchange.marks.forward_usd(index)
            body["underlying_index"] = self.underlying_name(index)
            body["interest_rate"] = 0.0
        else:
            body["volume_notional"] = stats["volume_usd"]
        if instrument.kind == "perpetual":
            body.update(current_funding=0.0, funding_8h=0.0)
        return body

    def underlying_name(self, index: int) -> str:
        """Returns the listed future of an option's expiry, or its synthetic name."""
        instrument = self._exchange.instruments[index]
        name = f"{instrument.underlying}-{date_name(instrument.expiry_ns)}"
        return name if name in self._exchange.index_of else f"SYN.{name}"

    def mark_prices(self, indices: Iterable[int], now_ns: int) -> list[dict[str, Any]]:
        """Returns `markprice.options`: marks, and volatilities as fractions."""
        exchange = self._exchange
        prices = np.round(exchange.marks.prices, 6).tolist()
        vols = np.round(exchange.marks.vols, 4).tolist()
        at_ms = now_ns // NS_PER_MS
        return [
            {
                "timestamp": at_ms,
                "mark_price": prices[index],
                "iv": vols[index],
                "instrument_name": exchange.instruments[index].name,
            }
            for index in indices
        ]

    def _best_prices(self, index: int) -> dict[str, float]:
        instrument = self._exchange.instruments[index]
        bid, bid_lots, ask, ask_lots = self.best(index)
        return {
            "best_bid_price": price_from_ticks(instrument, bid),
            "best_bid_amount": amount_from_lots(instrument, bid_lots),
            "best_ask_price": price_from_ticks(instrument, ask),
            "best_ask_amount": amount_from_lots(instrument, ask_lots),
        }

    def _option_fields(self, index: int, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        marks = self._exchange.marks
        return {
            "underlying_price": marks.forward_usd(index),
            "underlying_index": self.underlying_name(index),
            "mark_iv": round(100 * float(marks.vols[index]), 2),
            "bid_iv": round(100 * marks.implied_vol(index, body["best_bid_price"], now_ns), 2),
            "ask_iv": round(100 * marks.implied_vol(index, body["best_ask_price"], now_ns), 2),
            "interest_rate": 0.0,
            "greeks": {
                "delta": round(float(marks.deltas[index]), 5),
                "gamma": round(float(marks.gammas[index]), 5),
                "vega": round(float(marks.vegas[index]), 5),
                "theta": round(float(marks.thetas[index]), 5),
                "rho": 0.0,
            },
        }


def _resting(ticks: list[int], lots: list[int]) -> Levels:
    """Returns the levels of one side; lots are 0 after the last."""
    count = lots.index(0) if 0 in lots else len(lots)
    return list(zip(ticks[:count], lots[:count], strict=True))
