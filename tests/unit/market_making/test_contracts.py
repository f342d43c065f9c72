"""Slots of options: given out as they are listed, taken back as they expire, given out again."""

import msgspec

from services.market_making.contracts import Contracts
from shared.messages.market import Instrument, InstrumentsV1, Tick
from tests.unit.market_making.toy_desk import START_NS, option, perpetual


class Shown:
    """What was last put into each slot."""

    def __init__(self) -> None:
        self.options: dict[int, tuple[str, bool]] = {}

    def put(self, slot: int, instrument: Instrument, *, is_listed: bool) -> None:
        self.options[slot] = (instrument.name, is_listed)

    def clear(self, slot: int) -> None:
        del self.options[slot]


def listed(*options: Instrument, expiry_ns: int) -> InstrumentsV1:
    return InstrumentsV1(
        created_ns=START_NS, underlying="BTC", expiry_ns=expiry_ns, instruments=options
    )


def tick(instrument: Instrument, venue_ns: int, *, is_live: bool) -> Tick:
    return Tick(instrument.name, 10, 1, 12, 1, 0.0011, 0.5, venue_ns, is_live)


def test_a_slot_of_what_was_delivered_begins_anew_with_the_next_option():
    shown = Shown()
    contracts = Contracts(shown, 1)
    old, new = option(1, 90_000.0, is_call=True), option(5, 90_000.0, is_call=True)
    assert contracts.update(listed(old, expiry_ns=old.expiry_ns)) == [old.name]
    assert contracts.on_tick(tick(old, START_NS + 100, is_live=False)) == 0
    assert shown.options == {0: (old.name, False)}
    contracts.release_expired(old.expiry_ns)
    assert shown.options == {}
    assert contracts.on_tick(tick(old, START_NS + 200, is_live=True)) is None
    assert contracts.update(listed(new, expiry_ns=new.expiry_ns)) == [new.name]
    assert shown.options == {0: (new.name, True)}
    assert contracts.on_tick(tick(new, START_NS + 50, is_live=False)) == 0  # its own first tick
    assert shown.options == {0: (new.name, False)}
    assert contracts.on_tick(tick(new, START_NS + 60, is_live=True)) == 0
    assert contracts.on_tick(tick(new, START_NS + 55, is_live=False)) is None  # overtaken
    assert shown.options == {0: (new.name, True)}


def test_the_hedge_in_a_future_ends_with_its_delivery():
    contracts = Contracts(Shown(), 1)
    dated = msgspec.structs.replace(
        perpetual(), name="BTC-26DEC25", kind="future", expiry_ns=START_NS + 10
    )
    contracts.update(listed(perpetual(), expiry_ns=0))
    contracts.update(listed(dated, expiry_ns=dated.expiry_ns))
    contracts.hold_future(perpetual().name, -3)
    contracts.hold_future(dated.name, 5)
    lot_usd = contracts.future_lots_usd[dated.name]
    assert contracts.hedge_usd() == 2 * lot_usd
    contracts.release_expired(START_NS + 9)
    assert contracts.hedge_usd() == 2 * lot_usd
    contracts.release_expired(START_NS + 10)
    assert contracts.hedge_usd() == -3 * lot_usd
    assert not contracts.is_known(dated.name)
