"""What the market did after the desk's quotes were hit: the mark later less the mark then."""

from collections import deque
from dataclasses import dataclass, field

from shared.clock import NS_PER_S
from shared.messages.market import Instrument, InstrumentsV1, TicksV1
from shared.messages.message import Message
from shared.messages.orders import FillV1
from shared.units import amount_from_lots

HORIZON_NS = 60 * NS_PER_S


@dataclass
class Markouts:
    """Sums, in USD, over the fills of quotes; below zero: those who hit us knew better."""

    usd: float = 0.0
    fill_count: int = 0
    _marks: dict[str, float] = field(default_factory=dict)
    _index: dict[str, float] = field(default_factory=dict)
    _instruments: dict[str, Instrument] = field(default_factory=dict)
    _open: deque[FillV1] = field(default_factory=deque)
    _seen: set[str] = field(default_factory=set)

    def observe(self, message: Message) -> None:
        if isinstance(message, TicksV1):
            self._index[message.underlying] = message.index_usd
            for tick in message.ticks:
                self._marks[tick.instrument] = tick.mark_price
            while self._open and message.created_ns - self._open[0].created_ns >= HORIZON_NS:
                self._close(self._open.popleft())
        elif isinstance(message, InstrumentsV1):
            self._instruments.update((one.name, one) for one in message.instruments)
        elif isinstance(message, FillV1) and message.is_quote and message.mark_price > 0.0:
            if message.trade_id not in self._seen:
                self._open.append(message)
            self._seen.add(message.trade_id)

    def finish(self) -> None:
        """Counts the last fills at the last marks."""
        while self._open:
            self._close(self._open.popleft())

    def _close(self, fill: FillV1) -> None:
        mark = self._marks.get(fill.instrument, 0.0)
        instrument = self._instruments.get(fill.instrument)
        if mark <= 0.0 or instrument is None:
            return
        lots = fill.amount_lots if fill.side == "buy" else -fill.amount_lots
        coin = amount_from_lots(instrument, lots) * (mark - fill.mark_price)
        self.usd += coin * self._index[fill.underlying]
        self.fill_count += 1
