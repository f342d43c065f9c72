"""A small made-up market: one underlying, priced off a known surface, as pricing's inputs."""

import math

from native.pricing import black76
from native.surface import Svi, total_variance
from shared.clock import NS_PER_YEAR
from shared.messages.market import Instrument, InstrumentsV1, Tick, TickStep, TicksV1

NOW_NS = 1_767_258_000_000_000_000
DAY_NS = 86_400_000_000_000
INDEX_USD = 90_000.0
TRUTH = {  # days: slice
    1: (Svi(0.0002, 0.010, -0.10, 0.002, 0.020), 1.0000),
    7: (Svi(0.0012, 0.030, -0.15, 0.005, 0.060), 1.0010),
    30: (Svi(0.0060, 0.070, -0.20, 0.010, 0.120), 1.0040),
    180: (Svi(0.0500, 0.150, -0.25, 0.050, 0.300), 1.0200),
}


def name_of(days: int, strike: float, is_call: bool) -> str:
    return f"BTC-{days}D-{strike:.0f}-{'C' if is_call else 'P'}"


def strikes_of(days: int) -> list[float]:
    deviation = math.sqrt(total_variance(TRUTH[days][0], 0.0))
    return [
        round(INDEX_USD * math.exp(x * deviation), -2)
        for x in (-2, -1.3, -0.7, -0.3, 0, 0.3, 0.7, 1.3, 2)
    ]


def instruments(days: int, with_future: bool = True) -> InstrumentsV1:
    expiry_ns = NOW_NS + days * DAY_NS
    common = {
        "underlying": "BTC", "expiry_ns": expiry_ns, "instrument_id": 1, "maker_fee_ratio": 0.0,
        "taker_fee_ratio": 0.0,
    }  # fmt: skip
    listed = [
        Instrument(
            name=name_of(days, strike, is_call), kind="option", strike_usd=strike, is_call=is_call,
            tick_e8=10_000, tick_steps=(TickStep(above_ticks=50, step_ticks=5),),
            lot_e8=10_000_000, **common,
        )
        for strike in strikes_of(days)
        for is_call in (True, False)
    ]  # fmt: skip
    if with_future:
        listed.append(
            Instrument(
                name=f"BTC-{days}D", kind="future", strike_usd=0.0, is_call=False,
                tick_e8=50_000_000, tick_steps=(), lot_e8=1_000_000_000, **common,
            )
        )  # fmt: skip
    return InstrumentsV1(
        created_ns=NOW_NS, underlying="BTC", expiry_ns=expiry_ns, instruments=tuple(listed)
    )


def coin_price(days: int, strike: float, is_call: bool, now_ns: int, vol_shift: float) -> float:
    _, ratio = TRUTH[days]
    forward = INDEX_USD * ratio
    years = (NOW_NS + days * DAY_NS - now_ns) / NS_PER_YEAR
    vol = vol_at(days, math.log(strike / forward)) + vol_shift
    return black76(forward, strike, years, vol, is_call).price / forward


def vol_at(days: int, log_moneyness: float) -> float:
    return math.sqrt(total_variance(TRUTH[days][0], log_moneyness) / (days / 365))


def ticks(
    now_ns: int = NOW_NS, vol_shift: float = 0.0, lots: int = 10, with_marks: bool = True,
    is_live: bool = True, half_ticks: int = 3, sequence: int = 1,
) -> TicksV1:  # fmt: skip
    """Both sides of everything, `half_ticks` around the true price."""
    found = []
    for days, (_, ratio) in TRUTH.items():
        forward_ticks = round(INDEX_USD * ratio * 2)
        found.append(
            Tick(f"BTC-{days}D", forward_ticks - 1, 10, forward_ticks + 1, 10,
                 INDEX_USD * ratio, 0.0, now_ns, is_live)
        )  # fmt: skip
        for strike in strikes_of(days):
            for is_call in (True, False):
                price = coin_price(days, strike, is_call, now_ns, vol_shift)
                middle = price * 10_000
                bid = max(math.floor(middle - half_ticks), 0)
                vol = vol_at(days, math.log(strike / INDEX_USD / ratio)) + vol_shift
                found.append(
                    Tick(name_of(days, strike, is_call), bid, lots if bid else 0,
                         math.ceil(middle + half_ticks), lots, price, vol if with_marks else 0.0,
                         now_ns, is_live)
                )  # fmt: skip
    return TicksV1(
        created_ns=now_ns, underlying="BTC", sequence=sequence, index_usd=INDEX_USD,
        index_ns=now_ns, ticks=tuple(found),
    )  # fmt: skip
