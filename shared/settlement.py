"""Settlement at the venue: when it happens, and what an expired position is paid in coin."""

from shared.clock import NS_PER_S
from shared.messages.market import Instrument
from shared.units import E8, E12

DAY_NS = 24 * 3600 * NS_PER_S
SETTLEMENT_NS = 8 * 3600 * NS_PER_S  # of the day, UTC
SETTLING_NS = 60 * NS_PER_S  # until everybody has heard of it


def is_settling(at_ns: int) -> bool:
    """Returns whether the venue and the desk may be of two minds about what is settled."""
    return 0 <= at_ns % DAY_NS - SETTLEMENT_NS < SETTLING_NS


def delivery_coin_e12(instrument: Instrument, lots: int, price_usd: float) -> int:
    """Returns the cash that closes an expired position: an option's payoff in coin, or what an
    inverse future still owes, -A/price (its entry, A/entry, is cash already)."""
    amount = instrument.lot_e8 / E8
    if instrument.kind == "option":
        sign = 1.0 if instrument.is_call else -1.0
        intrinsic_usd = max(sign * (price_usd - instrument.strike_usd), 0.0)
        return round(intrinsic_usd / price_usd * amount * E12) * lots
    return -round(lots * amount / price_usd * E12)
