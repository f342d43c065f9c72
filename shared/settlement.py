"""Settlement at the venue: when it happens, and what an expired position is paid in coin."""

from shared.clock import NS_PER_DAY, NS_PER_S
from shared.messages.market import Instrument
from shared.units import E8, E12

SETTLEMENT_NS = 8 * 3600 * NS_PER_S  # of the day, UTC
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
FRIDAY = 4
SETTLING_NS = 60 * NS_PER_S  # until everybody has heard of it
DELIVERY_FEE_SHARE = 0.5  # of the taker fee
FEE_PAYOFF_DIVISOR = 8  # an option's fee is at most 12.5 % of what it pays


def next_settlement_ns(now_ns: int) -> int:
    """Returns the first 08:00 UTC after a time."""
    today = now_ns - now_ns % NS_PER_DAY + SETTLEMENT_NS
    return today if now_ns < today else today + NS_PER_DAY


def is_settling(at_ns: int) -> bool:
    """Returns whether the venue and the desk may be of two minds about what is settled."""
    return 0 <= at_ns % NS_PER_DAY - SETTLEMENT_NS < SETTLING_NS


def delivery_coin_e12(instrument: Instrument, lots: int, price_usd: float) -> int:
    """Returns the cash that closes an expired position: an option's payoff in coin, or what an
    inverse future still owes, -A/price (its entry, A/entry, is cash already)."""
    amount = instrument.lot_e8 / E8
    if instrument.kind == "option":
        sign = 1.0 if instrument.is_call else -1.0
        intrinsic_usd = max(sign * (price_usd - instrument.strike_usd), 0.0)
        return round(intrinsic_usd / price_usd * amount * E12) * lots
    return -round(lots * amount / price_usd * E12)


def delivery_fee_coin_e12(instrument: Instrument, lots: int, price_usd: float) -> int:
    """Returns what the venue charges for a delivery: half the taker fee, of an option at most
    12.5 % of its payoff, and nothing for what expires on another day than a Friday (a daily). The
    venue's history of deliveries does not say it."""
    if is_daily(instrument.expiry_ns):
        return 0
    amount = instrument.lot_e8 / E8
    ratio = instrument.taker_fee_ratio * DELIVERY_FEE_SHARE
    if instrument.kind != "option":
        return round(abs(lots) * amount / price_usd * ratio * E12)
    payoff_e12 = delivery_coin_e12(instrument, 1, price_usd)
    return min(round(ratio * amount * E12), payoff_e12 // FEE_PAYOFF_DIVISOR) * abs(lots)


def is_daily(expiry_ns: int) -> bool:
    """Returns whether a date is neither a weekly nor a monthly expiry: no Friday."""
    return (expiry_ns // NS_PER_DAY + EPOCH_WEEKDAY) % 7 != FRIDAY
