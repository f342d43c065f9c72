/* Goal: each control refuses on its far side, passes on its near side, and a NaN passes nowhere. */
#undef NDEBUG
#include "hr_gate.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { NOW_S = 1000 };

static const int64_t second_ns = 1000000000;

static hr_gate_limits limits_of(void) {
    return (hr_gate_limits){
        .version = 1,
        .delta_coin_max = 10.0,
        .vega_usd_max = 1000.0,
        .gamma_coin_per_usd_max = 0.01,
        .collar_vol = 0.05,
        .collar_coin = 0.002,
        .value_usd_max = 1e6,
        .drift_coin_max = 0.05,
        .quote_lots_max = 50,
        .position_lots_max = 100,
        .surface_age_ns_max = 5 * second_ns,
        .tick_age_ns_max = 3 * second_ns,
        .executions_max = 10,
        .executions_ns = second_ns,
        .drift_ns = 60 * second_ns,
    };
}

static hr_gate_state state_of(void) {
    return (hr_gate_state){
        .now_ns = NOW_S * second_ns,
        .surface_ns = (NOW_S - 1) * second_ns,
        .tick_ns = (NOW_S - 1) * second_ns,
        .lease_expires_ns = (NOW_S + 1) * second_ns,
        .index_usd = 90000.0,
    };
}

static hr_gate_order order_of(void) {
    return (hr_gate_order){
        .price_ticks = 400,
        .amount_lots = 5,
        .own_other_ticks = 420,
        .market_ticks = 430,
        .step_above_ticks = 50,
        .step_ticks = 5,
        .tick_coin = 0.0001,
        .lot_coin = 0.1,
        .theo_coin = 0.041,
        .vega_coin = 0.1,
        .delta_coin = 0.5,
        .vega_usd = 90.0,
        .gamma_coin_per_usd = 1e-5,
        .price_coin_max = 1.0,
        .anchor_coin = 0.041,
        .is_buy = 1,
    };
}

typedef struct {
    hr_gate_limits limits;
    hr_gate_state state;
    hr_gate_order order;
} given;

static given good(void) {
    return (given){limits_of(), state_of(), order_of()};
}

static void expect(const given *one, int32_t reason) {
    assert(hr_gate_check(&one->limits, &one->state, &one->order) == reason);
}

static void test_a_good_order_passes(void) {
    const given one = good();
    expect(&one, HR_GATE_OK);
}

static void test_null_arguments_are_refused(void) {
    const given one = good();
    assert(hr_gate_check(NULL, &one.state, &one.order) == HR_GATE_NO_LIMITS);
    assert(hr_gate_check(&one.limits, NULL, &one.order) == HR_GATE_NO_LIMITS);
    assert(hr_gate_check(&one.limits, &one.state, NULL) == HR_GATE_NOT_FINITE);
}

static void test_state_stops_everything(void) {
    given one = good();
    one.state.state = HR_STATE_HALTED;
    expect(&one, HR_GATE_HALTED);
    one = good();
    one.state.state = 7;
    expect(&one, HR_GATE_HALTED);
    one = good();
    one.state.lease_expires_ns = one.state.now_ns;
    expect(&one, HR_GATE_NO_LEASE);
    one.state.lease_expires_ns = one.state.now_ns + 1;
    expect(&one, HR_GATE_OK);
    one = good();
    one.state.frozen_until_ns = one.state.now_ns + 1;
    expect(&one, HR_GATE_FROZEN);
    one.state.frozen_until_ns = one.state.now_ns;
    expect(&one, HR_GATE_OK);
}

static void test_age_is_judged_to_the_nanosecond(void) {
    given one = good();
    one.state.surface_ns = one.state.now_ns - one.limits.surface_age_ns_max;
    expect(&one, HR_GATE_OK);
    one.state.surface_ns--;
    expect(&one, HR_GATE_STALE_SURFACE);
    one = good();
    one.state.tick_ns = one.state.now_ns - one.limits.tick_age_ns_max;
    expect(&one, HR_GATE_OK);
    one.state.tick_ns--;
    expect(&one, HR_GATE_STALE_TICK);
    one.state.tick_ns = 0;
    expect(&one, HR_GATE_STALE_TICK);
    one.state.tick_ns = one.state.now_ns + second_ns;
    expect(&one, HR_GATE_OK);
}

static void test_a_limit_of_zero_or_nan_means_no_limits(void) {
    const size_t doubles[] = {
        offsetof(hr_gate_limits, delta_coin_max),
        offsetof(hr_gate_limits, vega_usd_max),
        offsetof(hr_gate_limits, gamma_coin_per_usd_max),
        offsetof(hr_gate_limits, collar_vol),
        offsetof(hr_gate_limits, collar_coin),
        offsetof(hr_gate_limits, value_usd_max),
        offsetof(hr_gate_limits, drift_coin_max),
    };
    const double bad[] = {0.0, -1.0, (double)NAN, (double)INFINITY};
    for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++) {
        for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++) {
            given one = good();
            memcpy((char *)&one.limits + doubles[i], &bad[j], sizeof bad[j]);
            expect(&one, HR_GATE_NO_LIMITS);
        }
    }
    const size_t counts[] = {
        offsetof(hr_gate_limits, quote_lots_max),     offsetof(hr_gate_limits, position_lots_max),
        offsetof(hr_gate_limits, surface_age_ns_max), offsetof(hr_gate_limits, tick_age_ns_max),
        offsetof(hr_gate_limits, executions_max),     offsetof(hr_gate_limits, executions_ns),
        offsetof(hr_gate_limits, drift_ns),
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        given one = good();
        const int64_t none = 0;
        memcpy((char *)&one.limits + counts[i], &none, sizeof none);
        expect(&one, HR_GATE_NO_LIMITS);
    }
}

static void test_nan_and_infinity_pass_nowhere(void) {
    const size_t fields[] = {
        offsetof(hr_gate_order, tick_coin),          offsetof(hr_gate_order, lot_coin),
        offsetof(hr_gate_order, theo_coin),          offsetof(hr_gate_order, vega_coin),
        offsetof(hr_gate_order, delta_coin),         offsetof(hr_gate_order, vega_usd),
        offsetof(hr_gate_order, gamma_coin_per_usd), offsetof(hr_gate_order, price_coin_min),
        offsetof(hr_gate_order, price_coin_max),     offsetof(hr_gate_order, anchor_coin),
    };
    const size_t states[] = {
        offsetof(hr_gate_state, index_usd),
        offsetof(hr_gate_state, delta_coin),
        offsetof(hr_gate_state, vega_usd),
        offsetof(hr_gate_state, gamma_coin_per_usd),
        offsetof(hr_gate_state, delta_up_in_flight_coin),
        offsetof(hr_gate_state, vega_up_in_flight_usd),
        offsetof(hr_gate_state, gamma_up_in_flight),
    };
    const double bad[] = {(double)NAN, (double)INFINITY};
    for (size_t j = 0; j < 2; j++) {
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            given one = good();
            memcpy((char *)&one.order + fields[i], &bad[j], sizeof bad[j]);
            expect(&one, HR_GATE_NOT_FINITE);
        }
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
            given one = good();
            memcpy((char *)&one.state + states[i], &bad[j], sizeof bad[j]);
            assert(hr_gate_check(&one.limits, &one.state, &one.order) != HR_GATE_OK);
        }
    }
}

static void test_size_and_value(void) {
    given one = good();
    one.order.amount_lots = 50;
    expect(&one, HR_GATE_OK);
    one.order.amount_lots = 51;
    expect(&one, HR_GATE_SIZE);
    one.order.amount_lots = 0;
    expect(&one, HR_GATE_SIZE);
    one.order.amount_lots = -1;
    expect(&one, HR_GATE_SIZE);
    one.order.amount_lots = INT64_MAX;
    expect(&one, HR_GATE_NOT_FINITE);
    one = good();
    one.state.index_usd = 2000000.0; /* 0.5 coin is worth exactly the most allowed. */
    expect(&one, HR_GATE_OK);
    one.state.index_usd = 2000001.0;
    expect(&one, HR_GATE_VALUE);
}

static void test_grid(void) {
    assert(hr_gate_is_on_grid(50, 50, 5) && hr_gate_is_on_grid(49, 50, 5));
    assert(hr_gate_is_on_grid(55, 50, 5) && !hr_gate_is_on_grid(51, 50, 5));
    assert(!hr_gate_is_on_grid(0, 50, 5) && !hr_gate_is_on_grid(-5, 50, 5));
    assert(hr_gate_is_on_grid(51, 0, 1) && !hr_gate_is_on_grid(51, 50, 0));
    given one = good();
    one.order.price_ticks = 401;
    expect(&one, HR_GATE_GRID);
    one.order.price_ticks = 0;
    expect(&one, HR_GATE_GRID);
}

static void test_crossed_with_itself_or_the_market(void) {
    given one = good();
    one.order.own_other_ticks = 400;
    expect(&one, HR_GATE_CROSSED);
    one = good();
    one.order.market_ticks = 400;
    expect(&one, HR_GATE_CROSSED);
    one.order.market_ticks = 0;
    expect(&one, HR_GATE_OK);
    one.order.is_buy = 0;
    expect(&one, HR_GATE_CROSSED); /* Its own bid at 420 is above the offer at 400. */
    one.order.own_other_ticks = 395;
    expect(&one, HR_GATE_OK);
    one.order.market_ticks = 400;
    expect(&one, HR_GATE_CROSSED);
}

static void test_price_bounds_collar_and_drift(void) {
    given one = good();
    one.order.price_coin_max = 0.0399;
    expect(&one, HR_GATE_BOUNDS);
    one.order.is_buy = 0;
    one.order.own_other_ticks = 0;
    one.order.market_ticks = 0;
    expect(&one, HR_GATE_OK);
    one.order.price_coin_min = 0.0401;
    expect(&one, HR_GATE_BOUNDS);
    one = good();
    one.order.theo_coin = 0.0451; /* The collar is 0.05 of 0.1: 0.005. */
    expect(&one, HR_GATE_COLLAR);
    one.order.theo_coin = 0.0349;
    expect(&one, HR_GATE_COLLAR);
    one.order.theo_coin = 0.0449;
    expect(&one, HR_GATE_OK);
    one.order.vega_coin = 0.0; /* Now it is 0.002. */
    expect(&one, HR_GATE_COLLAR);
    one = good();
    one.order.anchor_coin = 0.0901;
    expect(&one, HR_GATE_DRIFT);
    one.order.anchor_coin = 0.0;
    expect(&one, HR_GATE_OK);
}

static void test_position_and_reducing(void) {
    given one = good();
    one.order.position_lots = 95;
    expect(&one, HR_GATE_OK);
    one.order.position_lots = 96;
    expect(&one, HR_GATE_POSITION);
    one.order.position_lots = -200; /* Beyond the limit, and on the way back. */
    expect(&one, HR_GATE_OK);
    one.state.state = HR_STATE_REDUCING;
    expect(&one, HR_GATE_OK);
    one.order.position_lots = -5;
    expect(&one, HR_GATE_OK);
    one.order.position_lots = -4;
    expect(&one, HR_GATE_REDUCING);
    one.order.position_lots = 0;
    expect(&one, HR_GATE_REDUCING);
    one.order.position_lots = 5;
    expect(&one, HR_GATE_REDUCING);
}

static void test_exposure_counts_what_is_in_flight(void) {
    given one = good(); /* The bid adds 0.25 of delta and 45 of vega. */
    one.state.delta_coin = 9.75;
    expect(&one, HR_GATE_OK);
    one.state.delta_up_in_flight_coin = 0.01;
    expect(&one, HR_GATE_DELTA);
    one = good();
    one.state.delta_coin = 9.76;
    expect(&one, HR_GATE_DELTA);
    one.state.delta_coin = -20.0; /* Far outside, and the bid brings it nearer. */
    expect(&one, HR_GATE_OK);
    one.order.is_buy = 0;
    one.order.own_other_ticks = 0;
    one.order.market_ticks = 0;
    expect(&one, HR_GATE_DELTA);
    one.state.delta_coin = -9.7;
    one.state.delta_down_in_flight_coin = 0.06;
    expect(&one, HR_GATE_DELTA);
    one = good();
    one.state.vega_usd = 956.0;
    expect(&one, HR_GATE_VEGA);
    one.state.vega_usd = 955.0;
    expect(&one, HR_GATE_OK);
    one = good();
    one.state.gamma_coin_per_usd = 0.009999;
    expect(&one, HR_GATE_GAMMA);
}

static void test_repeated_execution_latches(void) {
    given one = good();
    one.order.execution_count = 9;
    expect(&one, HR_GATE_OK);
    one.order.execution_count = 10;
    expect(&one, HR_GATE_REPEATED);
    one = good();
    one.order.is_latched = 1;
    expect(&one, HR_GATE_REPEATED);
}

static void test_every_reason_has_a_name(void) {
    for (int32_t reason = 0; reason < HR_GATE_REASONS; reason++) {
        assert(strcmp(hr_gate_reason_name(reason), "unknown") != 0);
    }
    assert(strcmp(hr_gate_reason_name(-1), "unknown") == 0);
    assert(strcmp(hr_gate_reason_name(HR_GATE_REASONS), "unknown") == 0);
}

int main(void) {
    test_a_good_order_passes();
    test_null_arguments_are_refused();
    test_state_stops_everything();
    test_age_is_judged_to_the_nanosecond();
    test_a_limit_of_zero_or_nan_means_no_limits();
    test_nan_and_infinity_pass_nowhere();
    test_size_and_value();
    test_grid();
    test_crossed_with_itself_or_the_market();
    test_price_bounds_collar_and_drift();
    test_position_and_reducing();
    test_exposure_counts_what_is_in_flight();
    test_repeated_execution_latches();
    test_every_reason_has_a_name();
    return 0;
}
