"""The listing rules, and the chains that are made by them or from a record."""

from datetime import UTC, datetime

import numpy as np
import pytest

from native.pricing import black76_batch
from services.venue.market.chain import chain_from_record, generate_chain
from services.venue.market.expiries import date_name, listed_expiries, to_ns
from services.venue.market.listing import option_name, public_instrument, strikes_around
from shared.clock import NS_PER_YEAR
from shared.recorded_chain import ChainError, ChainRow, RecordedChain

NOW_NS = to_ns(datetime(2026, 1, 1, 9, 18, 35, tzinfo=UTC))


def recorded_row(name: str, strike: float, is_call: bool, **fields) -> ChainRow:
    values = {
        "instrument_name": name,
        "currency": "BTC",
        "expiry_ns": to_ns(datetime(2026, 1, 30, 8, tzinfo=UTC)),
        "strike_usd": strike,
        "is_call": is_call,
        "forward_usd": 88_000.0,
        "index_usd": 87_800.0,
        "bid_coin": 0.0105,
        "ask_coin": 0.012,
        "mark_coin": 0.0112,
        "mark_vol": 0.40,
        "future_usd": 88_000.0,
        "future_name": "BTC-30JAN26",
    }
    return ChainRow(**(values | fields))


def test_expiries_are_those_of_the_venue_on_the_first_of_january():
    names = [date_name(expiry.expiry_ns) for expiry in listed_expiries(NOW_NS)]
    assert names == [
        "2JAN26", "3JAN26", "4JAN26", "5JAN26", "9JAN26", "16JAN26", "23JAN26", "30JAN26",
        "27FEB26", "27MAR26", "26JUN26", "25SEP26", "25DEC26",
    ]  # fmt: skip


def test_expiry_rolls_at_eight_sharp():
    eight_ns = to_ns(datetime(2026, 1, 2, 8, tzinfo=UTC))
    assert listed_expiries(eight_ns - 1)[0].expiry_ns == eight_ns
    assert listed_expiries(eight_ns)[0].expiry_ns == eight_ns + 86_400 * 10**9


def test_all_expiries_are_at_eight_and_beyond_the_dailies_on_fridays():
    for expiry in listed_expiries(NOW_NS):
        moment = datetime.fromtimestamp(expiry.expiry_ns / 1e9, tz=UTC)
        assert (moment.hour, moment.minute) == (8, 0)
        assert expiry.tenor == "day" or moment.weekday() == 4


def test_names_have_no_leading_zero_and_a_d_for_the_decimal_point():
    june_ns = to_ns(datetime(2020, 6, 5, 8, tzinfo=UTC))
    assert option_name("BTC", june_ns, 9250.0, True) == "BTC-5JUN20-9250-C"
    assert option_name("MATIC_USDC", june_ns, 1.02, False) == "MATIC_USDC-5JUN20-1d02-P"


@pytest.mark.parametrize("deviation", [0.01, 0.03, 0.1, 0.3, 0.5])
def test_strikes_are_round_few_and_reach_the_wings(deviation):
    strikes = strikes_around("BTC", 90_000.0, deviation)
    assert 8 <= len(strikes) <= 29
    assert strikes[0] <= 90_000.0 * np.exp(-1.7 * deviation)
    assert strikes[-1] >= 90_000.0 * np.exp(1.7 * deviation)
    assert all(strike % 500 == 0 for strike in strikes)


def test_a_generated_chain_is_as_large_as_the_venues_and_the_same_for_the_same_seed():
    chain = generate_chain(NOW_NS, 7)
    options = [i for i in chain.instruments if i.kind == "option"]
    assert 900 <= len(options) <= 1100
    assert len({i.name for i in chain.instruments}) == len(chain.instruments)
    assert len({i.instrument_id for i in chain.instruments}) == len(chain.instruments)
    again = generate_chain(NOW_NS, 7)
    assert again.instruments == chain.instruments
    assert np.array_equal(again.vols, chain.vols)
    assert generate_chain(NOW_NS, 8).index_usd != chain.index_usd


def test_a_chain_can_be_listed_thinly():
    options = [
        sum(i.kind == "option" for i in generate_chain(NOW_NS, 7, strikes_max=strikes).instruments)
        for strikes in (13, 27)
    ]
    assert 0.35 <= options[0] / options[1] <= 0.65


def test_a_generated_surface_has_no_calendar_arbitrage_at_the_money():
    chain = generate_chain(NOW_NS, 3)
    for underlying in chain.underlyings():
        nearest: dict[int, tuple[float, float]] = {}
        for at, instrument in enumerate(chain.instruments):
            if instrument.underlying == underlying and instrument.kind == "option":
                gap = abs(instrument.strike_usd / chain.forwards_usd[at] - 1)
                years = (instrument.expiry_ns - NOW_NS) / NS_PER_YEAR
                variance = chain.vols[at] ** 2 * years
                nearest[instrument.expiry_ns] = min(
                    nearest.get(instrument.expiry_ns, (9.0, 0.0)), (gap, variance)
                )
        variances = [nearest[expiry][1] for expiry in sorted(nearest)]
        assert variances == sorted(variances)


def test_marks_of_a_recorded_chain_are_the_recorded_ones():
    rows = (
        recorded_row("BTC-30JAN26-100000-C", 100_000.0, True),
        recorded_row("BTC-30JAN26-100000-P", 100_000.0, False, mark_coin=0.1100, mark_vol=None),
        recorded_row("BTC-30JAN26-60000-C", 60_000.0, True, mark_coin=0.3, forward_usd=88_050.0),
        recorded_row("BTC-30JAN26-160000-C", 160_000.0, True, mark_coin=None, bid_coin=None),
    )
    chain = chain_from_record(RecordedChain(timestamp_ns=NOW_NS, rows=rows))
    for row in rows:
        at = next(n for n, i in enumerate(chain.instruments) if i.name == row.instrument_name)
        instrument = chain.instruments[at]
        forward = chain.forwards_usd[at : at + 1]
        years = np.array([(instrument.expiry_ns - NOW_NS) / NS_PER_YEAR])
        model = black76_batch(
            forward,
            np.array([row.strike_usd]),
            years,
            chain.vols[at : at + 1],
            np.array([row.is_call], dtype=np.int32),
        )
        mark = model.price[0] / forward[0] + chain.mark_residuals_coin[at]
        assert mark == pytest.approx(row.mark_coin or 0.0, abs=1e-12)
        assert chain.bid_ticks[at] == (105 if row.bid_coin else 0)
    assert [i.name for i in chain.instruments[:2]] == ["BTC-PERPETUAL", "BTC-30JAN26"]


def test_an_expiry_without_any_volatility_is_refused():
    rows = (recorded_row("BTC-30JAN26-1-C", 1.0, True, mark_vol=None, mark_coin=None),)
    with pytest.raises(ChainError):
        chain_from_record(RecordedChain(timestamp_ns=NOW_NS, rows=rows))


def test_public_instruments_carry_what_clients_require():
    chain = generate_chain(NOW_NS, 1)
    required = {
        "instrument_name", "kind", "base_currency", "quote_currency", "counter_currency",
        "settlement_currency", "settlement_period", "expiration_timestamp", "creation_timestamp",
        "tick_size", "tick_size_steps", "contract_size", "min_trade_amount", "maker_commission",
        "taker_commission", "is_active", "instrument_id", "instrument_type", "price_index", "state",
        "rfq", "block_trade_commission",
    }  # fmt: skip
    for instrument, created in zip(chain.instruments, chain.created_ns, strict=True):
        shown = public_instrument(instrument, created)
        assert required <= shown.keys()
        assert shown["creation_timestamp"] < shown["expiration_timestamp"]
        if instrument.kind == "option":
            assert shown["strike"] == instrument.strike_usd
            assert shown["tick_size_steps"] == [{"above_price": 0.005, "tick_size": 0.0005}]
