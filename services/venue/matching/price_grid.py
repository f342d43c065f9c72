"""Prices and amounts of an instrument: from the wire to ticks and lots, or refused."""

from services.venue.errors import VenueError, invalid
from shared.messages.market import Instrument
from shared.units import E8

NEAR = 1e-6  # a price this close to a tick, in ticks, is that tick


def price_to_ticks(instrument: Instrument, price: float) -> int:
    """Returns the whole ticks of a price. Raises 10023 below zero, 10043 off the grid."""
    if price <= 0:
        raise VenueError(10023)
    exact = price * E8 / instrument.tick_e8
    ticks = round(exact)
    if ticks > 10**12 or abs(exact - ticks) > max(NEAR, exact * 1e-12) or ticks == 0:
        raise VenueError(10043)
    if ticks % step_at(instrument, ticks):
        raise VenueError(10043)
    return ticks


def step_at(instrument: Instrument, ticks: int) -> int:
    """Returns the step of the grid at a price; it widens above each tick step."""
    step_ticks = 1
    for step in instrument.tick_steps:
        if ticks > step.above_ticks:
            step_ticks = step.step_ticks
    return step_ticks


def floor_ticks(instrument: Instrument, ticks: int) -> int:
    """Returns the highest price of the grid that is not above `ticks`."""
    return ticks - ticks % step_at(instrument, ticks)


def ceil_ticks(instrument: Instrument, ticks: int) -> int:
    """Returns the lowest price of the grid that is not below `ticks`."""
    step_ticks = step_at(instrument, ticks)
    return ticks + -ticks % step_ticks


def amount_to_lots(instrument: Instrument, amount: float, name: str = "amount") -> int:
    """Returns the whole lots of an amount. Raises 10002 below one lot, else -32602."""
    if amount <= 0:
        raise VenueError(10021) if amount < 0 else VenueError(10002)
    exact = amount * E8 / instrument.lot_e8
    lots = round(exact)
    if exact < 1 - NEAR:
        raise VenueError(10002)
    if lots > 10**10 or abs(exact - lots) > max(NEAR, exact * 1e-12):
        raise invalid(name, "must be a multiple of the minimum trade amount")
    return lots


def coins_of(instrument: Instrument, lots: int, price_usd: float) -> float:
    """Returns an amount in coin; futures amounts are USD."""
    amount = lots * instrument.lot_e8 / E8
    return amount if instrument.kind == "option" else amount / price_usd
