"""Messages for the tests of risk and the ledger."""

from shared.clock import NS_PER_S
from shared.messages.market import FeedV1, Instrument, InstrumentsV1, Tick, TickStep, TicksV1
from shared.messages.orders import AccountPosition, AccountV1, FillV1
from shared.messages.pricing import Slice, SurfaceV1

NOW = 1_790_000_000 * NS_PER_S
EXPIRY = NOW + 30 * 24 * 3600 * NS_PER_S
CALL = "BTC-T-100000-C"
PUT = "BTC-T-90000-P"
PERPETUAL = "BTC-PERPETUAL"


def option(name, strike, is_call, expiry_ns=EXPIRY):
    return Instrument(
        name=name, instrument_id=1, kind="option", underlying="BTC", expiry_ns=expiry_ns,
        strike_usd=strike, is_call=is_call, tick_e8=10_000,
        tick_steps=(TickStep(above_ticks=50, step_ticks=5),), lot_e8=10_000_000,
        maker_fee_ratio=0.0003, taker_fee_ratio=0.0003,
    )  # fmt: skip


def perpetual():
    return Instrument(
        name=PERPETUAL, instrument_id=9, kind="perpetual", underlying="BTC", expiry_ns=0,
        strike_usd=0.0, is_call=False, tick_e8=50_000_000, tick_steps=(), lot_e8=1_000_000_000,
        maker_fee_ratio=0.0, taker_fee_ratio=0.0005,
    )  # fmt: skip


def instruments():
    return (
        InstrumentsV1(
            created_ns=NOW, underlying="BTC", expiry_ns=EXPIRY,
            instruments=(option(CALL, 100_000.0, True), option(PUT, 90_000.0, False)),
        ),
        InstrumentsV1(
            created_ns=NOW, underlying="BTC", expiry_ns=0, instruments=(perpetual(),)
        ),
    )  # fmt: skip


def ticks(now=NOW, index=100_000.0, mark=None):
    tick = Tick(PERPETUAL, 0, 0, 0, 0, index if mark is None else mark, 0.0, now)
    return TicksV1(
        created_ns=now, underlying="BTC", sequence=1, index_usd=index, index_ns=now, ticks=(tick,)
    )


def surface(now=NOW, version=1, vol=0.6, skew=-0.1):
    years = (EXPIRY - now) / (365 * 24 * 3600 * NS_PER_S)
    total = vol * vol * years
    slice_ = Slice(
        expiry_ns=EXPIRY, years=years, forward_ratio=1.01, a=0.6 * total, b=0.4 * total,
        rho=skew, m=0.0, sigma=1.0, rmse_vol=0.0, inside_ratio=1.0,
    )  # fmt: skip
    return SurfaceV1(
        created_ns=now, underlying="BTC", version=version, market_ns=now, index_usd=100_000.0,
        slices=(slice_,), is_butterfly_free=True, is_calendar_free=True, fit_us=1.0,
    )  # fmt: skip


def fill(
    number, instrument=CALL, side="buy", lots=10, price_ticks=700, now=NOW, is_quote=True, fee=0
):
    return FillV1(
        created_ns=now, trade_id=f"T{number}", venue_order_id="", order_id="", is_quote=is_quote,
        underlying="BTC", instrument=instrument, side=side, amount_lots=lots,
        price_ticks=price_ticks, is_maker=True, fee_coin_e12=fee, index_usd=100_000.0,
        mark_price=0.07, venue_ns=now,
    )  # fmt: skip


def feed(now=NOW, is_connected=True):
    return FeedV1(
        created_ns=now, is_connected=is_connected, reason="", reconnect_count=0, gap_count=0,
        venue_clock_offset_ns=0,
    )  # fmt: skip


def account(positions, balance_e12, now=NOW, last_trade_id=""):
    return AccountV1(
        created_ns=now, currency="BTC",
        positions=tuple(AccountPosition(name, lots) for name, lots in positions.items()),
        balance_coin_e12=balance_e12, equity_coin_e12=balance_e12, venue_ns=now,
        last_trade_id=last_trade_id,
    )  # fmt: skip
