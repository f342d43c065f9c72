"""Public history: trades, candles, marks, settlements and delivery prices."""

from collections.abc import Iterable
from typing import Any

from services.venue.errors import invalid
from services.venue.floor import KINDS, Context, Floor, Method, Table
from services.venue.matching.candles import RESOLUTIONS, columns
from services.venue.matching.history import Trade
from services.venue.rpc.methods_market import MarketMethods
from services.venue.rpc.parameters import Params
from shared.clock import NS_PER_MS

COUNT_MAX = 1_000
VOLATILITY_STEPS_MS = {
    "1": 1_000, "60": 60_000, "3600": 3_600_000, "43200": 43_200_000, "1D": 86_400_000,
}  # fmt: skip
SORTINGS = ("asc", "desc", "default")


class TradeMethods:
    def __init__(self, floor: Floor, market: MarketMethods) -> None:
        self._floor = floor
        self._market = market

    def table(self) -> Table:
        return {
            "public/get_last_trades_by_instrument": Method(self.by_instrument),
            "public/get_last_trades_by_instrument_and_time": Method(self.by_instrument),
            "public/get_last_trades_by_currency": Method(self.by_currency),
            "public/get_last_trades_by_currency_and_time": Method(self.by_currency),
            "public/get_tradingview_chart_data": Method(self.candles),
            "public/get_mark_price_history": Method(self.marks),
            "public/get_delivery_prices": Method(self.delivery_prices),
            "public/get_last_settlements_by_currency": Method(self.settlements),
            "public/get_last_settlements_by_instrument": Method(self.settlements),
            "public/get_index_chart_data": Method(self.index_chart),
            "public/get_volatility_index_data": Method(self.volatility_index),
            "public/get_historical_volatility": Method(self.historical_volatility),
        }

    def by_instrument(self, call: Context) -> dict[str, Any]:
        index = self._floor.index(call.params.text("instrument_name"))
        exchange = self._floor.exchange
        currency = exchange.instruments[index].underlying
        return self._page(call.params, exchange.history.of_instrument(index, currency))

    def by_currency(self, call: Context) -> dict[str, Any]:
        currency = self._floor.currency(call.params)
        kind = call.params.choice("kind", KINDS, "any")
        trades = self._floor.exchange.history.by_currency.get(currency, ())
        instruments = self._floor.exchange.instruments
        return self._page(
            call.params,
            (t for t in trades if kind in ("any", kind_name(instruments[t.index].kind))),
        )

    def candles(self, call: Context) -> dict[str, Any]:
        index = self._floor.index(call.params.text("instrument_name"))
        start_ms = call.params.integer("start_timestamp")
        end_ms = min(call.params.integer("end_timestamp"), call.now_ns // NS_PER_MS)
        resolution = call.params.choice("resolution", RESOLUTIONS)
        bars = self._floor.exchange.candles.bars(index, start_ms, end_ms, resolution)
        return columns(bars)

    def marks(self, call: Context) -> list[list[float]]:
        index = self._floor.index(call.params.text("instrument_name"))
        start_ms = call.params.integer("start_timestamp")
        end_ms = call.params.integer("end_timestamp")
        return self._floor.settlement.mark_history(index, start_ms, end_ms)

    def delivery_prices(self, call: Context) -> dict[str, Any]:
        currency = self._market.index_currency(call)
        offset = call.params.integer("offset", 0, 0, 10**6)
        count = call.params.integer("count", 10, 1, COUNT_MAX)
        rows = self._floor.settlement.delivery_prices(currency)
        return {"data": rows[offset : offset + count], "records_total": len(rows)}

    def settlements(self, call: Context) -> dict[str, Any]:
        rows = self._floor.settlement.public_events
        if call.params.has("instrument_name"):
            name = call.params.text("instrument_name")
            self._floor.index(name)
            rows = [row for row in rows if row["instrument_name"] == name]
        else:
            currency = self._floor.currency(call.params)
            rows = [row for row in rows if row["instrument_name"].startswith(f"{currency}-")]
        wanted = call.params.choice("type", ("settlement", "delivery", "bankruptcy"), "")
        count = call.params.integer("count", 20, 1, COUNT_MAX)
        chosen = [row for row in reversed(rows) if wanted in ("", row["type"])]
        return {"settlements": chosen[:count], "continuation": "none"}

    def index_chart(self, call: Context) -> list[list[float]]:
        currency = self._market.index_currency(call)
        call.params.choice("range", ("1h", "1d", "2d", "1m", "1y", "all"))
        return self._floor.settlement.index_history(currency)

    def historical_volatility(self, call: Context) -> list[list[float]]:
        currency = self._floor.currency(call.params)
        return self._floor.settlement.realised_vols(currency)

    def volatility_index(self, call: Context) -> dict[str, Any]:
        currency = self._floor.currency(call.params)
        start_ms = call.params.integer("start_timestamp")
        end_ms = call.params.integer("end_timestamp")
        resolution = call.params.choice("resolution", tuple(VOLATILITY_STEPS_MS))
        step_ms = VOLATILITY_STEPS_MS[resolution]
        bars = self._floor.settlement.volatility_bars(currency, start_ms, end_ms, step_ms)
        return {"data": bars, "continuation": None}

    def _page(self, params: Params, trades: Iterable[Trade]) -> dict[str, Any]:
        instruments = self._floor.exchange.instruments
        page, has_more = page_of(params, list(trades))
        wires = [trade.wire(instruments[trade.index]) for trade in page]
        return {"trades": wires, "has_more": has_more}


def page_of(params: Params, trades: list[Trade]) -> tuple[list[Trade], bool]:
    """Returns the trades that a request asks for, in its order, and whether there are more.

    By time the oldest come first, else the newest, as the venue does without `sorting`.
    """
    count = params.integer("count", 10, 1, COUNT_MAX)
    sorting = params.choice("sorting", SORTINGS, "default")
    by_time = params.has("start_timestamp") or params.has("end_timestamp")
    start_ms = params.integer("start_timestamp", 0)
    end_ms = params.integer("end_timestamp", 2**53)
    if by_time and end_ms < start_ms:
        raise invalid("end_timestamp", "must not be before start_timestamp")
    chosen = [t for t in trades if start_ms <= t.at_ns // NS_PER_MS <= end_ms]
    for name in ("start_seq", "end_seq"):
        if params.has(name):
            edge = params.integer(name)
            keep_from = name == "start_seq"
            chosen = [t for t in chosen if (t.sequence >= edge) == keep_from or t.sequence == edge]
    for name in ("start_id", "end_id"):
        if params.has(name):
            number = trade_number(params.text(name), name)
            keep_from = name == "start_id"
            chosen = [t for t in chosen if (t.number >= number) == keep_from or t.number == number]
    is_ascending = sorting == "asc" or (sorting == "default" and by_time)
    if not is_ascending:
        chosen.reverse()
    return chosen[:count], len(chosen) > count


def trade_number(trade_id: str, name: str) -> int:
    """Returns the number in a trade id: `ETH-2696097` or `48078936`."""
    digits = trade_id.rpartition("-")[2]
    if not digits.isascii() or not digits.isdigit():
        raise invalid(name, "no such trade id")
    return int(digits)


def kind_name(kind: str) -> str:
    """Returns a kind as the wire has it: a perpetual is a future."""
    return "option" if kind == "option" else "future"
