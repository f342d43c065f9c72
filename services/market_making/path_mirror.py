"""What rests at the venue, as the records of the fast path tell it: the engine is the loop's."""

from native.engine import LiveQuote
from services.market_making.path_words import Record

NOTHING = LiveQuote(0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0)


class Mirror:
    """Live quotes by slot. Greeks and positions stay in the loop: none are shown here."""

    def __init__(self) -> None:
        self._live: dict[int, LiveQuote] = {}
        self.changed: set[int] = set()  # slots, since they were last taken

    def __len__(self) -> int:
        return len(self._live)

    def quote(self, slot: int) -> LiveQuote:
        return self._live.get(slot, NOTHING)

    def take_changed(self) -> list[int]:
        slots = sorted(self.changed)
        self.changed.clear()
        return slots

    def clear(self) -> None:
        self._live.clear()
        self.changed.clear()

    def drop(self, slot: int) -> None:
        self._live.pop(slot, None)
        self.changed.discard(slot)

    def on_quote(self, record: Record) -> None:
        """A quote was sent; a side that did not move stays as it was."""
        before = self.quote(record.slot)
        bid = (before.bid_ticks, before.bid_lots)
        ask = (before.ask_ticks, before.ask_lots)
        if record.is_bid_moved:
            bid = (record.bid_ticks, record.bid_lots)
        if record.is_ask_moved:
            ask = (record.ask_ticks, record.ask_lots)
        self._put(record.slot, bid, ask, record.theo_coin)

    def on_side_gone(self, record: Record) -> None:
        """The venue refused or cancelled what the record marks."""
        before = self.quote(record.slot)
        bid_lots = 0 if record.is_bid_moved else before.bid_lots
        ask_lots = 0 if record.is_ask_moved else before.ask_lots
        self._put(
            record.slot,
            (before.bid_ticks, bid_lots),
            (before.ask_ticks, ask_lots),
            before.theo_coin,
        )

    def on_fill(self, record: Record) -> None:
        """So much less rests on the side that traded; signed lots stand in the first place."""
        before = self.quote(record.slot)
        lots = record.bid_lots
        bid_lots = max(0, before.bid_lots - max(0, lots))
        ask_lots = max(0, before.ask_lots - max(0, -lots))
        self._put(
            record.slot,
            (before.bid_ticks, bid_lots),
            (before.ask_ticks, ask_lots),
            before.theo_coin,
        )

    def _put(self, slot: int, bid: tuple[int, int], ask: tuple[int, int], theo_coin: float) -> None:
        self.changed.add(slot)
        self._live[slot] = LiveQuote(*bid, *ask, theo_coin, 0.0, 0.0, 0.0, 0)
