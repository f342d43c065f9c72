"""Adverse selection: what the market did after the desk's quotes were hit.

A markout is the mark later less the mark at the fill, times what was bought, in dollars: below
zero, those who hit us knew better. Marks are the venue's, not our own model's.
"""

from collections import deque
from collections.abc import Iterator

from shared.clock import NS_PER_S
from shared.messages.market import Instrument, TicksV1
from shared.messages.orders import FillV1
from shared.service import Reading
from shared.units import amount_from_lots

HORIZONS_S = (1, 10, 60)


class Markouts:
    """Of one underlying's options. A fill counts once, `take` has seen to that."""

    def __init__(self, underlying: str) -> None:
        self._underlying = underlying
        self._usd = dict.fromkeys(HORIZONS_S, 0.0)
        self._counts = dict.fromkeys(HORIZONS_S, 0)
        self._open: dict[int, deque[tuple[FillV1, Instrument]]] = {s: deque() for s in HORIZONS_S}
        self._marks: dict[str, float] = {}  # of the instruments that wait
        self._waiting: dict[str, int] = {}

    def take(self, fill: FillV1, instrument: Instrument | None) -> None:
        """Begins to watch the fill of a quote."""
        if not fill.is_quote or fill.mark_price <= 0.0 or instrument is None:
            return
        name = fill.instrument
        self._marks.setdefault(name, fill.mark_price)
        self._waiting[name] = self._waiting.get(name, 0) + len(HORIZONS_S)
        for waiting in self._open.values():
            waiting.append((fill, instrument))

    def on_ticks(self, batch: TicksV1) -> None:
        if not self._waiting:
            return
        for tick in batch.ticks:
            if tick.instrument in self._marks and tick.mark_price > 0.0:
                self._marks[tick.instrument] = tick.mark_price
        for horizon_s, waiting in self._open.items():
            while waiting and batch.created_ns - waiting[0][0].created_ns >= horizon_s * NS_PER_S:
                self._close(horizon_s, *waiting.popleft(), batch.index_usd)

    def readings(self) -> Iterator[Reading]:
        for horizon_s, usd in self._usd.items():
            labels = (self._underlying, f"{horizon_s}s")
            yield Reading("markout_usd", usd, labels)
            yield Reading("markout_fill", self._counts[horizon_s], labels)

    def _close(
        self, horizon_s: int, fill: FillV1, instrument: Instrument, index_usd: float
    ) -> None:
        lots = fill.amount_lots if fill.side == "buy" else -fill.amount_lots
        moved = self._marks[fill.instrument] - fill.mark_price
        self._usd[horizon_s] += amount_from_lots(instrument, lots) * moved * index_usd
        self._counts[horizon_s] += 1
        self._waiting[fill.instrument] -= 1
        if not self._waiting[fill.instrument]:
            del self._waiting[fill.instrument], self._marks[fill.instrument]
