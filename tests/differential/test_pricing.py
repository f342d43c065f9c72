"""Prices, greeks and implied vols in C against plain Python at sixty digits, and QuantLib.

The bounds, in full:
- price and greeks: 1e-10 relative; vanna and volga relative to their terms' size, as their sum
  crosses zero; everything absolute below 1e-290 of the forward and below 1e-300, where doubles
  run out.
- implied vol of a price of ours: 1e-12 relative wherever the price carries it, that is where
  one rounding of the price moves the vol by less than 2e-13. Tighter, and everywhere that one
  rounding moves it by less than a thousandth: 3e-14 and one and a half such roundings.
"""

import math

import numpy as np
import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st

from native import reference
from native.library import NativeError, lib
from native.pricing import (
    Greeks,
    GreeksArrays,
    black76,
    black76_batch,
    implied_vol,
    implied_vol_batch,
)

EPSILON = 2.0**-52
TINY = 1e-290  # of a forward: below this, doubles lose digits
FLOOR = 1e-300  # USD, likewise

forwards = st.sampled_from([1e-50, 1e-8, 0.5, 1.0, 3_000.0, 61_234.5, 1e9, 1e50]) | st.floats(
    1e-3, 1e6
)
moneyness = st.sampled_from(
    [0.0, 1e-15, -1e-15, 1e-9, -1e-9, 1e-3, -1e-3, 0.7, -0.7, 0.994, 0.995, -0.995, 1.0, -3.0, 25.0]
) | st.floats(-2.0, 2.0)
years = st.sampled_from([1e-12, 1e-9, 1 / 8760 / 60, 1 / 365, 0.25, 1.0, 30.0, 1e4]) | st.floats(
    1e-6, 5.0
)
deviations = st.sampled_from(
    [1e-20, 1e-12, 1e-6, 1e-3, 0.02, 0.499999, 0.5, 0.5000001, 1.0, 2.0, 8.0, 40.0, 76.8, 90.0]
) | st.floats(1e-3, 3.0)


def option(forward: float, k: float, maturity: float, s: float) -> tuple[float, float, float]:
    """Returns strike, years and vol for a log moneyness and a deviation s, kept in range."""
    strike = min(max(forward * math.exp(k), 1e-50), 1e50)
    return strike, maturity, min(s / math.sqrt(maturity), 1e10)


def close(ours: float, theirs: float, scale: float, tiny: float) -> bool:
    return abs(ours - theirs) <= 1e-10 * scale + tiny


def check_greeks(ours: Greeks, theirs: Greeks, inputs: tuple[float, ...], tiny: float) -> None:
    """Compares every field by its bound."""
    forward, strike, maturity, vol = inputs
    s = vol * math.sqrt(maturity)
    spread = abs(math.log(forward / strike)) / s + s / 2
    usd = max(tiny * forward, FLOOR)
    assert all(math.isfinite(value) for value in ours)
    assert close(ours.price, theirs.price, theirs.price, usd)
    assert close(ours.delta, theirs.delta, abs(theirs.delta), tiny)
    assert close(ours.gamma, theirs.gamma, theirs.gamma, tiny / (forward * s))
    assert close(ours.vega, theirs.vega, theirs.vega, usd * math.sqrt(maturity))
    assert close(ours.theta, theirs.theta, -theirs.theta, usd * vol / maturity**0.5)
    assert close(ours.vanna, theirs.vanna, theirs.gamma * forward * s * spread / vol, tiny / vol)
    assert close(
        ours.volga,
        theirs.volga,
        theirs.vega * spread * spread / vol,
        usd * math.sqrt(maturity) / vol,
    )


@settings(max_examples=600, deadline=None)
@given(forwards, moneyness, years, deviations, st.booleans())
def test_price_and_greeks_equal_sixty_digit_arithmetic(forward, k, maturity, s, is_call):
    strike, maturity, vol = option(forward, k, maturity, s)
    ours = black76(forward, strike, maturity, vol, is_call)
    theirs = reference.black76(forward, strike, maturity, vol, is_call)
    check_greeks(ours, theirs, (forward, strike, maturity, vol), TINY)


def quantlib_calculator(forward, strike, deviation, is_call):
    kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
    payoff = QuantLib.PlainVanillaPayoff(kind, strike)
    return QuantLib.BlackCalculator(payoff, forward, deviation)


@settings(max_examples=500, deadline=None)
@given(
    st.floats(1.0, 1e6),
    st.sampled_from([0.0, 1e-9, -1e-9, 0.7, -0.7]) | st.floats(-0.7, 0.7),
    years,
    st.sampled_from([0.05, 0.499999, 0.5, 0.5000001, 3.0]) | st.floats(0.05, 3.0),
    st.booleans(),
)
def test_listed_options_equal_quantlib(forward, k, maturity, s, is_call):
    strike, maturity, vol = option(forward, k, maturity, s)
    deviation = vol * math.sqrt(maturity)
    if abs(k) / deviation > 6.0:
        return  # QuantLib's greeks are differences of larger terms and thin out in the wing.
    calculator = quantlib_calculator(forward, strike, deviation, is_call)
    ours = black76(forward, strike, maturity, vol, is_call)
    theirs = Greeks(
        price=calculator.value(),
        delta=calculator.deltaForward(),
        gamma=calculator.gammaForward(),
        vega=calculator.vega(maturity),
        theta=calculator.theta(forward, maturity),
        vanna=calculator.vanna(forward, maturity),
        # QuantLib divides by vol * sqrt(years) where the derivative has vol.
        volga=calculator.volga(maturity) * math.sqrt(maturity),
    )
    check_greeks(ours, theirs, (forward, strike, maturity, vol), 8 * EPSILON)


@settings(max_examples=500, deadline=None)
@given(st.floats(1.0, 1e6), moneyness, years, deviations, st.booleans())
def test_every_price_equals_quantlib_to_its_rounding(forward, k, maturity, s, is_call):
    strike, maturity, vol = option(forward, k, maturity, s)
    deviation = vol * math.sqrt(maturity)
    theirs = quantlib_calculator(forward, strike, deviation, is_call).value()
    # QuantLib's price is a difference of two products, each up to the larger of the two.
    bound = 8 * EPSILON * max(forward, strike)
    assert abs(black76(forward, strike, maturity, vol, is_call).price - theirs) <= bound


def batch_inputs(rng, count: int, k_max: float, s_range: tuple[float, float]) -> tuple:
    """Returns random options biased to boundaries: exact at-the-money, kernel edges, wings."""
    forward = np.exp(rng.uniform(-3, 12, count))
    k = rng.uniform(-k_max, k_max, count) * rng.choice([1.0, 0.01, 1e-9, 0.0], count)
    s = np.exp(rng.uniform(np.log(s_range[0]), np.log(s_range[1]), count))
    edges = rng.choice([0.5, 0.49999999999, 0.50000000001, 2.0, 1e-8], count)
    s = np.where(rng.random(count) < 0.05, edges, s)
    maturity = np.exp(rng.uniform(-10, 2, count))
    is_call = rng.integers(0, 2, count, dtype=np.int32)
    return forward, forward * np.exp(k), maturity, s / np.sqrt(maturity), is_call


DOMAINS = [
    (0.7, (0.01, 1.5)),  # what is listed
    (0.7, (1e-9, 0.1)),
    (1e-6, (1e-12, 1e-2)),
    (3.0, (0.05, 5.0)),
    (30.0, (0.2, 40.0)),
    (100.0, (1.0, 70.0)),
]


def round_trip(inputs: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns relative error, the rounding of the price in units of vol, and the statuses."""
    forward, strike, maturity, vol, is_call = inputs
    greeks = black76_batch(forward, strike, maturity, vol, is_call)
    price = np.ascontiguousarray(greeks.price)
    found = implied_vol_batch(price, forward, strike, maturity, is_call)
    assert np.isfinite(found.vols).all()
    assert set(np.unique(found.statuses)) <= {0, lib.HR_ERR_DOMAIN}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rounding = np.where(price > TINY * forward, EPSILON * price / (greeks.vega * vol), np.inf)
    return np.abs(found.vols / vol - 1.0), rounding, found.statuses


@pytest.mark.parametrize(("k_max", "s_range"), DOMAINS)
def test_vol_survives_the_trip_through_its_price(k_max, s_range):
    count = 60_000
    rng = np.random.default_rng(int(k_max * 1e6))
    error, rounding, statuses = round_trip(batch_inputs(rng, count, k_max, s_range))
    full = rounding < 2e-13
    known = rounding < 1e-3
    assert full.sum() > 1_000
    assert (statuses[known] == 0).all()
    assert error[full].max() <= 1e-12
    assert (error <= 3e-14 + 1.5 * rounding)[known].all()


def test_where_the_price_has_lost_the_vol_it_is_still_reproduced():
    rng = np.random.default_rng(5)
    inputs = batch_inputs(rng, 60_000, 3.0, (1e-3, 12.0))
    forward, strike, maturity, _, is_call = inputs
    price = np.ascontiguousarray(black76_batch(*inputs).price)
    found = implied_vol_batch(price, forward, strike, maturity, is_call)
    good = found.statuses == 0
    again = black76_batch(forward, strike, maturity, found.vols, is_call).price
    assert (np.abs(again - price)[good] <= 4e-12 * price[good] + 1e-300).all()
    assert (np.abs(again - price)[good] <= 16 * np.spacing(np.maximum(price, forward))[good]).all()


@settings(max_examples=150, deadline=None)
@given(st.floats(1.0, 1e6), st.floats(-0.7, 0.7), st.floats(0.02, 2.0), st.booleans())
def test_implied_vol_equals_sixty_digit_inversion(forward, k, s, is_call):
    strike, maturity, vol = option(forward, k, 0.25, s)
    greeks = black76(forward, strike, maturity, vol, is_call)
    if greeks.price <= max(forward - strike if is_call else strike - forward, 0.0) + 1e-250:
        return
    rounding = EPSILON * greeks.price / (greeks.vega * vol)
    if rounding > 1e-3:
        return
    ours = implied_vol(greeks.price, forward, strike, maturity, is_call)
    theirs = reference.implied_vol(greeks.price, forward, strike, maturity, is_call)
    assert abs(ours / theirs - 1.0) <= max(1e-12, 4 * rounding)


def test_batch_and_single_calls_give_the_same_bits():
    rng = np.random.default_rng(11)
    for k_max, s_range in DOMAINS:
        inputs = batch_inputs(rng, 301, k_max, s_range)
        batch = black76_batch(*inputs)
        prices = np.ascontiguousarray(batch.price)
        vols, statuses = implied_vol_batch(prices, *inputs[:3], inputs[4])  # type: ignore[call-arg]
        for i in range(301):
            forward, strike, maturity, vol, is_call = (column[i] for column in inputs)
            single = black76(forward, strike, maturity, vol, bool(is_call))
            assert single == tuple(column[i] for column in batch)
            if statuses[i] == 0:
                again = implied_vol(prices[i], forward, strike, maturity, bool(is_call))
                assert again == vols[i]


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize(("maturity", "vol"), [(0.0, 0.5), (0.25, 0.0), (0.0, 0.0), (5e-324, 1e-9)])
@pytest.mark.parametrize("strike", [90.0, 100.0, 110.0])
def test_without_time_or_vol_only_intrinsic_value_is_left(strike, maturity, vol, is_call):
    greeks = black76(100.0, strike, maturity, vol, is_call)
    call_delta = 0.5 if strike == 100.0 else float(strike < 100.0)
    assert greeks.price == max(100.0 - strike if is_call else strike - 100.0, 0.0)
    assert greeks.delta == pytest.approx(call_delta if is_call else call_delta - 1.0, abs=1e-15)
    at_the_money = 100.0 * math.sqrt(maturity / (2 * math.pi)) if strike == 100.0 else 0.0
    assert greeks.vega == pytest.approx(at_the_money, rel=1e-15)
    assert (greeks.gamma, greeks.theta, greeks.vanna, greeks.volga) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", range(4))
def test_numbers_that_are_not_finite_are_refused(place, bad):
    inputs = [100.0, 100.0, 0.25, 0.5]
    inputs[place] = bad
    with pytest.raises(NativeError, match="HR_ERR_NOT_FINITE"):
        black76(*inputs, True)  # type: ignore[call-arg]
    price_first = [5.0, 100.0, 100.0, 0.25]
    price_first[place] = bad
    with pytest.raises(NativeError, match="HR_ERR_NOT_FINITE"):
        implied_vol(*price_first, True)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "inputs",
    [
        (0.0, 100.0, 0.25, 0.5),
        (-1.0, 100.0, 0.25, 0.5),
        (1e51, 100.0, 0.25, 0.5),
        (100.0, 5e-324, 0.25, 0.5),
        (100.0, 100.0, -1e-9, 0.5),
        (100.0, 100.0, 1.1e4, 0.5),
        (100.0, 100.0, 0.25, -0.1),
        (100.0, 100.0, 0.25, 1.1e10),
    ],
)
def test_inputs_outside_their_ranges_are_refused(inputs):
    with pytest.raises(NativeError, match="HR_ERR_ARGUMENT"):
        black76(*inputs, True)  # type: ignore[call-arg]
    columns = [
        np.array([good, bad]) for good, bad in zip((1.0, 1.0, 1.0, 1.0), inputs, strict=True)
    ]
    with pytest.raises(NativeError, match="HR_ERR_ARGUMENT"):
        black76_batch(*columns, np.array([1, 0], dtype=np.int32))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("price", "strike", "is_call"),
    [
        (-1e-300, 100.0, True),
        (9.999, 90.0, True),  # below intrinsic
        (9.999, 110.0, False),
        (100.0, 100.0, True),  # the forward
        (110.0, 110.0, False),  # the strike
        (1e9, 100.0, True),
    ],
)
def test_prices_no_vol_can_give_are_refused(price, strike, is_call):
    with pytest.raises(NativeError, match="HR_ERR_DOMAIN"):
        implied_vol(price, 100.0, strike, 0.25, is_call)


def test_a_bad_price_in_a_batch_spoils_only_itself():
    prices = np.array([5.0, -1.0, math.nan, 6.0, 0.0])
    ones = np.ones(5)
    vols, statuses = implied_vol_batch(
        prices, 100 * ones, 100 * ones, 0.25 * ones, np.ones(5, dtype=np.int32)
    )
    assert statuses.tolist() == [0, lib.HR_ERR_DOMAIN, lib.HR_ERR_NOT_FINITE, 0, 0]
    assert vols[1] == vols[2] == vols[4] == 0.0
    assert vols[3] > vols[0] > 0.2


def test_arrays_of_the_wrong_kind_are_refused():
    ones = np.ones(4)
    flags = np.ones(4, dtype=np.int32)
    with pytest.raises(ValueError, match="want a contiguous float64 array"):
        black76_batch(ones, ones.astype(np.float32), ones, ones, flags)
    with pytest.raises(ValueError, match="want a contiguous float64 array"):
        black76_batch(ones, np.ones(8)[::2], ones, ones, flags)
    with pytest.raises(ValueError, match="want a contiguous int32 array"):
        black76_batch(ones, ones, ones, ones, ones)
    with pytest.raises(ValueError, match="of shape \\(3,\\)"):
        black76_batch(np.ones(3), ones, ones, ones, flags)


def test_empty_batches_are_empty():
    none = np.empty(0)
    flags = np.empty(0, dtype=np.int32)
    assert isinstance(black76_batch(none, none, none, none, flags), GreeksArrays)
    assert len(implied_vol_batch(none, none, none, none, flags).vols) == 0
