/* Goal: prices, greeks and implied vols refuse bad input, stay finite and invert each other. */
#undef NDEBUG
#include "hr_pricing.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

static uint64_t seed = 0x9e3779b97f4a7c15u;

/* Uniform on [0, 1): xorshift64. */
static double uniform(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) * 0x1p-53;
}

static double between(double low, double high) {
    return low + (high - low) * uniform();
}

static void test_not_finite_input_is_refused(void) {
    const double bad[] = {(double)NAN, HUGE_VAL, -HUGE_VAL};
    hr_greeks greeks;
    double vol;
    for (size_t i = 0; i < 3; i++) {
        assert(hr_black76(bad[i], 1.0, 1.0, 1.0, 1, &greeks) == HR_ERR_NOT_FINITE);
        assert(hr_black76(1.0, bad[i], 1.0, 1.0, 1, &greeks) == HR_ERR_NOT_FINITE);
        assert(hr_black76(1.0, 1.0, bad[i], 1.0, 1, &greeks) == HR_ERR_NOT_FINITE);
        assert(hr_black76(1.0, 1.0, 1.0, bad[i], 1, &greeks) == HR_ERR_NOT_FINITE);
        assert(hr_implied_vol(bad[i], 1.0, 1.0, 1.0, 1, &vol) == HR_ERR_NOT_FINITE);
        assert(hr_implied_vol(0.1, bad[i], 1.0, 1.0, 1, &vol) == HR_ERR_NOT_FINITE);
        assert(hr_implied_vol(0.1, 1.0, bad[i], 1.0, 1, &vol) == HR_ERR_NOT_FINITE);
        assert(hr_implied_vol(0.1, 1.0, 1.0, bad[i], 1, &vol) == HR_ERR_NOT_FINITE);
        assert(vol == 0.0);
    }
}

static void test_arguments_out_of_range_are_refused(void) {
    hr_greeks greeks;
    double vol;
    assert(hr_black76(1.0, 1.0, 1.0, 1.0, 1, NULL) == HR_ERR_ARGUMENT);
    assert(hr_black76(0.0, 1.0, 1.0, 1.0, 1, &greeks) == HR_ERR_ARGUMENT);
    assert(hr_black76(1.0, -1.0, 1.0, 1.0, 1, &greeks) == HR_ERR_ARGUMENT);
    assert(hr_black76(1.0, 1.0, -1.0, 1.0, 1, &greeks) == HR_ERR_ARGUMENT);
    assert(hr_black76(1.0, 1.0, 1.0, -1.0, 1, &greeks) == HR_ERR_ARGUMENT);
    assert(hr_black76(1.0, 1.0, 1.0, 1.0, 2, &greeks) == HR_ERR_ARGUMENT);
    assert(hr_implied_vol(0.1, 1.0, 1.0, 1.0, 1, NULL) == HR_ERR_ARGUMENT);
    assert(hr_implied_vol(0.1, 1.0, 1e51, 1.0, 1, &vol) == HR_ERR_ARGUMENT);
    assert(hr_implied_vol(0.1, 1.0, 1.0, 2e4, 1, &vol) == HR_ERR_ARGUMENT);
    assert(hr_implied_vol(0.1, 1.0, 1.0, 1.0, -1, &vol) == HR_ERR_ARGUMENT);
    assert(hr_black76_batch(-1, NULL, NULL, NULL, NULL, NULL, NULL) == HR_ERR_ARGUMENT);
    assert(hr_black76_batch(1, NULL, NULL, NULL, NULL, NULL, NULL) == HR_ERR_ARGUMENT);
    assert(hr_black76_batch(0, NULL, NULL, NULL, NULL, NULL, NULL) == HR_OK);
    assert(hr_implied_vol_batch(-1, NULL, NULL, NULL, NULL, NULL, NULL, NULL) == HR_ERR_ARGUMENT);
    assert(hr_implied_vol_batch(1, NULL, NULL, NULL, NULL, NULL, NULL, NULL) == HR_ERR_ARGUMENT);
    assert(hr_implied_vol_batch(0, NULL, NULL, NULL, NULL, NULL, NULL, NULL) == HR_OK);
}

static void test_prices_without_a_vol_are_refused(void) {
    double vol = 1.0;
    assert(hr_implied_vol(9.9, 100.0, 90.0, 1.0, 1, &vol) == HR_ERR_DOMAIN);
    assert(hr_implied_vol(100.0, 100.0, 90.0, 1.0, 1, &vol) == HR_ERR_DOMAIN);
    assert(hr_implied_vol(90.0, 100.0, 90.0, 1.0, 0, &vol) == HR_ERR_DOMAIN);
    assert(hr_implied_vol(-1e-9, 100.0, 90.0, 1.0, 0, &vol) == HR_ERR_DOMAIN);
    assert(hr_implied_vol(5.0, 100.0, 100.0, 0.0, 1, &vol) == HR_ERR_DOMAIN);
    assert(hr_implied_vol(50.0, 100.0, 100.0, 1e-24, 1, &vol) == HR_ERR_DOMAIN); /* vol 1.3e12 */
    assert(vol == 0.0);
    assert(hr_implied_vol(10.0, 100.0, 90.0, 1.0, 1, &vol) == HR_OK && vol == 0.0);
}

static void test_a_refused_batch_writes_nothing(void) {
    const double ones[3] = {1.0, 1.0, 1.0};
    const double bad[3] = {1.0, 1.0, -1.0};
    const int32_t is_call[3] = {1, 0, 1};
    hr_greeks greeks[3] = {{.price = 7.0}};
    assert(hr_black76_batch(3, ones, ones, ones, bad, is_call, greeks) == HR_ERR_ARGUMENT);
    assert(greeks[0].price == 7.0);
    assert(hr_black76_batch(3, ones, ones, ones, ones, is_call, greeks) == HR_OK);
    assert(greeks[0].price == greeks[1].price);
}

static void test_each_price_has_its_own_status(void) {
    const double prices[4] = {0.1, -0.1, (double)NAN, 0.2};
    const double ones[4] = {1.0, 1.0, 1.0, 1.0};
    const int32_t is_call[4] = {1, 1, 1, 0};
    double vols[4];
    hr_status statuses[4];
    assert(hr_implied_vol_batch(4, prices, ones, ones, ones, is_call, vols, statuses) ==
           HR_ERR_DOMAIN);
    assert(statuses[0] == HR_OK && vols[0] > 0.25 && vols[0] < 0.26);
    assert(statuses[1] == HR_ERR_DOMAIN && vols[1] == 0.0);
    assert(statuses[2] == HR_ERR_NOT_FINITE && vols[2] == 0.0);
    assert(statuses[3] == HR_OK && vols[3] > vols[0]);
}

/* One option anywhere in the allowed ranges, with a taste for their ends. */
static void draw(double *forward, double *strike, double *years, double *vol) {
    const double years_ends[] = {0.0, DBL_TRUE_MIN, 1e-300, 1e-9, 1e4};
    const double vol_ends[] = {0.0, DBL_TRUE_MIN, 1e-110, 1e-9, 1e10};
    const double strike_ends[] = {1e-50, 1.0, 1e50};
    *forward = uniform() < 0.2 ? strike_ends[(int)(3.0 * uniform())] : exp(between(-115.0, 115.0));
    *strike = uniform() < 0.5 ? *forward * exp(between(-1.0, 1.0)) : exp(between(-115.0, 115.0));
    *strike = fmin(fmax(*strike, 1e-50), 1e50);
    *strike = uniform() < 0.1 ? *forward : *strike;
    *years = uniform() < 0.2 ? years_ends[(int)(5.0 * uniform())] : exp(between(-30.0, 9.0));
    *vol = uniform() < 0.2 ? vol_ends[(int)(5.0 * uniform())] : exp(between(-30.0, 20.0));
}

static void test_outputs_are_finite_and_inside_their_bounds(void) {
    for (int i = 0; i < 300000; i++) {
        double forward;
        double strike;
        double years;
        double vol;
        draw(&forward, &strike, &years, &vol);
        const int32_t is_call = uniform() < 0.5;
        hr_greeks greeks;
        assert(hr_black76(forward, strike, years, vol, is_call, &greeks) == HR_OK);
        const double top = is_call ? forward : strike;
        const double intrinsic = fmax(is_call ? forward - strike : strike - forward, 0.0);
        assert(greeks.price >= intrinsic && greeks.price <= top * (1.0 + DBL_EPSILON));
        assert(is_call ? greeks.delta >= 0.0 : greeks.delta <= 0.0);
        assert(fabs(greeks.delta) <= 1.0);
        assert(isfinite(greeks.gamma) && greeks.gamma >= 0.0);
        assert(isfinite(greeks.vega) && greeks.vega >= 0.0);
        assert(isfinite(greeks.theta) && greeks.theta <= 0.0);
        assert(isfinite(greeks.vanna));
        assert(isfinite(greeks.volga));
        double implied;
        const hr_status status =
            hr_implied_vol(greeks.price, forward, strike, years, is_call, &implied);
        assert(status == HR_OK || status == HR_ERR_DOMAIN);
        assert(isfinite(implied) && implied >= 0.0);
    }
}

static void test_any_price_inside_the_bounds_has_a_vol(void) {
    for (int i = 0; i < 300000; i++) {
        const double forward = exp(between(-100.0, 100.0));
        const double strike = fmin(
            fmax(forward * exp(between(-1.0, 1.0) * pow(10.0, between(-15.0, 2.0))), 1e-50), 1e50);
        const int32_t is_call = forward < strike;
        const double low = is_call ? forward : strike;
        double price = low * pow(10.0, between(-200.0, 0.0));
        price = uniform() < 0.3 ? low * uniform() : price;
        price = uniform() < 0.1 ? low * (1.0 - pow(10.0, between(-15.0, 0.0))) : price;
        price = price > 0.0 ? price : DBL_TRUE_MIN;
        double vol;
        hr_greeks greeks;
        assert(hr_implied_vol(price, forward, strike, 1.0, is_call, &vol) == HR_OK);
        assert(hr_black76(forward, strike, 1.0, vol, is_call, &greeks) == HR_OK);
        assert(vol < 1e-100 || fabs(greeks.price - price) <= 4e-12 * price + 1e-300 * low);
    }
}

int main(void) {
    test_not_finite_input_is_refused();
    test_arguments_out_of_range_are_refused();
    test_prices_without_a_vol_are_refused();
    test_a_refused_batch_writes_nothing();
    test_each_price_has_its_own_status();
    test_outputs_are_finite_and_inside_their_bounds();
    test_any_price_inside_the_bounds_has_a_vol();
    puts("pricing ok");
    return 0;
}
