"""Candles from trades: one-minute bars, joined to longer ones when asked."""

from array import array
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any

MINUTE_MS = 60_000
MINUTES_MAX = 3 * 24 * 60  # bars kept per instrument
RESOLUTIONS = ("1", "3", "5", "10", "15", "30", "60", "120", "180", "360", "720", "1D")
BARS_MAX = 5_000
WIDTH = 7  # numbers of a bar


@dataclass(slots=True)
class Bar:
    """One bar; volume in coin, cost in USD (futures) or in coin premium (options)."""

    tick_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    cost: float = 0.0


def resolution_ms(name: str) -> int:
    return 24 * 60 * MINUTE_MS if name == "1D" else int(name) * MINUTE_MS


class Candles:
    """Minute bars per instrument, only for minutes that traded: flat rows of Bar's seven fields."""

    def __init__(self) -> None:
        self._rows: dict[int, array[float]] = {}

    def on_trade(self, index: int, at_ms: int, price: float, volume: float, cost: float) -> None:
        rows = self._rows.setdefault(index, array("d"))
        tick_ms = at_ms - at_ms % MINUTE_MS
        if not rows or rows[-WIDTH] != tick_ms:
            rows.extend((tick_ms, price, price, price, price, 0.0, 0.0))
            del rows[: -MINUTES_MAX * WIDTH]
        _, _, high, low, _, old_volume, old_cost = rows[-WIDTH:]
        rows[-5:] = array(
            "d", (max(high, price), min(low, price), price, old_volume + volume, old_cost + cost)
        )

    def rows(self) -> dict[int, list[Bar]]:
        """Returns all minute bars by instrument, oldest first."""
        return {index: list(self._minutes(index)) for index in self._rows}

    def restore(self, rows: dict[int, list[Bar]]) -> None:
        self._rows = {
            index: array("d", [value for bar in bars for value in astuple(bar)])
            for index, bars in rows.items()
        }

    def _minutes(self, index: int) -> Iterator[Bar]:
        rows = self._rows.get(index, ())
        for at in range(0, len(rows), WIDTH):
            tick_ms, *values = rows[at : at + WIDTH]
            yield Bar(int(tick_ms), *values)

    def bars(self, index: int, start_ms: int, end_ms: int, resolution: str) -> list[Bar]:
        """Returns the bars that begin in [start, end], oldest first. A bar without trades repeats
        the close before it; there is none before the first trade."""
        step_ms = resolution_ms(resolution)
        joined: dict[int, Bar] = {}
        for minute in self._minutes(index):
            tick_ms = minute.tick_ms - minute.tick_ms % step_ms
            if tick_ms > end_ms:
                break
            bar = joined.get(tick_ms)
            if bar is None:
                joined[tick_ms] = Bar(
                    tick_ms, minute.open, minute.high, minute.low, minute.close,
                    minute.volume, minute.cost,
                )  # fmt: skip
            else:
                bar.high = max(bar.high, minute.high)
                bar.low = min(bar.low, minute.low)
                bar.close = minute.close
                bar.volume += minute.volume
                bar.cost += minute.cost
        return _filled(joined, start_ms, end_ms, step_ms)

    def latest(self, index: int, now_ms: int, resolution: str) -> Bar | None:
        """Returns the bar that now stands in, if any trade came before."""
        step_ms = resolution_ms(resolution)
        tick_ms = now_ms - now_ms % step_ms
        bars = self.bars(index, tick_ms, tick_ms, resolution)
        return bars[-1] if bars else None


def columns(bars: list[Bar]) -> dict[str, Any]:
    """Returns bars as get_tradingview_chart_data shows them."""
    return {
        "status": "ok" if bars else "no_data",
        "ticks": [bar.tick_ms for bar in bars],
        "open": [bar.open for bar in bars],
        "high": [bar.high for bar in bars],
        "low": [bar.low for bar in bars],
        "close": [bar.close for bar in bars],
        "volume": [round(bar.volume, 8) for bar in bars],
        "cost": [round(bar.cost, 8) for bar in bars],
    }


def _filled(joined: dict[int, Bar], start_ms: int, end_ms: int, step_ms: int) -> list[Bar]:
    if not joined:
        return []
    first_ms = max(start_ms + -start_ms % step_ms, min(joined))
    first_ms = max(first_ms, end_ms - end_ms % step_ms - (BARS_MAX - 1) * step_ms)
    earlier = [tick for tick in joined if tick < first_ms]
    close = joined[max(earlier)].close if earlier else 0.0
    bars = []
    for tick_ms in range(first_ms, end_ms + 1, step_ms):
        bar = joined.get(tick_ms) or Bar(tick_ms, close, close, close, close)
        close = bar.close
        bars.append(bar)
    return bars
