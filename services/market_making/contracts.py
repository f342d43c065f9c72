"""The listed contracts of one underlying: a slot of the engine for each option, lots of futures."""

from typing import Protocol

from native.engine import ASK, BID, SLOTS_MAX, Engine
from services.market_making.mass_quote import Contract
from shared.messages.market import Instrument, InstrumentsV1, Tick
from shared.units import E8

EMPTY = {"is_listed": 0}


class Slots(Protocol):
    """Where slots are given out: an engine, or the path that holds one."""

    def put(self, slot: int, instrument: Instrument, *, is_listed: bool) -> None: ...

    def clear(self, slot: int) -> None:
        """Nothing is quoted there, and nothing of ours rests."""


class EngineSlots:
    """An engine in Python's hands."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, slot: int, instrument: Instrument, *, is_listed: bool) -> None:
        self._engine.set_instrument(slot, option_block(instrument, is_listed=is_listed))

    def clear(self, slot: int) -> None:
        self._engine.set_instrument(slot, EMPTY)
        for side in (BID, ASK):
            self._engine.set_live(slot, side, 0, 0, 0)


class Contracts:
    """Slots are given out as options are listed, and taken back when they expire."""

    def __init__(self, slots: Slots, slot_count: int) -> None:
        assert slot_count <= SLOTS_MAX
        self._slots = slots
        self._free = list(range(slot_count - 1, -1, -1))
        self._instruments: dict[int, Instrument] = {}
        self._names_of_expiry: dict[int, set[str]] = {}
        self._tick_ns: dict[int, int] = {}  # slot -> venue time of its newest tick
        self._closed: set[int] = set()  # slots that the venue does not trade now
        self.of_slot: dict[int, Contract] = {}
        self.slots: dict[str, int] = {}
        self.future_lots_usd: dict[str, float] = {}
        self._future_lots: dict[str, int] = {}  # held, signed
        self.refused_count = 0  # listed, and not quotable by this engine

    def update(self, batch: InstrumentsV1) -> list[str]:
        """Takes the list of one expiry; returns the names that are new."""
        names = {instrument.name for instrument in batch.instruments}
        for name in self._names_of_expiry.get(batch.expiry_ns, set()) - names:
            self._release(name)
        self._names_of_expiry[batch.expiry_ns] = names
        return [one.name for one in batch.instruments if self._is_new(one)]

    def release_expired(self, now_ns: int) -> None:
        for expiry_ns in [key for key in self._names_of_expiry if 0 < key <= now_ns]:
            for name in self._names_of_expiry.pop(expiry_ns):
                self._release(name)

    def on_tick(self, tick: Tick) -> int | None:
        """Returns the slot that a tick is of; None where that is none, or the tick was overtaken.

        An option is quoted, or not, as the venue opens and closes it."""
        slot = self.slots.get(tick.instrument)
        if slot is None or tick.venue_ns < self._tick_ns.get(slot, 0):
            return None
        self._tick_ns[slot] = tick.venue_ns
        if tick.is_live == (slot in self._closed):
            self._slots.put(slot, self._instruments[slot], is_listed=tick.is_live)
            self._closed ^= {slot}
        return slot

    def hold_future(self, name: str, lots: int) -> None:
        """Takes a fill of a listed future."""
        self._future_lots[name] = self._future_lots.get(name, 0) + lots

    def hedge_usd(self) -> float:
        """Returns what is held in futures that stand listed: delivery takes a hedge away too."""
        lots = self._future_lots
        return sum((lots[name] * self.future_lots_usd[name] for name in lots), 0.0)

    def instrument(self, slot: int) -> Instrument:
        return self._instruments[slot]

    def is_known(self, name: str) -> bool:
        return name in self.slots or name in self.future_lots_usd

    def lots(self, name: str, amount: float) -> int:
        """Returns the lots of an amount of the venue's, of an option or a future."""
        if name in self.slots:
            return round(amount / self.of_slot[self.slots[name]].lot_coin)
        return round(amount / self.future_lots_usd[name])

    def ticks(self, name: str, price: float) -> int:
        """Returns the ticks of an option's price; 0 for a future, whose price nobody here needs."""
        slot = self.slots.get(name)
        return round(price / self.of_slot[slot].tick_coin) if slot is not None else 0

    def _is_new(self, instrument: Instrument) -> bool:
        if instrument.kind != "option":
            is_new = instrument.name not in self.future_lots_usd
            self.future_lots_usd[instrument.name] = instrument.lot_e8 / E8
            return is_new
        if instrument.name in self.slots:
            return False
        if not self._free or len(instrument.tick_steps) > 1:
            self.refused_count += 1
            return False
        slot = self._free.pop()
        self._instruments[slot] = instrument
        self.slots[instrument.name] = slot
        self.of_slot[slot] = Contract(
            instrument.name, instrument.tick_e8 / E8, instrument.lot_e8 / E8
        )
        self._slots.put(slot, instrument, is_listed=True)
        return True

    def _release(self, name: str) -> None:
        slot = self.slots.pop(name, None)
        if slot is None:
            self.future_lots_usd.pop(name, None)
            self._future_lots.pop(name, None)
            return
        del self.of_slot[slot]
        del self._instruments[slot]
        self._tick_ns.pop(slot, None)
        self._closed.discard(slot)  # the next option there is another
        self._slots.clear(slot)
        self._free.append(slot)


def option_block(instrument: Instrument, *, is_listed: bool) -> dict[str, float]:
    """Returns the engine's block of an option."""
    step = instrument.tick_steps[0] if instrument.tick_steps else None
    return {
        "expiry_ns": instrument.expiry_ns,
        "step_above_ticks": step.above_ticks if step else 0,
        "step_ticks": step.step_ticks if step else 1,
        "strike_usd": instrument.strike_usd,
        "tick_coin": instrument.tick_e8 / E8,
        "lot_coin": instrument.lot_e8 / E8,
        "is_call": instrument.is_call,
        "is_listed": is_listed,
    }
