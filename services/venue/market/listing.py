"""What the venue lists: names, ticks, lots and fees of its contracts, and the strikes of an expiry.

Facts: ../shared/reference/venue.md section 4 (tick table, amounts, names, fees, 08:00 UTC).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from services.venue.market.expiries import LISTED_BEFORE_DAYS, Expiry, date_name, tenor_of
from shared.clock import NS_PER_DAY, NS_PER_MS
from shared.messages.market import Instrument, TickStep
from shared.units import E8

OPTION_TICK_E8 = 10_000  # 0.0001 coin
OPTION_TICK_STEPS = (TickStep(above_ticks=50, step_ticks=5),)  # 0.0005 above 0.005 coin
OPTION_FEE_RATIO = 0.0003
FUTURE_TAKER_FEE_RATIO = 0.0005
PERPETUAL_EXPIRY_MS = 32_503_708_800_000  # the year 3000, as the venue shows it
STRIKES_MAX = 27  # of one expiry, by our rule; recorded chains have more in their quarterlies
# New strikes are listed to about |delta| 0.02 on either side.
DEVIATIONS = 2.1


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between underlyings."""

    option_lot_e8: int
    future_tick_e8: int
    future_lot_e8: int
    strike_steps_usd: tuple[float, ...]  # finest first
    block_amount: float
    max_leverage: int


RULES: dict[str, Rules] = {
    "BTC": Rules(
        option_lot_e8=E8 // 10,
        future_tick_e8=E8 // 2,
        future_lot_e8=10 * E8,
        strike_steps_usd=(500, 1000, 2000, 5000, 10_000, 20_000),
        block_amount=25.0,
        max_leverage=50,
    ),
    "ETH": Rules(
        option_lot_e8=E8,
        future_tick_e8=E8 // 20,
        future_lot_e8=E8,
        strike_steps_usd=(10, 20, 25, 50, 100, 200, 500, 1000),
        block_amount=250.0,
        max_leverage=50,
    ),
}


def perpetual(underlying: str, instrument_id: int) -> Instrument:
    return _future(underlying, 0, instrument_id)


def future(underlying: str, expiry_ns: int, instrument_id: int) -> Instrument:
    return _future(underlying, expiry_ns, instrument_id)


def option(
    underlying: str, expiry_ns: int, strike_usd: float, is_call: bool, instrument_id: int
) -> Instrument:
    return Instrument(
        name=option_name(underlying, expiry_ns, strike_usd, is_call),
        instrument_id=instrument_id,
        kind="option",
        underlying=underlying,
        expiry_ns=expiry_ns,
        strike_usd=strike_usd,
        is_call=is_call,
        tick_e8=OPTION_TICK_E8,
        tick_steps=OPTION_TICK_STEPS,
        lot_e8=RULES[underlying].option_lot_e8,
        maker_fee_ratio=OPTION_FEE_RATIO,
        taker_fee_ratio=OPTION_FEE_RATIO,
    )


def option_name(underlying: str, expiry_ns: int, strike_usd: float, is_call: bool) -> str:
    """Returns `BTC-5JUN20-9250-C`; a strike's decimal point is a lower-case d."""
    strike = f"{strike_usd:.8f}".rstrip("0").rstrip(".").replace(".", "d")
    return f"{underlying}-{date_name(expiry_ns)}-{strike}-{'C' if is_call else 'P'}"


def strikes_around(
    underlying: str, forward_usd: float, deviation: float, strikes_max: int = STRIKES_MAX
) -> tuple[float, ...]:
    """Returns an expiry's strikes. `deviation` is at-the-money vol times the root of its years."""
    low = forward_usd * math.exp(-DEVIATIONS * deviation)
    high = forward_usd * math.exp(DEVIATIONS * deviation)
    steps = RULES[underlying].strike_steps_usd
    step = next((step for step in steps if (high - low) / step <= strikes_max - 3), steps[-1])
    first = max(math.floor(low / step), 1)
    last = math.ceil(high / step)
    return tuple(float(step * count) for count in range(first, min(last, first + strikes_max) + 1))


def list_expiry(
    underlying: str, expiry: Expiry, strikes_usd: Iterable[float], first_id: int
) -> Iterator[Instrument]:
    """Yields an expiry's options in the book's order: by strike, the call before the put."""
    for count, strike_usd in enumerate(sorted(strikes_usd)):
        for put in (0, 1):
            number = first_id + 2 * count + put
            yield option(underlying, expiry.expiry_ns, strike_usd, not put, number)


def created_ns(instrument: Instrument, now_ns: int) -> int:
    """Returns when a contract that stands listed now was listed."""
    if instrument.kind == "perpetual":
        return now_ns // NS_PER_DAY * NS_PER_DAY - 1000 * NS_PER_DAY
    days = LISTED_BEFORE_DAYS[tenor_of(instrument.expiry_ns)]
    return min(instrument.expiry_ns - days * NS_PER_DAY, now_ns // NS_PER_DAY * NS_PER_DAY)


def public_instrument(
    instrument: Instrument, created_at_ns: int, state: str = "open"
) -> dict[str, Any]:
    """Returns a contract as `public/get_instruments` shows it."""
    rules = RULES[instrument.underlying]
    is_option = instrument.kind == "option"
    tick = instrument.tick_e8 / E8
    lot = instrument.lot_e8 / E8
    shown: dict[str, Any] = {
        "price_index": f"{instrument.underlying.lower()}_usd",
        "rfq": False,
        "kind": "option" if is_option else "future",
        "instrument_name": instrument.name,
        "maker_commission": instrument.maker_fee_ratio,
        "taker_commission": instrument.taker_fee_ratio,
        "instrument_type": "reversed",
        "expiration_timestamp": instrument.expiry_ns // NS_PER_MS or PERPETUAL_EXPIRY_MS,
        "creation_timestamp": created_at_ns // NS_PER_MS,
        "is_active": state == "open",
        "state": state,
        "tick_size": tick,
        "tick_size_steps": [
            {"above_price": step.above_ticks * instrument.tick_e8 / E8,
             "tick_size": step.step_ticks * instrument.tick_e8 / E8}
            for step in instrument.tick_steps
        ],
        "contract_size": 1.0 if is_option else lot,
        "instrument_id": instrument.instrument_id,
        "min_trade_amount": lot,
        "block_trade_commission": instrument.taker_fee_ratio if is_option else 0.00025,
        "block_trade_min_trade_amount": rules.block_amount if is_option else 200_000.0,
        "block_trade_tick_size": tick if is_option else 0.01,
        "settlement_currency": instrument.underlying,
        "settlement_period": _settlement_period(instrument),
        "base_currency": instrument.underlying,
        "counter_currency": "USD",
        "quote_currency": instrument.underlying if is_option else "USD",
    }  # fmt: skip
    if is_option:
        shown["option_type"] = "call" if instrument.is_call else "put"
        shown["strike"] = instrument.strike_usd
    else:
        shown["max_leverage"] = rules.max_leverage
        shown["max_liquidation_commission"] = 0.0075
    return shown


def _settlement_period(instrument: Instrument) -> str:
    if instrument.kind == "perpetual":
        return "perpetual"
    tenor = tenor_of(instrument.expiry_ns)
    return "month" if tenor == "quarter" else tenor


def _future(underlying: str, expiry_ns: int, instrument_id: int) -> Instrument:
    rules = RULES[underlying]
    suffix = date_name(expiry_ns) if expiry_ns else "PERPETUAL"
    return Instrument(
        name=f"{underlying}-{suffix}",
        instrument_id=instrument_id,
        kind="future" if expiry_ns else "perpetual",
        underlying=underlying,
        expiry_ns=expiry_ns,
        strike_usd=0.0,
        is_call=False,
        tick_e8=rules.future_tick_e8,
        tick_steps=(),
        lot_e8=rules.future_lot_e8,
        maker_fee_ratio=0.0,
        taker_fee_ratio=FUTURE_TAKER_FEE_RATIO,
    )
